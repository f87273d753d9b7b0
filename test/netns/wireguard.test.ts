/**
 * WireGuard beside the routers: peers, allowed IPs and the listen port as `wg` tells them, the endpoint without a
 * route. The program is wireguard-go, in test/vm/wireguard.sh the kernel.
 */
import assert from 'node:assert/strict';

import { openBrowser } from '../lab/browser.js';
import type { Capture } from '../lab/capture.js';
import { assertFound, runDoctor } from '../lab/doctor.js';
import { PROGRAM, runGwmark } from '../lab/sidecar.js';
import { SourceLab } from '../lab/source-lab.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { Wireguard, wireguardName } from '../lab/wireguard.js';
import { assertExchange, assertNothingFarResolved, assertOpenedVia, assertSentVia, KINDS } from './matrix.js';

const PORT = 51820;
const DEVICE = wireguardName('e');
const ROUTER_OF = { hostA: MAC.r1, hostB: MAC.r2 } as const;
const CLIENT_OF = { hostA: 'client1', hostB: 'client2' } as const;
/** Their packets to the endpoint are of these families. */
const OUTER_OF = { client1: 'v4', client2: 'v6' } as const;
const ALLOWED = {
  client1: `${TUNNEL.client1.v4}/32,${TUNNEL.client1.v6}/128,192.168.77.0/24,fd00:77::/64`,
  client2: `${TUNNEL.client2.v4}/32,${TUNNEL.client2.v6}/128`,
} as const;
const FAR = ['198.51.100.0/24', '2001:db8:a::/64', '2001:db8:b::/64'] as const;

