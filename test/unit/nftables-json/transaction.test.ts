import assert from 'node:assert/strict';
import { Transaction } from 'nftables-json';

const IN = { family: 'inet', table: 't' } as const;

describe('a transaction', () => {
  it('is the list of its commands in the order of the calls, in the words of the man page', () => {
    const transaction = new Transaction()
      .add({ table: { family: 'inet', name: 't' } })
      .create({ chain: { ...IN, name: 'c' } })
      .insert({ rule: { ...IN, chain: 'c', expr: [{ accept: null }] } })
      .replace({ rule: { ...IN, chain: 'c', handle: 4, expr: [{ drop: null }] } })
      .delete({ rule: { ...IN, chain: 'c', handle: 4 } })
      .destroy({ chain: { ...IN, name: 'c' } })
      .flush({ ruleset: null })
      .reset({ counter: { ...IN, name: 'n' } });

    assert.deepEqual(transaction.commands, [
      { add: { table: { family: 'inet', name: 't' } } },
      { create: { chain: { ...IN, name: 'c' } } },
      { insert: { rule: { ...IN, chain: 'c', expr: [{ accept: null }] } } },
      { replace: { rule: { ...IN, chain: 'c', handle: 4, expr: [{ drop: null }] } } },
      { delete: { rule: { ...IN, chain: 'c', handle: 4 } } },
      { destroy: { chain: { ...IN, name: 'c' } } },
      { flush: { ruleset: null } },
      { reset: { counter: { ...IN, name: 'n' } } },
    ]);
  });
});
