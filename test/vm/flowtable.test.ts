/**
 * Beside another program's flowtable that holds our devices: flows that it takes, gives back when they are idle, and
 * takes again. In a guest, whose kernel has flowtables.
 */
import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertSentVia, sentTo } from '../netns/matrix.js';

const FLOWTABLE = `table inet other {
  flowtable fast { hook ingress priority filter; devices = { lan0, tun0 }; }
  chain forward { type filter hook forward priority filter; policy accept; meta l4proto { tcp, udp } ct state established flow add @fast; }
}
`;
/** Seconds after which the flowtable gives an idle flow back; 30 by default. */
const IDLE_SECONDS = 1;

describe("another program's flowtable that holds our devices", function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.endpoint.sysctl(
      `net.netfilter.nf_flowtable_udp_timeout=${IDLE_SECONDS}`,
      `net.netfilter.nf_flowtable_tcp_timeout=${IDLE_SECONDS}`,
    );
    await lab.startSidecar();
    await lab.introduceRouters();
    await lab.connect('client1');
    await lab.topology.endpoint.run(['nft', '-f', '-'], { input: FLOWTABLE });
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  for (const family of FAMILIES) {
    for (const protocol of ['udp', 'tcp'] as const) {
      const port = 7850;
      const isOwn = (frame: Frame): boolean => frame.ports?.source === port || frame.ports?.destination === port;
      const isTaken = async (): Promise<boolean> => (await lab.conntrack('OFFLOAD', `port=${port} `)).length > 0;

      it(`takes a ${protocol} flow over IP${family}, and its answers go to its router`, async () => {
        await using flow = await Flow.start(protocol, lab.party('hostA', family), lab.party('client1', family), {
          port,
        });
        await eventually(isTaken, { what: 'the flowtable has the flow' });
        await using capture = await lab.capture();

        await flow.advance(20);

        assertSentVia((await capture.frames()).filter(isOwn), ADDRESS.hostA[family], MAC.r1);
      });

      it(`gives a ${protocol} flow over IP${family} back when it is idle, which goes on, each answer once and to its router`, async () => {
        // Each record finds the flow given back, and is followed by an answer that may make the flowtable take it
        // again.
        await using flow = await Flow.start(protocol, lab.party('hostA', family), lab.party('client1', family), {
          port: port + 1,
          intervalMs: IDLE_SECONDS * 4000,
        });
        await using capture = await lab.capture();

        const { sent } = await flow.advance(3, 60_000);

        const own = (await capture.frames()).filter(
          (frame) => frame.ports?.source === port + 1 || frame.ports?.destination === port + 1,
        );
        assertSentVia(own, ADDRESS.hostA[family], MAC.r1);
        // A loop shows as dozens.
        const answers = sentTo(own, ADDRESS.hostA[family]).filter(
          (frame) => frame.ip?.source === TUNNEL.client1[family],
        );
        assert.ok(answers.length <= (sent + 1) * 2, `${answers.length} frames for ${sent} records`);
      });
    }
  }

  it('takes a flow that a client opens, and sends it where its answers come from', async () => {
    await using flow = await Flow.start('udp', lab.party('client1', 'v4'), lab.party('hostA', 'v4'), { port: 7860 });
    await eventually(async () => (await lab.conntrack('OFFLOAD', 'port=7860 ')).length > 0, {
      what: 'the flowtable has the flow',
    });
    await using capture = await lab.capture();

    await flow.advance(20);

    assertSentVia(
      (await capture.frames()).filter((frame) => frame.ports?.destination === 7860),
      ADDRESS.hostA.v4,
      MAC.r1,
    );
  });
});