describe('WireGuard on a zero-route endpoint', function () {
  this.timeout(patient(60_000));
  let lab: SourceLab;
  let capture: Capture;
  let server: Wireguard;
  const peers = {} as Record<'client1' | 'client2', Wireguard>;

  before(async () => {
    lab = await SourceLab.create();
    capture = await lab.capture();
    server = await Wireguard.start({
      namespace: lab.topology.endpoint,
      device: DEVICE,
      addresses: { v4: `${TUNNEL.endpoint.v4}/24`, v6: `${TUNNEL.endpoint.v6}/64` },
      port: PORT,
    });
    for (const name of ['client1', 'client2'] as const) {
      peers[name] = await Wireguard.start({
        namespace: lab.topology[name],
        device: wireguardName(name.slice(-1)),
        addresses: { v4: `${TUNNEL[name].v4}/24`, v6: `${TUNNEL[name].v6}/64` },
      });
      await lab.topology[name].ip(
        ...FAR.map((network) => `route add ${network} dev ${wireguardName(name.slice(-1))}`),
      );
    }
    await server.peer(peers.client1.publicKey, 'allowed-ips', ALLOWED.client1);
    await lab.launch(`wireguard: [${DEVICE}]\n`, '--metrics-listen', `unix:${lab.directory}/metrics.sock`);
    await lab.sidecar.ready();
    await lab.introduceRouters();
    await connect('client1');
    await lab.sidecar.carries(MAC.u);
  });
  after(async () => {
    await capture?.[Symbol.asyncDispose]();
    for (const wireguard of [server, ...Object.values(peers)]) await wireguard?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  /** The peer begins to send, and the sidecar serves it. */
  async function connect(name: 'client1' | 'client2'): Promise<void> {
    const outer = ADDRESS.endpoint[OUTER_OF[name]];
    await peers[name].peer(
      server.publicKey,
      'endpoint',
      `${outer.includes(':') ? `[${outer}]` : outer}:${PORT}`,
      'allowed-ips',
      ['10.8.0.0/24', 'fd00:8::/64', ...FAR].join(','),
      'persistent-keepalive',
      '1',
    );
    const { publicKey } = peers[name];
    await lab.sidecar.statusWhere(
      ({ peers: known = [], uplink }) =>
        uplink !== null && known.some((peer) => peer.name === publicKey && peer.isConnected),
      `${name} is connected`,
      30_000,
    );
  }

  const trace = async (...words: readonly string[]): Promise<string> => {
    const told = await runGwmark(lab.topology.endpoint, [
      'trace',
      ...words,
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);
    return told.stdout + told.stderr;
  };

  it('serves a peer that is added at run time', async () => {
    await server.peer(peers.client2.publicKey, 'allowed-ips', ALLOWED.client2);

    await connect('client2');

    const { sources, peers: known = [] } = await lab.sidecar.status();
    assert.deepEqual(
      sources?.map(({ kind, name, state, transport, transportSource }) => [
        kind,
        name,
        state,
        transport,
        transportSource,
      ]),
      [['wireguard', DEVICE, 'ready', [{ protocol: 'udp', address: '::', port: PORT }], 'wg']],
    );
    assert.deepEqual(known.map(({ addresses }) => addresses.join(',')).toSorted(), [
      `${TUNNEL.client1.v4},${TUNNEL.client1.v6},192.168.77.0/24,fd00:77::/64`,
      `${TUNNEL.client2.v4},${TUNNEL.client2.v6}`,
    ]);
    const routes = await lab.topology.endpoint.run(['ip', 'route', 'show']);
    assert.doesNotMatch(
      routes,
      /via|default|198\.51|192\.168\.77/,
      'main has no route but its own link and the tunnel',
    );
  });

  for (const family of FAMILIES) {
    for (const host of ['hostA', 'hostB'] as const) {
      it(`carries IP${family} between ${host} and a peer, whoever opens it, through the router of that host`, async () => {
        const [far, near] = [lab.party(host, family), lab.party(CLIENT_OF[host], family)];
        for (const kind of KINDS) {
          const first = await capture.mark();
          const isAnswer = await assertExchange(kind, far, near);
          const answers = await capture.frames(first);
          assertSentVia(answers.filter(isAnswer), ADDRESS[host][family], ROUTER_OF[host]);
          assertNothingFarResolved(answers);

          const second = await capture.mark();
          const isOpened = await assertExchange(kind, near, far);
          assertOpenedVia((await capture.frames(second)).filter(isOpened), ADDRESS[host][family], ROUTER_OF[host]);
        }
      });
    }
  }

  it('carries what is behind a peer, and sends its own packets of both families to the upstream router', async () => {
    const start = await capture.mark();

    for (const family of FAMILIES) await assertExchange('tcp', lab.party('hostB', family), lab.party('site', family));
    await assertExchange('ping', lab.party('hostA', 'v4'), lab.party('client2', 'v4'));

    const frames = (await capture.frames(start)).filter(({ ports }) => ports?.source === PORT);
    assertSentVia(frames, ADDRESS.client1.v4, MAC.u);
    assertSentVia(frames, ADDRESS.client2.v6, MAC.u);
  });

  it('loses no packet of a flow while the sidecar is killed and starts again', async () => {
    const [far, near] = [lab.party('hostB', 'v4'), lab.party('site', 'v4')];
    await assertExchange('ping', far, near);
    await lab.sidecar.killHard();
    assert.equal((await ping(far, near, { count: 5 })).received, 5, 'without a sidecar');
    const flow = ping(far, near, { count: 20 });

    await lab.sidecar.restart();
    assert.equal((await flow).received, 20);
    await lab.sidecar.statusWhere(
      ({ peers: known = [] }) => known.every(({ isConnected }) => isConnected),
      'both peers',
    );
    assert.deepEqual(
      lab.sidecar.process.lines.filter((line) => line.includes('network.shared')),
      [],
    );
  });

  it('is shown by clients, metrics, doctor and trace, which say peer', async () => {
    const endpoint = lab.topology.endpoint;
    const { publicKey } = peers.client1;
    const flags = ['--control-socket', lab.sidecar.controlSocket];
    await assertExchange('ping', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));

    const clients = (await runGwmark(endpoint, ['clients', ...flags])).stdout;
    const status = (await runGwmark(endpoint, ['status', ...flags])).stdout;
    const metrics = await endpoint.run([
      'curl',
      '-s',
      '--unix-socket',
      `${lab.directory}/metrics.sock`,
      'http://gwmark/metrics',
    ]);

    assert.match(clients, /^PEER +DEVICE +ADDRESSES +REAL ADDRESS +STATE +HANDSHAKE/);
    assert.ok(clients.includes(publicKey) && clients.includes('203.0.113.2:'), clients);
    assert.doesNotMatch(clients, /no client/);
    assert.match(status, /0 clients, 2 peers, /);
    assert.match(status, new RegExp(`wireguard +${DEVICE} +ready +udp \\[::\\]:${PORT} +wg`));
    assert.match(metrics, new RegExp(`gwmark_peers\\{source="${DEVICE}"\\} 2`));
    assertFound(await runDoctor(endpoint, { flags }), 'sources', 'ok', /10\.8\.0\.11/);
    const told = await trace(ADDRESS.hostA.v4, TUNNEL.client1.v4, '--proto', 'icmp');
    assert.ok(told.includes(`is the address of peer ${publicKey} of WireGuard, over ${DEVICE}`), told);
    assert.match(told, new RegExp(`answers of this flow leave lan0 to ${MAC.r1} `), told);
    const outer = await trace(ADDRESS.client1.v4, ADDRESS.endpoint.v4, '--dport', String(PORT));
    assert.ok(outer.includes(`WireGuard ${DEVICE} listens on ${ADDRESS.endpoint.v4}, udp port ${PORT}`), outer);
    assert.match(outer, new RegExp(`answers of this flow leave lan0 to ${MAC.u} `), outer);
  });

  it('is in the page of gwmark web, with its flows, and what happens to it is among the events', async () => {
    const web = lab.topology.endpoint.spawn([PROGRAM, 'web', '--control-socket', lab.sidecar.controlSocket], {
      name: 'gwmark web',
    });
    const [, address = ''] = await web.waitFor(/^open (\S+)$/);
    const browser = await openBrowser(lab.topology.endpoint, lab.directory);
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(patient(20_000));
      await page.goto(address);
      const { publicKey } = peers.client2;
      const picture = page.locator(`[data-client="${publicKey}"]`);
      await picture.waitFor();
      await page.locator('.row', { hasText: TUNNEL.client2.v4 }).waitFor();
      await page.locator('header', { hasText: '2 peers' }).waitFor();

      const pinging = lab.topology.hostB.spawn(['ping', '-q', '-i', '0.2', TUNNEL.client2.v4], { name: 'ping' });
      await page
        .locator(`path[data-flows-from="${MAC.r2}"][data-flows-to="${publicKey}"]`)
        .waitFor({ state: 'attached' });
      await pinging.stop();
      await server.peer(publicKey, 'remove');
      await picture.waitFor({ state: 'detached' });

      await page.getByRole('button', { name: /^events/ }).click();
      await page.getByText(`peer ${publicKey} left`).waitFor();
    } finally {
      await browser.close();
      await web.stop();
    }
    await server.peer(peers.client2.publicKey, 'allowed-ips', ALLOWED.client2);
    await connect('client2');
  });

  it('refuses an allowed IP that would take over other traffic, by name, and serves the rest of that peer', async () => {
    await server.peer(peers.client2.publicKey, 'allowed-ips', `${ALLOWED.client2},0.0.0.0/0,192.0.2.0/24`);

    const { peers: known = [] } = await lab.sidecar.statusWhere(
      ({ peers: all = [] }) => all.some(({ refused = [] }) => refused.length === 2),
      'both are refused',
    );

    const refused = known.flatMap(({ refused: some = [] }) =>
      some.map(({ network, reason }) => `${network}: ${reason}`),
    );
    assert.deepEqual(refused.toSorted(), ['0.0.0.0/0: a default route', '192.0.2.0/24: it is on the link lan0']);
    assertFound(
      await runDoctor(lab.topology.endpoint, { flags: ['--control-socket', lab.sidecar.controlSocket] }),
      'sources',
      'warn',
      /a default route/,
    );
    await assertExchange('tcp', lab.party('hostB', 'v6'), lab.party('client2', 'v6'));
    await server.peer(peers.client2.publicKey, 'allowed-ips', ALLOWED.client2);
    await lab.sidecar.statusWhere(
      ({ peers: all = [] }) => all.every(({ refused: none = [] }) => none.length === 0),
      'nothing is refused',
    );
  });

  it('does not serve a peer that is removed, while the other goes on', async () => {
    await server.peer(peers.client2.publicKey, 'remove');

    await lab.sidecar.statusWhere(({ peers: known = [] }) => known.length === 1, 'one peer');
    assert.equal((await lab.sidecar.event('peer.gone')).fields['peer'], peers.client2.publicKey);
    assert.equal((await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'))).received, 3);
    assert.match(
      await trace(ADDRESS.hostB.v4, TUNNEL.client2.v4, '--proto', 'icmp'),
      /no client has 10\.8\.0\.12 now/,
    );
  });

  it('waits for an interface that disappears, says so, and serves its peers when it is there again', async () => {
    await server.stop();
    const { ready, problems } = await lab.sidecar.statusWhere(
      ({ peers: known = [], sources = [] }) =>
        known.length === 0 && sources[0]?.state === 'waiting' && sources[0].networks.length === 0,
      'nobody is connected',
    );
    assert.equal(ready, false);
    assert.deepEqual(problems, [`wireguard ${DEVICE}: the device ${DEVICE} does not exist`]);

    await server.start();
    await server.peer(peers.client1.publicKey, 'allowed-ips', ALLOWED.client1);
    await connect('client1');

    await eventually(
      async () => (await ping(lab.party('hostB', 'v6'), lab.party('client1', 'v6'), { count: 1 })).received === 1,
      { what: 'traffic' },
    );
  });
});
