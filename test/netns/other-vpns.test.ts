/**
 * Tunnels of other programs. docs/guides/other-vpns.md, run unchanged with Debian's tinc; and what becomes of devices
 * that come, go and are renamed.
 */
import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { typeGuide } from '../lab/guide-run.js';
import { networkState } from '../lab/network-state.js';
import { runGwmark } from '../lab/sidecar.js';
import { SourceLab } from '../lab/source-lab.js';
import { TincNetwork } from '../lab/tinc.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange, assertNothingFarResolved, assertOpenedVia, assertSentVia, KINDS } from './matrix.js';

const GUIDE = 'docs/guides/other-vpns.md';
const ROUTER_OF = { hostA: MAC.r1, hostB: MAC.r2 } as const;

/** tinc on the endpoint and on client1, which has the site behind it. */
function tincOf(lab: SourceLab): Promise<TincNetwork> {
  return TincNetwork.create(lab.directory, [
    {
      namespace: lab.topology.endpoint,
      name: 'endpoint',
      device: 'tun5',
      addresses: { v4: `${TUNNEL.endpoint.v4}/24`, v6: `${TUNNEL.endpoint.v6}/64` },
      subnets: ['0.0.0.0/0', '::/0'],
      address: ADDRESS.endpoint.v4,
    },
    {
      namespace: lab.topology.client1,
      name: 'client1',
      device: 'tun5',
      addresses: { v4: `${TUNNEL.client1.v4}/24`, v6: `${TUNNEL.client1.v6}/64` },
      subnets: [TUNNEL.client1.v4, TUNNEL.client1.v6, '192.168.77.0/24', 'fd00:77::/64'],
    },
  ]);
}

/** Every host and family, both directions, all kinds, by captured frames. */
async function assertCarries(lab: SourceLab): Promise<void> {
  await using capture = await lab.capture();
  for (const family of FAMILIES) {
    for (const host of ['hostA', 'hostB'] as const) {
      for (const kind of KINDS) {
        for (const near of ['client1', 'site'] as const) {
          const start = await capture.mark();
          const isOwn = await assertExchange(kind, lab.party(host, family), lab.party(near, family));
          const frames = await capture.frames(start);
          assertSentVia(frames.filter(isOwn), ADDRESS[host][family], ROUTER_OF[host]);
          assertNothingFarResolved(frames);
        }
        const start = await capture.mark();
        const isOwn = await assertExchange(kind, lab.party('client1', family), lab.party(host, family));
        assertOpenedVia((await capture.frames(start)).filter(isOwn), ADDRESS[host][family], ROUTER_OF[host]);
      }
    }
  }
  const outer = (await capture.frames()).filter(({ ports }) => ports?.source === 655);
  assertSentVia(outer, ADDRESS.client1.v4, MAC.u);
}

describe('the guide to other VPNs', function () {
  this.timeout(patient(180_000));

  it('leads to a tunnel of tinc that hosts of both routers use, with every command unchanged, and undoes it', async () => {
    await using lab = await SourceLab.create();
    await using tinc = await tincOf(lab);
    await tinc.start('endpoint');
    await lab.topology.endpoint.run(['ip', 'link', 'show', 'tun5', 'up']);
    const pristine = await networkState(lab.topology.endpoint);

    const printed = await typeGuide({
      lab,
      file: GUIDE,
      before: {
        connected: async () => {
          await lab.introduceRouters();
          await tinc.start('client1');
          const far = ['198.51.100.0/24', '2001:db8:a::/64', '2001:db8:b::/64'];
          await lab.topology.client1.ip(...far.map((network) => `route add ${network} dev tun5`));
          await lab.sidecar.statusWhere(({ uplink }) => uplink !== null, 'the uplink is known', 30_000);
          await lab.sidecar.carries(MAC.u);
          await eventually(
            async () =>
              (await lab.topology.hostA.tryRun(['ping', '-n', '-c', '1', '-W', '1', TUNNEL.client1.v4])).code === 0,
            { what: 'tinc is connected', timeoutMs: 30_000 },
          );
          await assertCarries(lab);
        },
      },
    });

    assert.match(printed, /0 clients, 0 peers, \d+ gateways/);
    assert.match(printed, /tunnel +tun5 +ready +udp \[::\]:655, tcp \[::\]:655 +setting/);
    assert.match(printed, /^TUNNEL +NETWORKS\ntun5 +10\.8\.0\.0\/24 192\.168\.77\.0\/24 fd00:77::\/64 fd00:8::\/64$/m);
    assert.match(printed, /nothing is wrong/);
    assert.match(printed, /10\.8\.0\.11 is in 10\.8\.0\.0\/24, behind the tunnel tun5, over tun5/);
    assert.match(printed, new RegExp(`answers of this flow leave lan0 to ${MAC.r1} \\(gateway \\d+\\)`));
    assert.deepEqual(await networkState(lab.topology.endpoint), pristine, 'the way back leaves nothing');
  });
});

