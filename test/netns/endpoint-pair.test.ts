/** A pair of endpoints under VRRP (keepalived), of which the master loses its power under live flows. */
import assert from 'node:assert/strict';

import { EndpointPair, type MemberName } from '../lab/endpoint-pair.js';
import type { OpenVpnClient } from '../lab/openvpn.js';
import { IS_EXHAUSTIVE } from '../lab/sample.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow, type FlowSummary } from '../lab/traffic.js';
import { FAMILIES } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange } from './matrix.js';

const ROUNDS = IS_EXHAUSTIVE ? 10 : 2;
/** Who has a TCP connection in the test. */
const ANSWERED = [
  ['hostA', 'v4'],
  ['hostA', 'v6'],
  ['hostB', 'v6'],
] as const;
const ROUTER_OF = { hostA: MAC.r1, hostB: MAC.r2 } as const;

describe('a pair of endpoints (keepalived) whose master loses its power', function () {
  this.timeout(patient(60_000));
  let pair: EndpointPair;
  let client: OpenVpnClient;
  let master: MemberName = 'a';
  const backup = (): MemberName => (master === 'a' ? 'b' : 'a');

  before(async () => {
    pair = await EndpointPair.create();
    client = await pair.connect(master);
  });
  after(async () => {
    await client?.[Symbol.asyncDispose]();
    await pair?.[Symbol.asyncDispose]();
  });

  it('has a backup that is ready, and sends nothing of the VPN while the master works', async () => {
    await using cable = await pair.capture(backup(), `ether src ${EndpointPair.macOf(backup())} and (udp or tcp)`);

    for (const family of FAMILIES)
      await assertExchange('tcp', pair.party('hostA', family), pair.party('site', family));

    assert.deepEqual(await cable.frames(), []);
    const { ready, clients, problems } = await pair.member(backup()).sidecar.status();
    assert.deepEqual([ready, clients, problems], [true, [], []]);
  });

  it(`goes on at the other one, ${ROUNDS} times, with the TCP connections that there were`, async function () {
    this.timeout(patient(60_000) * ROUNDS);
    const flows = [
      await Flow.start('tcp', pair.party('hostA', 'v4'), pair.party('site', 'v4'), { port: 7831 }),
      await Flow.start('tcp', pair.party('hostB', 'v6'), pair.party('client1', 'v6'), { port: 7832 }),
      await Flow.start('tcp', pair.party('site', 'v6'), pair.party('hostA', 'v6'), { port: 7833 }),
      await Flow.start('udp', pair.party('hostA', 'v4'), pair.party('client1', 'v4'), { port: 7834 }),
    ];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const from = client.process.lines.length;
      const begin = performance.now();
      await pair.powerOff(master);
      master = backup();
      await pair.isMaster(master);
      const switchedMs = performance.now() - begin;
      await client.connected({ from, timeoutMs: 60_000 });
      await pair.serves(master);
      const connectedMs = performance.now() - begin;
      await Promise.all(flows.map((flow) => flow.advance(1, 60_000)));
      const flowingMs = performance.now() - begin;

      // What a client sends before a frame of the flow came from a router goes to the uplink.
      await using cable = await pair.capture(master, 'tcp');
      await Promise.all(flows.map((flow) => flow.advance(50)));

      const answers = (await cable.frames()).filter(({ sourceMac }) => sourceMac === EndpointPair.macOf(master));
      for (const [host, family] of ANSWERED)
        assert.deepEqual(
          [
            ...new Set(
              answers
                .filter(({ ip }) => ip?.destination === ADDRESS[host][family])
                .map(({ destinationMac }) => destinationMac),
            ),
          ],
          [ROUTER_OF[host]],
        );
      console.log(
        `      round ${round}: master after ${ms(switchedMs)}, client served after ${ms(connectedMs)}, every flow goes on after ${ms(flowingMs)}`,
      );
      await pair.powerOn(backup());
    }
    const sums = [];
    for (const flow of flows) sums.push(await flow.stop());
    for (const [index, { lost, sent, maxGapMs }] of sums.entries())
      console.log(`      flow ${index + 1}: ${lost} of ${sent} records lost, longest gap ${ms(maxGapMs)}`);

    const tcp: readonly FlowSummary[] = sums.slice(0, 3);
    assert.deepEqual(
      tcp.map(({ lost, disordered }) => ({ lost, disordered })),
      tcp.map(() => ({ lost: 0, disordered: 0 })),
    );
    for (const family of FAMILIES)
      await assertExchange('tcp', pair.party('client1', family), pair.party('hostB', family));
  });
});

function ms(duration: number): string {
  return `${Math.round(duration)} ms`;
}
