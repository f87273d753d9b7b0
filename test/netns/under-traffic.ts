import assert from 'node:assert/strict';

import { Flow, type FlowSummary } from '../lab/traffic.js';
import type { VpnLab } from '../lab/vpn-lab.js';

/** Flows of each protocol, family and direction. */
export type Summaries = Readonly<Record<'udp' | 'tcp' | 'out', FlowSummary>>;

/**
 * Three flows, one of them opened by a client, while `action` happens; the records lost and the gaps are the result.
 */
export async function underTraffic(lab: VpnLab, action: () => Promise<void>): Promise<Summaries> {
  await using udp = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), {
    port: 7801,
    intervalMs: 20,
  });
  await using tcp = await Flow.start('tcp', lab.party('hostB', 'v6'), lab.party('client2', 'v6'), {
    port: 7802,
    intervalMs: 20,
  });
  await using out = await Flow.start('udp', lab.party('client2', 'v4'), lab.party('hostB', 'v4'), {
    port: 7803,
    intervalMs: 20,
  });
  await udp.advance(40);
  await action();
  await Promise.all([udp, tcp, out].map((flow) => flow.advance(40)));
  return { udp: await udp.stop(), tcp: await tcp.stop(), out: await out.stop() };
}

/**
 * Fails when a flow lost a record. Not their order: a veth hands a packet to the processor of its sender, and two
 * processors run at their own pace.
 */
export function assertNothingLost(summaries: Summaries): void {
  for (const [name, { lost }] of Object.entries(summaries))
    assert.equal(lost, 0, `${name}: ${JSON.stringify(summaries)}`);
}
