import { OpenVpnClient, OpenVpnServer, type Transport } from '../../lab/openvpn.js';
import { ADDRESS } from '../../lab/topology.js';
import { ping } from '../../lab/traffic.js';
import { TUNNEL } from '../../lab/vpn-lab.js';
import { eventually } from '../../lab/wait.js';
import type { LabDifference, Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

const GROUP = 'Other VPNs and IPsec';

/**
 * The machine is a client of a provider of internet access: an OpenVPN of its own on the segment that pushes a default
 * route.
 */
async function joinProvider(scene: Scene): Promise<void> {
  const { topology, pki } = scene.lab;
  const [provider, customer] = await Promise.all([pki.issue('provider', 'server'), pki.issue('customer', 'client')]);
  scene.use(
    await OpenVpnServer.start({
      namespace: topology.local,
      pki,
      identity: provider,
      transport: 'udp4',
      port: 1195,
      device: 'tun9',
      network: '10.99.0.0 255.255.255.0',
      network6: 'fd00:99::/64',
      push: ['redirect-gateway local def1', 'route-ipv6 2000::/3'],
    }),
  );
  const client = scene.use(
    await OpenVpnClient.launch({
      namespace: scene.endpoint,
      pki,
      identity: customer,
      transport: 'udp4',
      port: 1195,
      remote: ADDRESS.local.v4,
      device: 'tun7',
    }),
  );
  await client.connected();
  await eventually(
    async () => (await scene.endpoint.run(['ip', 'route', 'get', '203.0.113.2'])).includes('dev tun7'),
    { what: 'the default route' },
  );
}

const WG_QUICK_RULES = `table ip wg-quick-here {
  chain preraw { type filter hook prerouting priority raw; iifname != wg-here ip daddr 10.98.0.2 fib saddr type != local drop; }
  chain premangle { type filter hook prerouting priority mangle; meta l4proto udp meta mark set ct mark; }
  chain postmangle { type filter hook postrouting priority mangle; meta l4proto udp meta mark 51820 ct mark set meta mark; }
}`;

/** Each box has a wireguard of its own in user space; names differ, for their control sockets lie in one directory. */
async function wireguard(scene: Scene): Promise<void> {
  const { topology } = scene.lab;
  const root = await scene.root();
  await root.run(
    'sh',
    '-ec',
    'mkdir -p /dev/net /run/wireguard && { test -e /dev/net/tun || mknod /dev/net/tun c 10 200; }',
  );
  const peers = [
    {
      namespace: scene.endpoint,
      device: 'wg-here',
      peer: 'wg-there',
      address: '10.98.0.2',
      allowed: '0.0.0.0/0,::/0',
      endpoint: `${ADDRESS.local.v4}:51821`,
      port: 51_820,
    },
    {
      namespace: topology.local,
      device: 'wg-there',
      peer: 'wg-here',
      address: '10.98.0.1',
      allowed: '10.98.0.2/32',
      endpoint: `${ADDRESS.endpoint.v4}:51820`,
      port: 51_821,
    },
  ] as const;
  await root.run(
    'sh',
    '-ec',
    'cd /tmp; umask 077; for name in wg-here wg-there; do wg genkey > $name.key; wg pubkey < $name.key > $name.pub; done',
  );
  for (const { namespace, device } of peers) {
    scene.use(
      namespace.spawn(root.argv(['wireguard-go', '--foreground', device]), { name: `wireguard-go ${device}` }),
    );
    await eventually(async () => (await namespace.tryRun(root.argv(['wg', 'show', device]))).code === 0, {
      what: device,
    });
  }
  for (const { namespace, device, peer, address, allowed, endpoint, port } of peers) {
    await namespace.run(
      root.argv([
        'sh',
        '-ec',
        `wg set ${device} private-key /tmp/${device}.key listen-port ${port} fwmark 51820 peer $(cat /tmp/${peer}.pub) allowed-ips ${allowed} endpoint ${endpoint}`,
      ]),
    );
    await namespace.ip(`address add ${address}/24 dev ${device}`, `link set ${device} up`);
  }
  // What wg-quick(8) does for a default route: a flow of its own datagrams keeps their mark, so the filter of the way
  // back knows it.
  await scene.endpoint.run(['nft', WG_QUICK_RULES]);
  for (const family of ['-4', '-6']) {
    await scene.endpoint.run(['ip', family, 'route', 'add', 'default', 'dev', 'wg-here', 'table', '51820']);
    await scene.endpoint.run(['ip', family, 'rule', 'add', 'not', 'fwmark', '51820', 'table', '51820']);
    await scene.endpoint.run(['ip', family, 'rule', 'add', 'table', 'main', 'suppress_prefixlength', '0']);
  }
  await eventually(
    async () => (await scene.endpoint.tryRun(['ping', '-n', '-c', '1', '-W', '1', '10.98.0.1'])).code === 0,
    { what: 'the other end of wireguard' },
  );
}

/**
 * Policies of an IPsec gateway for networks that are not of the VPN, in every direction, and one that lets the rest
 * through.
 */
async function policies({ endpoint }: Scene): Promise<void> {
  const template = 'tmpl src 192.0.2.10 dst 192.0.2.77 proto esp reqid 1 mode tunnel';
  for (const direction of ['out', 'in', 'fwd']) {
    const [source, destination] =
      direction === 'out' ? ['172.20.0.0/24', '172.21.0.0/24'] : ['172.21.0.0/24', '172.20.0.0/24'];
    await endpoint.run([
      'ip',
      'xfrm',
      'policy',
      'add',
      'src',
      source,
      'dst',
      destination,
      'dir',
      direction,
      'priority',
      '100',
      ...template.split(' '),
    ]);
    await endpoint.run([
      'ip',
      'xfrm',
      'policy',
      'add',
      'src',
      '0.0.0.0/0',
      'dst',
      '0.0.0.0/0',
      'dir',
      direction,
      'priority',
      '2000',
      'action',
      'allow',
    ]);
  }
}

/** With `local` a datagram has its source before anybody looks for a route. */
export const bound = (transport: Transport): LabDifference => ({
  serverExtra: [`local ${transport.endsWith('6') ? ADDRESS.endpoint.v6 : ADDRESS.endpoint.v4}`],
});

/**
 * An iroute has a route beside it, as openvpn(8) says: a default route of another tunnel, made of halves, would cover
 * the subnet.
 */
const SUBNET_ROUTES = ['route 192.168.77.0 255.255.255.0', 'route-ipv6 fd00:77::/64'] as const;

/** What clients open takes the machine's own default route, into the other VPN, and trace says so. */
export const OWN_DEFAULT: Pick<Neighbour, 'hasOwnDefault' | 'named'> = {
  hasOwnDefault: true,
  named: [
    {
      by: 'trace',
      words: [ADDRESS.hostB.v4, TUNNEL.client1.v4, '--proto', 'icmp'],
      text: /a route of the endpoint comes before the uplink/,
      before: async ({ lab }) =>
        await ping(lab.party('client1', 'v4'), lab.party('hostB', 'v4'), { count: 1, waitSeconds: 1 }),
    },
  ],
};

const WRONG_SOURCE =
  'an OpenVPN server over UDP that is bound to no address answers from the address of its default route: `local` or `multihome` fixes it';

export const OTHER_VPN_NEIGHBOURS: readonly Neighbour[] = [
  {
    name: 'an OpenVPN client with the default route, the server with --local',
    group: GROUP,
    prepare: joinProvider,
    ...OWN_DEFAULT,
    lab: (transport) => ({ serverExtra: [...(bound(transport).serverExtra ?? []), ...SUBNET_ROUTES] }),
  },
  {
    name: 'an OpenVPN client with the default route, the server without a route for a subnet behind a client',
    group: GROUP,
    transports: ['udp4'],
    lab: bound,
    prepare: joinProvider,
    limit: {
      reason:
        'the halves of the default route (`redirect-gateway def1`) come before the route that gwmark gives that subnet: the server needs `route` beside `iroute`',
      named: [
        {
          by: 'doctor',
          check: 'client-routes',
          severity: 'warn',
          text: /192\.168\.77\.0\/24.*goes to tun7, but its client is on tun0/,
        },
      ],
    },
  },
  {
    name: 'an OpenVPN client with the default route, the server with --multihome',
    group: GROUP,
    transports: ['udp4', 'udp6'],
    lab: () => ({ serverExtra: ['multihome', ...SUBNET_ROUTES] }),
    prepare: joinProvider,
    ...OWN_DEFAULT,
  },
  {
    name: 'an OpenVPN client with the default route, the server bound to every address',
    group: GROUP,
    transports: ['udp4', 'udp6'],
    prepare: joinProvider,
    limit: {
      reason: WRONG_SOURCE,
      isClientless: true,
      named: [
        {
          by: 'trace',
          text: /it answers from \S+, not from/,
          words: (transport) => {
            const outer = transport.endsWith('6') ? 'v6' : 'v4';
            return [ADDRESS.client1[outer], ADDRESS.endpoint[outer], '--proto', 'udp', '--dport', '1194'];
          },
        },
      ],
    },
  },
  {
    name: 'wireguard with the default route as wg-quick makes it, the server with --local',
    group: GROUP,
    lab: bound,
    prepare: wireguard,
    ...OWN_DEFAULT,
    versions: { 'wireguard-go': ['wireguard-go', '--version'] },
  },
  { name: 'IPsec policies for other networks', group: GROUP, prepare: policies },
];