describe('the device of a tunnel', function () {
  this.timeout(patient(60_000));

  it('may come, go, be renamed, come down and have a link layer: each is said, and it is served again', async () => {
    await using lab = await SourceLab.create();
    const { endpoint } = lab.topology;
    const sidecar = await lab.launch('tunnels: tun5 192.168.77.0/24 192.0.2.64/26 udp/4789\n');
    const waiting = async (reason: string): Promise<void> => {
      const { problems, ready, sources, elements } = await sidecar.statusWhere(
        (status) => status.problems.some((problem) => problem.includes(reason)) && status.elements === 0,
        reason,
      );
      assert.deepEqual([problems, ready, elements], [[`tunnel tun5: the device tun5 ${reason}`], false, 0]);
      assert.deepEqual(
        sources?.map(({ state, networks }) => [state, networks]),
        [['waiting', []]],
      );
    };
    const served = async (): Promise<void> => {
      const { sources, elements } = await sidecar.statusWhere(
        (status) => status.ready && status.elements === 1,
        'it is served',
      );
      assert.deepEqual([sources?.[0]?.networks, elements], [['192.168.77.0/24'], 1]);
    };

    await waiting('does not exist');
    await endpoint.ip('tuntap add dev tun5 mode tun', 'link set tun5 up');
    await served();
    assert.deepEqual((await sidecar.status()).sources?.[0]?.refused, [
      { network: '192.0.2.64/26', reason: 'it is on the link lan0' },
    ]);
    const doctor = await runDoctor(endpoint, { flags: ['--control-socket', sidecar.controlSocket] });
    assertFound(doctor, 'sources', 'warn', /it is on the link lan0/);
    await endpoint.ip('link set tun5 down');
    await waiting('is down');
    await endpoint.ip('link set tun5 name tun6', 'link set tun6 up');
    await waiting('does not exist');
    await endpoint.ip('link set tun6 down', 'link set tun6 name tun5', 'link set tun5 up');
    await served();
    await endpoint.ip('link del tun5', 'tuntap add dev tun5 mode tap', 'link set tun5 up');
    await waiting('is an Ethernet device (tun): hosts behind it have their own MAC addresses, and ARP finds them');

    await endpoint.ip('link del tun5', 'tuntap add dev tun7 mode tun', 'link set tun7 up');
    await lab.configure('tunnels: tun7 192.168.77.0/24\n');
    sidecar.process.kill('SIGHUP');
    await served();
    assert.equal((await sidecar.status()).sources?.[0]?.name, 'tun7');
  });
});

describe('a network that two VPNs lead to', function () {
  this.timeout(patient(60_000));

  it('is named by log, status and doctor, and what only one of them has is served', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { endpoint } = lab.topology;
    await endpoint.ip('tuntap add dev tun7 mode tun', 'link set tun7 up');
    const sidecar = await lab.startSidecar('--tunnels', 'tun7 192.168.77.0/24 192.168.78.0/24');
    assert.deepEqual((await sidecar.status()).sources?.[0]?.shared, undefined);
    await lab.introduceRouters();
    await lab.connect('client1');

    const { sources } = await sidecar.statusWhere(
      (status) => (status.sources?.[0]?.shared?.length ?? 0) > 0,
      'the network is shared',
    );

    assert.deepEqual(sources?.[0]?.shared, [{ network: '192.168.77.0/24', devices: ['tun0'] }]);
    assert.equal((await sidecar.event('network.shared')).fields['network'], '192.168.77.0/24');
    const flags = ['--control-socket', sidecar.controlSocket];
    assertFound(await runDoctor(endpoint, { flags }), 'sources', 'warn', /behind tun0, too/);
    const { stdout } = await runGwmark(endpoint, ['status', ...flags]);
    assert.match(stdout, /1 client, 0 peers, 3 gateways/);
    assert.match(stdout, /! 192\.168\.77\.0\/24 is on tun7 and on tun0: one has to go/);
    await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
  });
});
