import assert from 'node:assert/strict';

import { parseNetwork } from '../../../rules/index.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { ClientNetworks } from '../../../sidecar/sessions/client-networks.js';
import { FormerOwners } from '../../../sidecar/sessions/former-owners.js';
import { NO_SURROUNDINGS } from '../../../sidecar/sessions/surroundings.js';
import { TunnelNetworks } from '../../../sidecar/sessions/tunnel-networks.js';
import { type DumpedPeer, parseDump } from '../../../sidecar/wireguard/dump.js';
import { Peers } from '../../../sidecar/wireguard/peers.js';

const OWN = 'PRIVATE\tPUBLIC\t51820\toff';
const NOW = new Date(1_000_000_000_000);

const peer = (publicKey: string, ageSeconds: number | null, ...allowed: readonly string[]): DumpedPeer => ({
  publicKey,
  endpoint: '192.0.2.1:1',
  allowedIps: allowed.flatMap((text) => parseNetwork(text) ?? []),
  lastHandshake: ageSeconds === null ? 0 : NOW.getTime() / 1000 - ageSeconds,
  received: 0,
  sent: 0,
});
const around = (handshakeTimeoutMs: number, device: string | null = 'wg0'): Parameters<Peers['set']>[1] => ({
  device,
  surroundings: NO_SURROUNDINGS,
  handshakeTimeoutMs,
  now: NOW,
});

describe('parseDump', () => {
  it('reads the listen port and the peers, and drops the keys that are secret', () => {
    const dump = parseDump(
      `${OWN}\nKEY1\tPRESHARED\t[2001:db8::1]:40000\t10.8.0.2/32,fd00:77::/64\t1700000000\t12\t34\t25\n` +
        'KEY2\t(none)\t(none)\t(none)\t0\t0\t0\toff\n',
    );

    assert.deepEqual(dump, {
      listenPort: 51820,
      peers: [
        {
          publicKey: 'KEY1',
          endpoint: '[2001:db8::1]:40000',
          allowedIps: [parseNetwork('10.8.0.2'), parseNetwork('fd00:77::/64')],
          lastHandshake: 1_700_000_000,
          received: 12,
          sent: 34,
        },
        { publicKey: 'KEY2', endpoint: null, allowedIps: [], lastHandshake: 0, received: 0, sent: 0 },
      ],
    });
    assert.doesNotMatch(JSON.stringify(dump), /PRIVATE|PRESHARED/);
  });

  it('has no port of an interface that has none, and takes nothing else for a dump', () => {
    assert.deepEqual(parseDump('(none)\t(none)\t0\toff\n'), { listenPort: null, peers: [] });
    for (const text of ['', 'interface: wg0\n', `${OWN}\nKEY\t(none)\n`, 'a\tb\tport\toff\n'])
      assert.equal(parseDump(text), null, text);
  });
});

describe('Peers', () => {
  const formers: FormerOwners[] = [];
  after(() => formers.forEach((former) => former[Symbol.dispose]()));

  function start(): {
    readonly peers: Peers;
    readonly networks: () => string[];
    readonly events: () => string[];
    readonly handedOver: string[];
  } {
    const log = captureLog();
    const handedOver: string[] = [];
    const former = new FormerOwners({ holdMs: 60_000, max: 10, onGivenUp: () => undefined });
    formers.push(former);
    const clients = new ClientNetworks({
      former,
      onHandedOver: (all) => handedOver.push(...all.map(({ address }) => address)),
    });
    const peers = new Peers({ source: 'wireguard wg0', clients, logger: log.logger, onChanged: () => undefined });
    return {
      peers,
      handedOver,
      networks: () => [...clients.list()].map(({ address, device }) => `${address} ${device}`),
      events: () => log.entries.filter(({ event }) => event.startsWith('peer.')).map(({ event }) => event),
    };
  }

  it('are connected until the timeout after their last handshake, or always', () => {
    const { peers, networks, events } = start();
    const all = [peer('A', 180, '10.8.0.1'), peer('B', 181, '10.8.0.2'), peer('C', null, '10.8.0.3')];

    peers.set(all, around(180_000));
    assert.deepEqual([networks(), peers.count], [['10.8.0.1 wg0'], 1]);
    assert.deepEqual(
      peers.status('wg0').map(({ name, isConnected }) => [name, isConnected]),
      [
        ['A', true],
        ['B', false],
        ['C', false],
      ],
    );
    peers.set(all, around(0));
    assert.deepEqual(networks(), ['10.8.0.1 wg0', '10.8.0.2 wg0', '10.8.0.3 wg0']);
    peers.set(all.slice(1), around(0, null));
    assert.deepEqual([networks(), peers.count], [[], 0]);
    assert.deepEqual(events(), [...Array(3).fill('peer.connected'), ...Array(3).fill('peer.gone')]);
  });

  it('hand an allowed IP over, in whatever order WireGuard lists them, and its connections end', () => {
    for (const order of [1, -1]) {
      const { peers, networks, handedOver } = start();
      peers.set([peer('A', 1, '10.8.0.1', '10.8.0.9'), peer('B', 1, '10.8.0.2')], around(0));

      const moved = [peer('A', 1, '10.8.0.1'), peer('B', 1, '10.8.0.2', '10.8.0.9')];
      peers.set(order === 1 ? moved : moved.toReversed(), around(0));

      assert.deepEqual(networks().toSorted(), ['10.8.0.1 wg0', '10.8.0.2 wg0', '10.8.0.9 wg0']);
      peers.set([peer('B', 1, '10.8.0.9')], around(0));
      assert.deepEqual(networks(), ['10.8.0.9 wg0']);
      assert.deepEqual(handedOver, ['10.8.0.9']);
    }
  });

  it('name what is refused, and what another VPN has, too', () => {
    const log = captureLog();
    const clients = new ClientNetworks();
    const common = { clients, logger: log.logger, onChanged: () => undefined };
    new TunnelNetworks({ ...common, server: 'tunnel tun5' }).set(
      'tun5',
      [parseNetwork('10.9.0.0/16')].flatMap((network) => network ?? []),
      NO_SURROUNDINGS,
    );
    // What an earlier run left is of the same VPN.
    clients.add('adopted', { family: 4, address: '10.8.0.9', prefixLength: 32, device: 'tun5' }, 'adopted');
    const peers = new Peers({ ...common, source: 'wireguard wg0' });

    peers.set([peer('A', 1, '10.9.0.0/16', '0.0.0.0/0', '10.8.0.9')], around(0));
    peers.set([peer('A', 1, '10.9.0.0/16', '0.0.0.0/0', '10.8.0.9')], around(0));

    assert.deepEqual(peers.refused, [{ network: '0.0.0.0/0', reason: 'a default route' }]);
    assert.deepEqual(peers.shared, [{ network: '10.9.0.0/16', devices: ['tun5'] }]);
    assert.deepEqual(
      log.entries.filter(({ level }) => level === 'warn').map(({ event, fields }) => [event, fields['network']]),
      [
        ['network.refused', '0.0.0.0/0'],
        ['network.shared', '10.9.0.0/16'],
      ],
    );
  });
});
