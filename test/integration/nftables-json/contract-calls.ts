/** What every implementation of Nftables promises about calls: their order, their end, and other programs. */
import assert from 'node:assert/strict';
import { isNotFound, type Command, type Nftables } from 'nftables-json';
import { addClients, CLIENTS, elements, IN, refusal, TABLE } from './contract-fixture.js';

/**
 * @param foreign changes the same ruleset as another program would
 */
export function describeCalls(
  open: () => Promise<Nftables>,
  foreign: (nftables: Nftables, commands: readonly Command[]) => Promise<void>,
): void {
  let nftables: Nftables;

  beforeEach(async () => {
    nftables = await open();
    await nftables.run([{ flush: { ruleset: null } }]);
  });

  afterEach(async () => {
    await nftables[Symbol.asyncDispose]();
  });

  it('serves calls in the order in which they were made', async () => {
    await addClients(nftables);
    const order: number[] = [];

    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const elem = ['192.0.2.200'];
        await nftables.run([
          index % 2 === 0
            ? { create: { element: { ...IN, name: 'clients', elem } } }
            : { delete: { element: { ...IN, name: 'clients', elem } } },
        ]);
        order.push(index);
      }),
    );

    assert.deepEqual(
      order,
      Array.from({ length: 20 }, (_, index) => index),
    );
  });

  it('withdraws a call whose signal is aborted while it waits, and serves the next one', async () => {
    await addClients(nftables);
    const controller = new AbortController();

    const first = nftables.run([{ add: { chain: { ...IN, name: 'first' } } }]);
    const withdrawn = nftables.run([{ add: { chain: { ...IN, name: 'withdrawn' } } }], { signal: controller.signal });
    const last = nftables.run([{ add: { chain: { ...IN, name: 'last' } } }]);
    controller.abort(new Error('not wanted'));

    await assert.rejects(withdrawn, /not wanted/u);
    await Promise.all([first, last]);
    const chains = await nftables.list({ chains: null });
    assert.deepEqual(
      chains.map((object) => ('chain' in object ? object.chain.name : '')),
      ['first', 'last'],
    );
  });

  it('sees what another program has changed since', async () => {
    await addClients(nftables);
    await nftables.run([{ add: { element: { ...IN, name: 'clients', elem: ['192.0.2.50'] } } }]);

    await foreign(nftables, [{ delete: { table: TABLE } }]);
    assert.ok(
      isNotFound(
        await refusal(nftables.run([{ add: { element: { ...IN, name: 'clients', elem: ['192.0.2.51'] } } }])),
      ),
    );
    await foreign(nftables, [{ add: { table: TABLE } }, { add: { set: { ...CLIENTS, type: 'ipv6_addr' } } }]);
    await nftables.run([{ add: { element: { ...IN, name: 'clients', elem: ['2001:db8::1'] } } }]);

    assert.deepEqual(await elements(nftables, 'clients'), ['"2001:db8::1"']);
  });

  it('says of a set and of a map whether they have elements, now', async () => {
    await nftables.run([
      { add: { table: TABLE } },
      { add: { set: CLIENTS } },
      { add: { set: { ...IN, name: 'seen', type: ['ifname', 'ether_addr'], flags: ['dynamic', 'timeout'] } } },
      { add: { map: { ...IN, name: 'policy', type: 'mark', map: 'verdict' } } },
    ]);
    const names = ['clients', 'seen', 'policy'];
    const filled = async (): Promise<readonly boolean[]> =>
      await Promise.all(names.map((name) => nftables.hasElements({ ...IN, name })));

    assert.deepEqual(await filled(), [false, false, false]);
    await foreign(nftables, [
      { add: { element: { ...IN, name: 'clients', elem: ['192.0.2.1'] } } },
      { add: { element: { ...IN, name: 'seen', elem: [{ concat: ['lan0', '02:00:00:00:00:01'] }] } } },
      { add: { element: { ...IN, name: 'policy', elem: [[7, { accept: null }]] } } },
    ]);
    assert.deepEqual(await filled(), [true, true, true]);
    await nftables.run([{ delete: { element: { ...IN, name: 'clients', elem: ['192.0.2.1'] } } }]);
    assert.deepEqual(await filled(), [false, true, true]);
  });

  it('rejects with ENOENT whether a set has elements that does not exist', async () => {
    await nftables.run([{ add: { table: TABLE } }]);

    assert.ok(isNotFound(await refusal(nftables.hasElements({ ...IN, name: 'absent' }))));
    assert.ok(isNotFound(await refusal(nftables.hasElements({ ...IN, table: 'absent', name: 'clients' }))));
  });

  it('raises the generation with each transaction of anyone, and leaves it without one', async () => {
    await addClients(nftables);
    const first = await nftables.generation();

    await nftables.list({ table: TABLE });
    const second = await nftables.generation();
    await foreign(nftables, [{ add: { chain: { ...IN, name: 'foreign' } } }]);
    const third = await nftables.generation();

    if (nftables.executor === 'process') {
      assert.deepEqual([first, second, third], [undefined, undefined, undefined]);
    } else {
      assert.deepEqual([second, third], [first, (first ?? 0) + 1]);
    }
  });

  it('finishes accepted calls when it is disposed, then refuses with UNAVAILABLE, and can be disposed twice', async () => {
    const accepted = nftables.run([{ add: { table: TABLE } }]);

    await nftables[Symbol.asyncDispose]();
    await nftables[Symbol.asyncDispose]();

    await accepted;
    assert.equal((await refusal(nftables.run([{ add: { table: TABLE } }]))).code, 'UNAVAILABLE');
    assert.equal((await refusal(nftables.list({ ruleset: null }))).code, 'UNAVAILABLE');
  });
}
