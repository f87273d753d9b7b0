/**
 * What every implementation of Nftables promises about objects. Run on the fake, on libnftables and on the spawned
 * nft.
 */
import assert from 'node:assert/strict';
import { isAlreadyExists, isNotFound, Transaction, type Command, type Nftables } from 'nftables-json';
import {
  addClients,
  addReferences,
  addRule,
  CLIENTS,
  elements,
  FAMILY,
  handleOf,
  IN,
  matchSource,
  refusal,
  REFUSALS,
  rulesOf,
  sortedRuleset,
  TABLE,
  withoutHandle,
} from './contract-fixture.js';
import { describeListings } from './contract-listings.js';

export function describeObjects(open: () => Promise<Nftables>): void {
  let nftables: Nftables;

  beforeEach(async () => {
    nftables = await open();
    await nftables.run([{ flush: { ruleset: null } }]);
  });

  afterEach(async () => {
    await nftables.run([{ flush: { ruleset: null } }]).catch(() => undefined);
    await nftables[Symbol.asyncDispose]();
  });

  describeListings(() => nftables);

  it('adds a table, a set, chains and rules in one transaction and lists them with handles', async () => {
    await nftables.run(
      new Transaction()
        .add({ table: TABLE })
        .add({ set: CLIENTS })
        .add({ chain: { ...IN, name: 'input', type: 'filter', hook: 'input', prio: 5 } })
        .add({ chain: { ...IN, name: 'known' } })
        .add({
          rule: {
            ...IN,
            chain: 'input',
            comment: 'ours',
            expr: [matchSource('@clients'), { goto: { target: 'known' } }],
          },
        }).commands,
    );

    const objects = await nftables.list({ table: TABLE });

    assert.ok(objects.every((object) => handleOf(object) > 0));
    assert.deepEqual(objects.map(withoutHandle), [
      { table: TABLE },
      { set: CLIENTS },
      { chain: { ...IN, name: 'input', type: 'filter', hook: 'input', prio: 5, policy: 'accept' } },
      { chain: { ...IN, name: 'known' } },
      {
        rule: {
          ...IN,
          chain: 'input',
          comment: 'ours',
          expr: [matchSource('@clients'), { goto: { target: 'known' } }],
        },
      },
    ]);
  });

  it('changes nothing when the last of several commands is refused, and names that command', async () => {
    await addClients(nftables);
    const before = await sortedRuleset(nftables);

    const error = await refusal(
      nftables.run(
        new Transaction()
          .add({ chain: { ...IN, name: 'new' } })
          .add({ element: { ...IN, name: 'clients', elem: ['192.0.2.9'] } })
          .delete({ chain: { ...IN, name: 'absent' } }).commands,
      ),
    );

    assert.equal(error.code, 'ENOENT');
    assert.equal(error.index, 2);
    assert.deepEqual(error.command, { delete: { chain: { ...IN, name: 'absent' } } });
    assert.match(error.message, /delete chain inet contract absent.*command 3 of 3/u);
    assert.deepEqual(await sortedRuleset(nftables), before);
  });

  it('names the first command that fails when a later one fails too', async () => {
    await addClients(nftables);

    const error = await refusal(
      nftables.run([
        { create: { table: TABLE } },
        { delete: { set: { ...IN, name: 'absent' } } },
        { add: { chain: { ...IN, name: 'x' } } },
      ]),
    );

    assert.equal(error.code, 'EEXIST');
    assert.equal(error.index, 0);
  });

  it('names the element that is missing among several that are deleted', async () => {
    await addClients(nftables);

    const error = await refusal(
      nftables.run([
        {
          delete: { element: { ...IN, name: 'clients', elem: ['192.0.2.1', '192.0.2.2', '192.0.2.99', '192.0.2.3'] } },
        },
      ]),
    );

    assert.equal(error.code, 'ENOENT');
    assert.equal(error.element, 2);
    assert.ok(isNotFound(error));
    assert.deepEqual(await elements(nftables, 'clients'), ['"192.0.2.1"', '"192.0.2.2"', '"192.0.2.3"']);
  });

  for (const [fact, code, command] of REFUSALS) {
    it(`refuses ${fact} with ${code}, in run as in check`, async () => {
      await addReferences(nftables);
      const before = await sortedRuleset(nftables);

      const checked = await refusal(nftables.check([command]));
      const run = await refusal(nftables.run([command]));

      assert.deepEqual([checked.code, run.code], [code, code], run.message);
      assert.deepEqual([checked.index, run.index], [0, 0]);
      assert.equal(isNotFound(run), code === 'ENOENT');
      assert.equal(isAlreadyExists(run), code === 'EEXIST');
      assert.deepEqual(await sortedRuleset(nftables), before);
    });
  }

  it('refuses an object of unknown kind with SYNTAX and its index', async () => {
    // A caller without types.
    const nonsense = { add: { nonsense: { family: FAMILY } } } as unknown as Command;

    const error = await refusal(nftables.run([{ add: { table: TABLE } }, nonsense]));

    assert.equal(error.code, 'SYNTAX');
    assert.equal(error.index, 1);
    assert.deepEqual(await nftables.list({ tables: null }), []);
  });

  it('checks a transaction without applying it', async () => {
    await nftables.check([{ add: { table: TABLE } }, { add: { chain: { ...IN, name: 'x' } } }]);

    assert.deepEqual(await nftables.list({ ruleset: null }), []);
  });

  it('adds again what exists without an error and without a change', async () => {
    await addReferences(nftables);
    const before = await sortedRuleset(nftables);

    await nftables.run(
      new Transaction()
        .add({ table: TABLE })
        .add({ set: CLIENTS })
        .add({ chain: { ...IN, name: 'input', type: 'filter', hook: 'input', prio: 5 } })
        .add({ chain: { ...IN, name: 'input' } })
        .add({ element: { ...IN, name: 'clients', elem: ['192.0.2.1'] } })
        .add({ element: { ...IN, name: 'policy', elem: [['192.0.2.1', { goto: { target: 'policed' } }]] } }).commands,
    );

    assert.deepEqual(await sortedRuleset(nftables), before);
  });

  it('destroys what is there and what is not', async () => {
    await addReferences(nftables);

    for (let round = 0; round < 2; round++) {
      await nftables.run(
        new Transaction()
          .destroy({ element: { ...IN, name: 'clients', elem: ['192.0.2.1'] } })
          .destroy({ set: { ...CLIENTS, name: 'lonely', elem: ['192.0.2.1'] } })
          .destroy({ chain: { ...IN, name: 'lonely', type: 'filter', hook: 'output', prio: 3 } })
          .destroy({ table: { family: 'ip', name: 'contract-other' } }).commands,
      );
    }

    assert.deepEqual(await elements(nftables, 'clients'), ['"192.0.2.2"', '"192.0.2.3"']);
    assert.deepEqual((await nftables.list({ tables: null })).map(withoutHandle), [{ table: TABLE }]);
  });

  it('deletes a chain together with its own rules, and a rule and its target in one transaction', async () => {
    await addReferences(nftables);
    const [rule] = await rulesOf(nftables, 'input');

    await nftables.run([
      { delete: { rule: { ...IN, chain: 'input', handle: rule?.handle ?? 0 } } },
      { delete: { chain: { ...IN, name: 'used' } } },
    ]);

    const chains = await nftables.list({ chains: { family: FAMILY } });
    assert.deepEqual(
      chains.map((object) => ('chain' in object ? object.chain.name : '')),
      ['input', 'policed'],
    );
  });

  it('keeps rules in the order of add, insert, replace and index', async () => {
    await nftables.run([
      { add: { table: TABLE } },
      { add: { chain: { ...IN, name: 'x' } } },
      addRule('b'),
      addRule('d'),
    ]);
    const [, last] = await rulesOf(nftables, 'x');

    await nftables.run([
      { insert: { rule: { ...IN, chain: 'x', comment: 'a', expr: [{ accept: null }] } } },
      { insert: { rule: { ...IN, chain: 'x', comment: 'c', handle: last?.handle ?? 0, expr: [{ accept: null }] } } },
      { replace: { rule: { ...IN, chain: 'x', comment: 'D', handle: last?.handle ?? 0, expr: [{ drop: null }] } } },
      { add: { rule: { ...IN, chain: 'x', comment: 'a2', index: 0, expr: [{ accept: null }] } } },
    ]);

    assert.deepEqual(
      (await rulesOf(nftables, 'x')).map((rule) => rule.comment),
      ['a', 'a2', 'b', 'c', 'D'],
    );
  });

  it('flushes a set, a map, a chain and a table of rules, and keeps the rest', async () => {
    await addReferences(nftables);

    await nftables.run([
      { flush: { set: { ...IN, name: 'clients' } } },
      { flush: { map: { ...IN, name: 'policy' } } },
    ]);
    assert.deepEqual([await elements(nftables, 'clients'), await elements(nftables, 'policy', 'map')], [[], []]);
    await nftables.run([{ flush: { chain: { ...IN, name: 'used' } } }]);
    assert.equal((await rulesOf(nftables, 'input')).length > 0, true);
    await nftables.run([{ flush: { table: TABLE } }]);

    assert.deepEqual(await rulesOf(nftables, 'input'), []);
    await nftables.run([
      { delete: { chain: { ...IN, name: 'used' } } },
      { delete: { set: { ...IN, name: 'clients' } } },
    ]);
  });

  it('deletes objects by handle', async () => {
    await addReferences(nftables);
    const objects = await nftables.list({ table: TABLE });
    const small = objects.find((object) => 'set' in object && object.set.name === 'small');
    assert.ok(small);

    await nftables.run([{ delete: { set: { ...IN, handle: handleOf(small) } } }]);

    assert.ok(isNotFound(await refusal(nftables.list({ set: { ...IN, name: 'small' } }))));
  });

  it('resets a counter alone, and refuses a reset among other commands', async () => {
    await addReferences(nftables);
    await nftables.run([{ add: { counter: { ...IN, name: 'preset', packets: 7, bytes: 70 } } }]);
    const reset: Command = { reset: { counter: { ...IN, name: 'preset' } } };

    const error = await refusal(nftables.run([{ add: { chain: { ...IN, name: 'x' } } }, reset]));
    assert.deepEqual([error.code, error.index], ['EINVAL', 1]);
    await nftables.check([reset]);
    assert.equal(await packets('preset'), 7);
    await nftables.run([reset]);

    assert.equal(await packets('preset'), 0);
  });

  it('does nothing for an empty transaction and for empty lists of elements', async () => {
    await addClients(nftables);
    const before = await nftables.generation();

    await nftables.run([]);
    await nftables.run([
      { add: { element: { ...IN, name: 'clients', elem: [] } } },
      { delete: { element: { ...IN, name: 'clients', elem: [] } } },
    ]);

    assert.deepEqual(await elements(nftables, 'clients'), ['"192.0.2.1"', '"192.0.2.2"', '"192.0.2.3"']);
    assert.ok(before === undefined || before > 0);
  });

  it('adds elements with a set that exists already', async () => {
    await addClients(nftables);

    await nftables.run([{ add: { set: { ...CLIENTS, elem: ['192.0.2.3', '192.0.2.4'] } } }]);

    assert.deepEqual(await elements(nftables, 'clients'), [
      '"192.0.2.1"',
      '"192.0.2.2"',
      '"192.0.2.3"',
      '"192.0.2.4"',
    ]);
  });

  it('takes a set with the flags dynamic and timeout, and refuses dynamic alone with EOPNOTSUPP', async () => {
    const set = { ...IN, name: 'candidates', type: ['ifname', 'ether_addr'], size: 1024 } as const;
    await nftables.run([
      { add: { table: TABLE } },
      { add: { set: { ...set, flags: ['dynamic', 'timeout'], timeout: 60 } } },
    ]);

    const [listed] = await nftables.list({ set: { ...IN, name: 'candidates' } });
    const features = await nftables.features();

    assert.ok(listed && 'set' in listed && listed.set.timeout === 60);
    if (!features.jsonDynamicFlag) {
      assert.deepEqual(listed.set.flags, ['timeout']);
      const error = await refusal(nftables.run([{ add: { set: { ...set, name: 'other', flags: 'dynamic' } } }]));
      assert.deepEqual([error.code, error.index], ['EOPNOTSUPP', 0]);
    }
  });

  it('adds and deletes 20,000 elements in one transaction each', async () => {
    const addresses = Array.from(
      { length: 20_000 },
      (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    );
    await addClients(nftables);

    await nftables.run([{ add: { element: { ...IN, name: 'clients', elem: addresses } } }]);
    assert.equal((await elements(nftables, 'clients')).length, 20_003);
    await nftables.run([{ delete: { element: { ...IN, name: 'clients', elem: addresses } } }]);

    assert.equal((await elements(nftables, 'clients')).length, 3);
  });

  async function packets(name: string): Promise<number | undefined> {
    const [object] = await nftables.list({ counter: { ...IN, name } });
    return object && 'counter' in object ? object.counter.packets : undefined;
  }
}
