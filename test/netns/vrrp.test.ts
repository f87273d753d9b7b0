import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { Answers } from '../lab/answers.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow } from '../lab/traffic.js';
import { VrrpPair } from '../lab/vrrp.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { describeFailover, failoverTimes } from './failover.js';
import { assertExchange } from './matrix.js';
import { patient } from '../lab/wait.js';

describe('a VRRP pair of routers (keepalived) whose master dies under live flows', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let lanPair: VrrpPair | undefined;
  let upstreamPair: VrrpPair | undefined;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    [lanPair, upstreamPair] = await Promise.all([
      VrrpPair.create(lab.topology, 'r1', lab.pki.directory),
      VrrpPair.create(lab.topology, 'u', lab.pki.directory),
    ]);
    await lab.startSidecar();
    await lab.connect('client1');
    await lab.introduceRouters();
  });
  after(async () => {
    await lanPair?.[Symbol.asyncDispose]();
    await upstreamPair?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  /** Runs a UDP and a TCP flow through a failover and returns what the cable saw. */
  async function failOverUnderFlows(
    pair: VrrpPair,
    what: string,
    oldMac: string,
    isOwn: (frame: Frame) => boolean,
  ): Promise<void> {
    await using capture = await lab.capture();
    await using udp = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { port: 7821 });
    await using tcp = await Flow.start('tcp', lab.party('hostA', 'v6'), lab.party('client1', 'v6'), { port: 7822 });
    // Nothing but the claim of an address tells where its router is; those that the dead one had beside it stay with
    // it.
    await using answers = await Answers.start(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), 7823);
    await udp.advance(20);

    await pair.failOver();
    await Promise.all([udp.advance(50, 20_000), tcp.advance(50, 20_000)]);
    await answers.arrive(50);
    const [udpSummary, tcpSummary] = [await udp.stop(), await tcp.stop()];

    const times = failoverTimes(await capture.frames(), isOwn, oldMac, pair.backupMac);
    console.log(`      ${describeFailover(what, times, udpSummary)}; TCP's longest gap ${tcpSummary.maxGapMs} ms`);
    assert.ok(times.oursMs < patient(1_000), `ours ${times.oursMs} ms`);
    assert.deepEqual({ lost: tcpSummary.lost, disordered: tcpSummary.disordered }, { lost: 0, disordered: 0 });
  }

  it('keeps both alive when it is the LAN router', async () => {
    assert.ok(lanPair);

    await failOverUnderFlows(
      lanPair,
      'VRRP pair r1, UDP',
      MAC.r1,
      (frame) => frame.ports?.source === 7821 || frame.ports?.destination === 7821,
    );

    await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
  });

  it('keeps both alive when it is the upstream router', async () => {
    assert.ok(upstreamPair);

    await failOverUnderFlows(
      upstreamPair,
      "VRRP pair u, OpenVPN's transport",
      MAC.u,
      (frame) =>
        frame.ports !== undefined &&
        (frame.ip?.source === ADDRESS.client1.v4 || frame.ip?.destination === ADDRESS.client1.v4),
    );

    await assertExchange('tcp', lab.party('client1', 'v6'), lab.party('hostA', 'v6'));
  });
});
