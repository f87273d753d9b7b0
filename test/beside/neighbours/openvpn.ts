import { openVpnOfVersion } from '../../lab/openvpn-version.js';
import { ADDRESS } from '../../lab/topology.js';
import { TUNNEL } from '../../lab/vpn-lab.js';
import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

const GROUP = 'OpenVPN';
const VERSIONS = ['2.5', '2.6', '2.7'] as const;

/** Under these topologies a client has a peer in place of a netmask. */
async function giveClientsPeers({ lab: { server } }: Scene): Promise<void> {
  const peer = TUNNEL.endpoint.v4;
  await server.configureClient('client1', {
    address6: TUNNEL.client1.v6,
    subnets: ['192.168.77.0 255.255.255.0'],
    subnets6: ['fd00:77::/64'],
    extra: [`ifconfig-push ${TUNNEL.client1.v4} ${peer}`],
  });
  await server.configureClient('client2', {
    address6: TUNNEL.client2.v6,
    extra: [`ifconfig-push ${TUNNEL.client2.v4} ${peer}`],
  });
}

/** With `local` the socket has one address of one family. */
const local = (transport: string): string =>
  `local ${transport.endsWith('6') ? ADDRESS.endpoint.v6 : ADDRESS.endpoint.v4}`;

export const OPENVPN_NEIGHBOURS: readonly Neighbour[] = [
  ...VERSIONS.map((version): Neighbour => ({
    name: `OpenVPN ${version}`,
    group: GROUP,
    lab: async () => ({ serverProgram: await openVpnOfVersion(version) }),
    openvpn: version,
  })),
  { name: 'OpenVPN with --local', group: GROUP, lab: (transport) => ({ serverExtra: [local(transport)] }) },
  {
    name: 'OpenVPN with --multihome',
    group: GROUP,
    transports: ['udp4', 'udp6'],
    lab: () => ({ serverExtra: ['multihome'] }),
  },
  {
    name: 'OpenVPN as the user nobody',
    group: GROUP,
    lab: () => ({ serverExtra: ['user nobody', 'group nogroup'] }),
    prepare: async (scene) => await scene.letEverybodyRead(),
  },
  {
    name: 'OpenVPN with topology net30',
    group: GROUP,
    lab: () => ({ serverExtra: ['topology net30'] }),
    prepare: giveClientsPeers,
  },
  {
    name: 'OpenVPN with topology p2p',
    group: GROUP,
    lab: () => ({ serverExtra: ['topology p2p'] }),
    prepare: giveClientsPeers,
  },
  {
    name: 'OpenVPN 2.7 with several sockets',
    group: GROUP,
    transports: ['udp4', 'udp6', 'tcp4'],
    openvpn: '2.7',
    lab: async () => ({
      serverProgram: await openVpnOfVersion('2.7'),
      serverExtra: [
        `local ${ADDRESS.endpoint.v4} 1194 udp4`,
        `local ${ADDRESS.endpoint.v6} 1194 udp6`,
        `local ${ADDRESS.endpoint.v4} 1194 tcp4-server`,
      ],
    }),
  },
];
