/** What every implementation of Iptables promises about calls: their order, their end, and other programs. */
import assert from 'node:assert/strict';
import type { Iptables, Ipset } from 'iptables-wrapper';
import { ACCEPT, IN, MANGLE4, refusal, RETURN, rules, type Harness } from './contract-fixture.js';

export function describeCalls(harness: Harness): void {
  let iptables: Iptables;
  let ipset: Ipset;

  beforeEach(async () => {
    ({ iptables, ipset } = await harness.open());
  });

  afterEach(async () => {
    await iptables[Symbol.asyncDispose]();
    await ipset[Symbol.asyncDispose]();
  });

  it('serves calls in the order in which they were made', async () => {
    const order: number[] = [];

    await Promise.all(
      Array.from({ length: 10 }, async (_, index) => {
        await iptables.run([index % 2 === 0 ? { create: { ...IN, rules: [] } } : { delete: IN }]);
        order.push(index);
      }),
    );

    assert.deepEqual(
      order,
      Array.from({ length: 10 }, (_, index) => index),
    );
  });

  it('withdraws a call whose signal is aborted while it waits, and serves the next one', async () => {
    const controller = new AbortController();
    await iptables.run([{ create: { ...IN, rules: [] } }]);

    const first = iptables.run([{ append: { ...IN, rule: ACCEPT } }]);
    const withdrawn = iptables.run([{ append: { ...IN, rule: ['-i', 'withdrawn', '-j', 'ACCEPT'] } }], {
      signal: controller.signal,
    });
    const last = iptables.run([{ append: { ...IN, rule: RETURN } }]);
    controller.abort(new Error('not wanted'));

    await assert.rejects(withdrawn, /not wanted/u);
    await Promise.all([first, last]);
    assert.deepEqual(await rules(iptables, 'VPN-in'), [ACCEPT, RETURN]);
  });

  it('refuses a call whose signal was aborted before', async () => {
    await assert.rejects(iptables.list(MANGLE4, { signal: AbortSignal.abort(new Error('too late')) }), /too late/u);
  });

  it('sees what another program has changed since', async () => {
    await iptables.run([{ create: { ...IN, rules: [] } }]);
    harness.foreign(iptables, [{ append: { ...IN, rule: ACCEPT } }]);

    await iptables.run([{ remove: { ...IN, rule: ACCEPT } }]);

    assert.deepEqual(await rules(iptables, 'VPN-in'), []);
  });

  it('finishes accepted calls when it is disposed, then refuses with UNAVAILABLE, and can be disposed twice', async () => {
    const accepted = iptables.run([{ create: { ...IN, rules: [] } }]);

    await iptables[Symbol.asyncDispose]();
    await iptables[Symbol.asyncDispose]();

    await accepted;
    assert.equal((await refusal(iptables.run([]))).code, 'UNAVAILABLE');
    assert.equal((await refusal(iptables.list(MANGLE4))).code, 'UNAVAILABLE');
  });
}
