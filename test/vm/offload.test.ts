/**
 * `offload: on`: answers from the tunnel pass a flowtable, and go where their flow's gateway is, whatever changes
 * meanwhile. In a guest, whose kernel has flowtables.
 */
import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC, NETWORK } from '../lab/topology.js';
import { EchoServer, Flow } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertSentVia, sentTo } from '../netns/matrix.js';

let port = 7900;
const onPort =
  (wanted: number) =>
  (frame: Frame): boolean =>
    frame.ports?.source === wanted || frame.ports?.destination === wanted;

/** Resolves when the kernel has the flow of this port in a flowtable. */
async function isTaken(lab: VpnLab, flowPort: number): Promise<void> {
  await eventually(async () => (await lab.conntrack('OFFLOAD', `port=${flowPort} `)).length > 0, {
    what: `the flowtable has the flow of port ${flowPort}`,
  });
}

/** A flow from hostA to client1 that is offloaded. */
async function offloadedFlow(
  lab: VpnLab,
  protocol: 'udp' | 'tcp',
  family: 'v4' | 'v6',
): Promise<{ readonly flow: Flow; readonly port: number } & AsyncDisposable> {
  port += 1;
  const used = port;
  const flow = await Flow.start(protocol, lab.party('hostA', family), lab.party('client1', family), { port: used });
  await isTaken(lab, used);
  return { flow, port: used, [Symbol.asyncDispose]: () => flow[Symbol.asyncDispose]() };
}

/** Resolves when the endpoint has renewed the flowtable since. */
async function renewedSince(lab: VpnLab, renewals: number): Promise<void> {
  await lab.sidecar.statusWhere(({ offload }) => (offload?.renewals ?? 0) > renewals, 'the flowtable was renewed');
}

async function renewalsOf(lab: VpnLab): Promise<number> {
  return (await lab.sidecar.status()).offload?.renewals ?? 0;
}

/** Resolves when answers of the flow go to this MAC. */
async function goesTo(lab: VpnLab, flowPort: number, family: 'v4' | 'v6', mac: string): Promise<void> {
  await eventually(
    async () => {
      await using capture = await lab.capture();
      await new Promise<void>((resolve) => setImmediate(resolve));
      const frames = async (): Promise<readonly Frame[]> =>
        sentTo((await capture.frames()).filter(onPort(flowPort)), ADDRESS.hostA[family]);
      await eventually(async () => (await frames()).length > 0, { what: 'an answer' });
      return (await frames()).every(({ destinationMac }) => destinationMac === mac);
    },
    { what: `answers go to ${mac}` },
  );
}

for (const transport of ['udp4', 'tcp6'] as const) {
  describe(`offload: on, OpenVPN over ${transport}`, function () {
    this.timeout(patient(60_000));
    let lab: VpnLab;
    before(async () => {
      lab = await VpnLab.working({ transport, flags: ['--offload', 'on'] }, 'client1');
    });
    after(async () => await lab?.[Symbol.asyncDispose]());

    for (const family of FAMILIES) {
      for (const protocol of ['udp', 'tcp'] as const) {
        it(`sends answers of a ${protocol} flow over IP${family} to its router, past FORWARD`, async () => {
          await using taken = await offloadedFlow(lab, protocol, family);
          await using capture = await lab.capture();

          await taken.flow.advance(20);

          assertSentVia((await capture.frames()).filter(onPort(taken.port)), ADDRESS.hostA[family], MAC.r1);
          const flows = await runGwmark(lab.topology.endpoint, [
            'flows',
            '--json',
            '--control-socket',
            lab.sidecar.controlSocket,
          ]);
          assert.match(
            flows.stdout.split('\n').find((line) => line.includes(`:${taken.port},`)) ?? '',
            /"isOffloaded":true/,
            flows.stdout,
          );
          assert.equal((await taken.flow.stop()).lost, 0);
        });
      }
    }
  });
}

