import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { ADDRESS } from '../../lab/topology.js';
import { eventually } from '../../lab/wait.js';
import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';
import { bound, OWN_DEFAULT } from './other-vpns.js';

const GROUP = 'Other VPNs and IPsec';
/** The peer of the other VPN is the host on the segment. */
const PEER = ADDRESS.local;
/** Addresses in the other VPN. */
const INNER = {
  endpoint: { v4: '10.99.0.1', v6: 'fd00:99::1' },
  peer: { v4: '10.99.0.2', v6: 'fd00:99::2' },
} as const;

/**
 * wg-quick with AllowedIPs for everything: its rules, its table, its marks and its chains, as its script makes them.
 */
async function wireguard({ lab, endpoint }: Scene): Promise<void> {
  const { local } = lab.topology;
  const keyOf = async (input: string, command: 'genkey' | 'pubkey'): Promise<string> =>
    (await endpoint.run(['wg', command], { input })).trim();
  const [own, other] = [await keyOf('', 'genkey'), await keyOf('', 'genkey')];
  const config = async (name: string, lines: readonly string[]): Promise<string> => {
    const file = path.join(lab.pki.directory, name, 'wg0.conf');
    await local.run(['mkdir', '-p', path.dirname(file)]);
    await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    return file;
  };
  const peerConfig = await config('peer', [
    '[Interface]',
    `PrivateKey = ${other}`,
    `Address = ${INNER.peer.v4}/24, ${INNER.peer.v6}/64`,
    'ListenPort = 51820',
    '[Peer]',
    `PublicKey = ${await keyOf(own, 'pubkey')}`,
    `AllowedIPs = ${INNER.endpoint.v4}/32, ${INNER.endpoint.v6}/128`,
  ]);
  const ownConfig = await config('own', [
    '[Interface]',
    `PrivateKey = ${own}`,
    `Address = ${INNER.endpoint.v4}/24, ${INNER.endpoint.v6}/64`,
    '[Peer]',
    `PublicKey = ${await keyOf(other, 'pubkey')}`,
    `Endpoint = ${PEER.v4}:51820`,
    'AllowedIPs = 0.0.0.0/0, ::/0',
    'PersistentKeepalive = 1',
  ]);
  await local.run(['wg-quick', 'up', peerConfig], { timeoutMs: 60_000 });
  await endpoint.run(['wg-quick', 'up', ownConfig], { timeoutMs: 60_000 });
  await reachesPeer({ lab, endpoint });
}

/**
 * ESP between the endpoint and a host on the segment: transport mode for what they say to each other, and a tunnel to
 * a network behind that host.
 */
async function ipsec(scene: Scene): Promise<void> {
  const { lab, endpoint } = scene;
  const { local } = lab.topology;
  const algorithms = `enc cbc(aes) 0x${'11'.repeat(16)} auth-trunc hmac(sha256) 0x${'22'.repeat(32)} 128`;
  const [own, peer] = [ADDRESS.endpoint.v4, PEER.v4];
  const [ownNetwork, peerNetwork] = [`${INNER.endpoint.v4}/32`, `${INNER.peer.v4}/32`];
  for (const [namespace, out, back] of [
    [endpoint, [own, peer], [peer, own]],
    [local, [peer, own], [own, peer]],
  ] as const) {
    const networks = namespace === endpoint ? [ownNetwork, peerNetwork] : [peerNetwork, ownNetwork];
    await namespace.ip(
      ...(
        [
          [own, peer, 0x101, 'transport'],
          [peer, own, 0x102, 'transport'],
          [own, peer, 0x201, 'tunnel'],
          [peer, own, 0x202, 'tunnel'],
        ] as const
      ).map(
        ([from, to, spi, mode]) =>
          `xfrm state add src ${from} dst ${to} proto esp spi ${spi} reqid ${mode === 'tunnel' ? 2 : 1} mode ${mode} ${algorithms}`,
      ),
      `xfrm policy add src ${out[0]} dst ${out[1]} dir out tmpl src ${out[0]} dst ${out[1]} proto esp reqid 1 mode transport`,
      `xfrm policy add src ${back[0]} dst ${back[1]} dir in tmpl src ${back[0]} dst ${back[1]} proto esp reqid 1 mode transport`,
      `xfrm policy add src ${networks[0]} dst ${networks[1]} dir out tmpl src ${out[0]} dst ${out[1]} proto esp reqid 2 mode tunnel`,
      ...['in', 'fwd'].map(
        (direction) =>
          `xfrm policy add src ${networks[1]} dst ${networks[0]} dir ${direction} tmpl src ${back[0]} dst ${back[1]} proto esp reqid 2 mode tunnel`,
      ),
      `address add ${networks[0]} dev lo`,
      `route add ${networks[1]} via ${out[1]} dev lan0 src ${networks[0]?.split('/')[0] ?? ''}`,
    );
  }
  await reachesPeer(scene);
}

/** The other VPN works. */
async function reachesPeer({ endpoint }: Pick<Scene, 'endpoint' | 'lab'>): Promise<void> {
  await eventually(
    async () =>
      (await endpoint.tryRun(['ping', '-n', '-c', '1', '-W', '2', '-I', INNER.endpoint.v4, INNER.peer.v4])).code === 0,
    { what: 'the peer of the other VPN answers' },
  );
}

export const TUNNEL_NEIGHBOURS: readonly Neighbour[] = [
  {
    name: 'WireGuard of the kernel with the default route, by wg-quick, the server with --local',
    group: GROUP,
    where: 'vm',
    lab: bound,
    prepare: wireguard,
    ...OWN_DEFAULT,
    disturbances: { 'traffic in it': reachesPeer },
    versions: { 'wg-quick': ['host:wg', '--version'] },
  },
  {
    name: 'IPsec: ESP in transport and in tunnel mode',
    group: GROUP,
    where: 'vm',
    prepare: ipsec,
    disturbances: { 'traffic in it': reachesPeer },
  },
];