describe('offload: on, while things change', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.r1.sysctl('net.ipv4.conf.lan0.arp_notify=1', 'net.ipv6.conf.lan0.ndisc_notify=1');
    await lab.startSidecar('--offload', 'on');
    await lab.introduceRouters();
    await lab.connect('client1');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  it('translates: an offloaded flow by DNAT and masquerading is answered by its router', async () => {
    const { endpoint } = lab.topology;
    await endpoint.run(['nft', '-f', '-'], {
      input: `table ip translate {
  chain pre { type nat hook prerouting priority -100; ip daddr ${ADDRESS.endpoint.v4} udp dport 8053 dnat to ${TUNNEL.client1.v4}:8054; }
  chain post { type nat hook postrouting priority 100; oifname "tun0" udp dport 8054 masquerade; }
}
`,
    });
    await using echo = await EchoServer.start('udp', lab.party('client1', 'v4'), 8054);
    assert.equal(echo.port, 8054);
    await using flow = await Flow.toPort('udp', lab.party('hostA', 'v4'), ADDRESS.endpoint.v4, 8053);
    await flow.advance(20);
    await using capture = await lab.capture();

    await flow.advance(20);

    assertSentVia((await capture.frames()).filter(onPort(8053)), ADDRESS.hostA.v4, MAC.r1);
    await endpoint.run(['nft', 'delete', 'table', 'ip', 'translate']);
  });

  for (const family of FAMILIES) {
    it(`a rule that another program adds sees the packets of an offloaded flow over IP${family}`, async () => {
      await using taken = await offloadedFlow(lab, 'udp', family);
      const { endpoint } = lab.topology;

      await endpoint.run(['nft', '-f', '-'], {
        input: `table inet later {
  chain forward { type filter hook forward priority 0; iifname "tun0" udp sport ${taken.port} counter drop; }
}
`,
      });

      await eventually(
        async () => /packets [1-9]/.test(await endpoint.run(['nft', 'list', 'table', 'inet', 'later'])),
        { what: 'the rule drops answers' },
      );
      await endpoint.run(['nft', 'delete', 'table', 'inet', 'later']);
      await isTaken(lab, taken.port);
    });

    it(`a flow over IP${family} that comes through another router is answered through that one`, async () => {
      await using taken = await offloadedFlow(lab, 'udp', family);
      const { r1 } = lab.topology;
      const [ip, via] = family === 'v4' ? [['-4'], ADDRESS.r2.v4] : [['-6'], ADDRESS.r2.v6];

      await r1.run(['ip', ...ip, 'route', 'replace', NETWORK.vpn[family], 'via', via]);
      await goesTo(lab, taken.port, family, MAC.r2);

      await r1.run(['ip', ...ip, 'route', 'replace', NETWORK.vpn[family], 'via', ADDRESS.endpoint[family]]);
      await goesTo(lab, taken.port, family, MAC.r1);
    });

    it(`a router that gets another MAC address has the answers of an offloaded flow over IP${family}`, async () => {
      const other = '02:00:00:00:01:09';
      await using taken = await offloadedFlow(lab, 'tcp', family);

      await lab.topology.changeMac('r1', other);
      await goesTo(lab, taken.port, family, other);
      await lab.topology.changeMac('r1', MAC.r1);
      await goesTo(lab, taken.port, family, MAC.r1);
    });
  }

  it("renews when a link's MTU changes", async () => {
    const renewals = await renewalsOf(lab);
    await lab.topology.endpoint.run(['ip', 'link', 'set', 'lan0', 'mtu', '1450']);
    await renewedSince(lab, renewals);
    await lab.topology.endpoint.run(['ip', 'link', 'set', 'lan0', 'mtu', '1500']);
  });

  it('gives up every flow of a client that was kicked, and their conntrack entries can be deleted', async () => {
    await using taken = await offloadedFlow(lab, 'udp', 'v4');
    // The command may wait less than the emulated machine takes; the sidecar does it anyway.
    const kick = async (...words: readonly string[]): Promise<number | null> =>
      (
        await runGwmark(lab.topology.endpoint, [
          'kick',
          'client1',
          ...words,
          '--control-socket',
          lab.sidecar.controlSocket,
        ])
      ).code;

    await kick('--hold', '1h');

    await lab.sidecar.event('client.kicked', { timeoutMs: patient(10_000) });
    await eventually(async () => (await lab.conntrack('OFFLOAD', `port=${taken.port} `)).length === 0, {
      what: 'the flow is not offloaded',
    });
    assert.deepEqual(
      lab.sidecar.log.filter(({ event }) => event === 'conntrack.unavailable'),
      [],
    );
    await lab.client('client1').stop();
    await eventually(async () => (await kick('--release')) === 0, { what: 'the release' });
    await lab.connect('client1');
  });

  it('goes on while no sidecar runs, and with the next one', async () => {
    await using taken = await offloadedFlow(lab, 'tcp', 'v4');
    await lab.sidecar.killHard();
    await taken.flow.advance(20);
    await isTaken(lab, taken.port);

    await lab.sidecar.restart();
    await taken.flow.advance(20);

    await isTaken(lab, taken.port);
    await goesTo(lab, taken.port, 'v4', MAC.r1);
  });

  it('offloads again when OpenVPN was restarted and its tunnel is another device', async () => {
    await lab.server.stop();
    await lab.deviceIs('tun0', false);
    await lab.server.start();
    await lab.known('client1');
    await using taken = await offloadedFlow(lab, 'udp', 'v4');
    await goesTo(lab, taken.port, 'v4', MAC.r1);
  });

  it('gwmark down ends it', async () => {
    await using taken = await offloadedFlow(lab, 'udp', 'v4');
    await lab.sidecar.stop();
    await isTaken(lab, taken.port);

    await lab.sidecar.down();

    await eventually(async () => (await lab.conntrack('OFFLOAD')).length === 0, { what: 'no flow is offloaded' });
    assert.doesNotMatch(await lab.topology.endpoint.run(['nft', 'list', 'ruleset']), /flowtable/);
  });
});

describe('offload: auto', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4', flags: ['--offload', 'auto'] }, 'client1');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  it('offloads while no other program has rules, and not beside one in FORWARD, which status names', async () => {
    const { endpoint } = lab.topology;
    await using taken = await offloadedFlow(lab, 'udp', 'v4');

    await endpoint.run(['nft', '-f', '-'], {
      input: 'table inet other { chain forward { type filter hook forward priority 0; counter; }; }\n',
    });
    const { offload } = await lab.sidecar.statusWhere((status) => status.offload?.isOn === false, 'it is off');
    assert.match(offload?.reason ?? '', /nftables chain inet other forward/);
    await eventually(async () => (await lab.conntrack('OFFLOAD')).length === 0, { what: 'no flow is offloaded' });

    await endpoint.run(['nft', 'delete', 'table', 'inet', 'other']);
    await isTaken(lab, taken.port);
  });
});
