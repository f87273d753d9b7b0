/**
 * What every implementation of Iptables promises about chains, rules and jumps. Run on the fake and on each flavour of
 * the kernel.
 */
import assert from 'node:assert/strict';
import {
  BUILT_IN_CHAINS,
  isAlreadyExists,
  isNotFound,
  Transaction,
  type Iptables,
  type Ipset,
} from 'iptables-wrapper';
import {
  ACCEPT,
  addChains,
  COMMENTED,
  IN,
  MANGLE4,
  MANGLE6,
  MARK,
  OUT,
  refusal,
  REFUSALS,
  RETURN,
  rules,
  withoutCounters,
  type Harness,
} from './contract-fixture.js';

const FOREIGN = ['-i', 'eth9', '-j', 'ACCEPT'];
const PREROUTING = { ...MANGLE4, chain: 'PREROUTING' } as const;
const FIRST = { ...PREROUTING, target: 'VPN-in', at: 'first' } as const;
const LAST = { ...FIRST, at: 'last' } as const;

export function describeTables(harness: Harness): void {
  let iptables: Iptables;
  let ipset: Ipset;

  beforeEach(async () => {
    ({ iptables, ipset } = await harness.open());
  });

  afterEach(async () => {
    await iptables[Symbol.asyncDispose]();
    await ipset[Symbol.asyncDispose]();
  });

  it('lists an untouched table as its built-in chains, empty and accepting', async () => {
    const table = await iptables.list(MANGLE4);

    assert.deepEqual(
      withoutCounters(table),
      BUILT_IN_CHAINS.mangle.map((name) => ({ name, policy: 'ACCEPT', rules: [] })),
    );
  });

  it('makes chains with rules and a jump in one transaction, and lists them as they were given', async () => {
    await iptables.run(
      new Transaction()
        .create({ ...OUT, rules: [] })
        .create({ ...IN, rules: [MARK, COMMENTED, ['-g', 'VPN-out']] })
        .jump(FIRST).commands,
    );

    assert.deepEqual(await rules(iptables, 'VPN-in'), [MARK, COMMENTED, ['-g', 'VPN-out']]);
    assert.deepEqual(await rules(iptables, 'VPN-out'), []);
    assert.deepEqual(await rules(iptables, 'PREROUTING'), [['-j', 'VPN-in']]);
  });

  it('tells which tables it changed, and none when everything was so already', async () => {
    await addChains(iptables);

    const { changed } = await iptables.run([{ jump: FIRST }, { destroy: { ...MANGLE6, chain: 'VPN-in' } }]);

    assert.deepEqual(changed, []);
    assert.deepEqual((await iptables.run([{ replace: { ...IN, rules: [] } }])).changed, [MANGLE4]);
  });

  it('replaces the rules of one chain and leaves the others', async () => {
    await addChains(iptables);

    await iptables.run([{ replace: { ...IN, rules: [RETURN] } }]);

    assert.deepEqual(await rules(iptables, 'VPN-in'), [RETURN]);
    assert.deepEqual(await rules(iptables, 'VPN-out'), [MARK]);
    assert.deepEqual(await rules(iptables, 'PREROUTING'), [['-j', 'VPN-in']]);
  });

  it('appends at the end, inserts at the front, and removes the first rule with these words', async () => {
    await iptables.run([
      { create: { ...IN, rules: [ACCEPT] } },
      { append: { ...IN, rule: RETURN } },
      { insert: { ...IN, rule: RETURN } },
      { insert: { ...IN, rule: MARK } },
      { remove: { ...IN, rule: RETURN } },
    ]);

    assert.deepEqual(await rules(iptables, 'VPN-in'), [MARK, ACCEPT, RETURN]);
  });

  it('takes a rule without any word', async () => {
    await iptables.run([{ create: { ...IN, rules: [[], ACCEPT] } }]);

    assert.deepEqual(await rules(iptables, 'VPN-in'), [[], ACCEPT]);
  });

  it('keeps the families apart', async () => {
    await addChains(iptables);
    await iptables.run([{ create: { ...MANGLE6, chain: 'VPN-in', rules: [RETURN] } }]);

    await iptables.run([{ replace: { ...MANGLE6, chain: 'VPN-in', rules: [ACCEPT] } }]);

    assert.deepEqual(await rules(iptables, 'VPN-in', MANGLE6), [ACCEPT]);
    assert.deepEqual(await rules(iptables, 'VPN-in'), [['-j', 'VPN-out'], ACCEPT]);
  });

  describe('a jump', () => {
    beforeEach(async () => {
      await iptables.run([{ create: { ...IN, rules: [] } }]);
    });

    for (const [jump, before, after] of [
      [FIRST, [], [FOREIGN]],
      [LAST, [FOREIGN], []],
    ] as const) {
      it(`is the ${jump.at} rule of its chain, once, however often it is asked for`, async () => {
        harness.foreign(iptables, [{ append: { ...PREROUTING, rule: FOREIGN } }]);

        for (let time = 0; time < 3; time += 1) await iptables.run([{ jump }]);

        assert.deepEqual(await rules(iptables, 'PREROUTING'), [...before, ['-j', 'VPN-in'], ...after]);
      });
    }

    it('goes back to its place when another program has put a rule there', async () => {
      await iptables.run([{ jump: LAST }]);
      harness.foreign(iptables, [{ append: { ...PREROUTING, rule: FOREIGN } }]);

      await iptables.run([{ jump: LAST }]);

      assert.deepEqual(await rules(iptables, 'PREROUTING'), [FOREIGN, ['-j', 'VPN-in']]);
    });

    it('moves from the one end to the other', async () => {
      harness.foreign(iptables, [{ append: { ...PREROUTING, rule: FOREIGN } }]);
      await iptables.run([{ jump: FIRST }]);

      await iptables.run([{ jump: LAST }]);

      assert.deepEqual(await rules(iptables, 'PREROUTING'), [FOREIGN, ['-j', 'VPN-in']]);
    });

    it('takes the place of several that lead to the same chain, whatever they match', async () => {
      harness.foreign(
        iptables,
        [['-j', 'VPN-in'], FOREIGN, ['-p', 'udp', '-g', 'VPN-in'], ['-j', 'VPN-in']].map((rule) => ({
          append: { ...PREROUTING, rule },
        })),
      );

      await iptables.run([{ jump: { ...FIRST, match: ['-i', 'lan0'] } }]);

      assert.deepEqual(await rules(iptables, 'PREROUTING'), [['-i', 'lan0', '-j', 'VPN-in'], FOREIGN]);
    });

    it('can start in a chain that another program made', async () => {
      harness.foreign(iptables, [
        { create: { ...MANGLE4, chain: 'OTHER', rules: [] } },
        { append: { ...MANGLE4, chain: 'OTHER', rule: FOREIGN } },
      ]);

      await iptables.run([{ jump: { ...FIRST, chain: 'OTHER' } }]);

      assert.deepEqual(await rules(iptables, 'OTHER'), [['-j', 'VPN-in'], FOREIGN]);
    });

    it('is removed with all its likes, or is nothing to remove, and no other rule goes', async () => {
      harness.foreign(
        iptables,
        [['-j', 'VPN-in'], FOREIGN, ['-j', 'VPN-in']].map((rule) => ({ append: { ...PREROUTING, rule } })),
      );

      await iptables.run([
        { unjump: { ...PREROUTING, target: 'VPN-in' } },
        { unjump: { ...MANGLE4, chain: 'OUTPUT', target: 'VPN-in' } },
      ]);

      assert.deepEqual(await rules(iptables, 'PREROUTING'), [FOREIGN]);
    });
  });

  it('leaves nothing of ours behind a sweep, in any table and family, and everything of others', async () => {
    await addChains(iptables);
    await iptables.run([
      { create: { family: 6, table: 'filter', chain: 'VPN-six', rules: [['-j', 'DROP']] } },
      { jump: { family: 6, table: 'filter', chain: 'FORWARD', target: 'VPN-six', at: 'last' } },
    ]);
    harness.foreign(iptables, [
      { create: { ...MANGLE4, chain: 'OTHER', rules: [] } },
      { append: { ...MANGLE4, chain: 'OTHER', rule: ['-j', 'VPN-out'] } },
      { append: { ...MANGLE4, chain: 'OTHER', rule: FOREIGN } },
      { append: { family: 6, table: 'filter', chain: 'FORWARD', rule: FOREIGN } },
    ]);

    const removed = await iptables.sweep();

    assert.deepEqual(removed.toSorted(), ['IPv4 mangle VPN-in', 'IPv4 mangle VPN-out', 'IPv6 filter VPN-six']);
    assert.deepEqual(withoutCounters(await iptables.list(MANGLE4)), [
      ...BUILT_IN_CHAINS.mangle.map((name) => ({ name, policy: 'ACCEPT', rules: [] })),
      { name: 'OTHER', policy: null, rules: [FOREIGN] },
    ]);
    assert.deepEqual(await rules(iptables, 'FORWARD', { family: 6, table: 'filter' }), [FOREIGN]);
    assert.deepEqual(await iptables.sweep(), []);
  });

  for (const [fact, code, command] of REFUSALS) {
    it(`refuses ${fact} with ${code}, in run as in check`, async () => {
      await addChains(iptables);
      const before = withoutCounters(await iptables.list(MANGLE4));

      const checked = await refusal(iptables.check([command]));
      const run = await refusal(iptables.run([command]));

      assert.deepEqual([checked.code, run.code], [code, code], run.message);
      assert.deepEqual([checked.index, run.index], [0, 0]);
      assert.deepEqual(run.part, MANGLE4);
      assert.equal(isNotFound(run), code === 'ENOENT');
      assert.equal(isAlreadyExists(run), code === 'EEXIST');
      assert.deepEqual(withoutCounters(await iptables.list(MANGLE4)), before);
    });
  }

  it('changes nothing when the last of several commands is refused, and names that command', async () => {
    await addChains(iptables);
    const before = withoutCounters(await iptables.list(MANGLE4));

    const error = await refusal(
      iptables.run([
        { append: { ...IN, rule: RETURN } },
        { unjump: { ...PREROUTING, target: 'VPN-in' } },
        { delete: { ...MANGLE4, chain: 'VPN-absent' } },
      ]),
    );

    assert.equal(error.index, 2);
    assert.match(error.message, /^delete chain VPN-absent \(IPv4 mangle\): .* \(command 3 of 3\)$/u);
    assert.deepEqual(withoutCounters(await iptables.list(MANGLE4)), before);
  });

  it('changes neither family when the other is refused', async () => {
    const error = await refusal(
      iptables.run([{ create: { ...IN, rules: [] } }, { append: { ...MANGLE6, chain: 'VPN-absent', rule: ACCEPT } }]),
    );

    assert.deepEqual([error.code, error.part, error.applied], ['ENOENT', MANGLE6, []]);
    assert.equal(await rules(iptables, 'VPN-in'), undefined);
  });

  it('refuses a family that was not opened', async () => {
    const only = await harness.open([4]);

    const error = await refusal(only.iptables.run([{ create: { ...MANGLE6, chain: 'VPN-in', rules: [] } }]));

    assert.equal(error.code, 'EINVAL');
    assert.match(error.message, /IPv6 was not opened/u);
  });

  it('changes nothing in check', async () => {
    await addChains(iptables);
    const before = withoutCounters(await iptables.list(MANGLE4));

    await iptables.check([
      { replace: { ...IN, rules: [RETURN] } },
      { unjump: { ...PREROUTING, target: 'VPN-in' } },
      { delete: IN },
      { delete: OUT },
    ]);

    assert.deepEqual(withoutCounters(await iptables.list(MANGLE4)), before);
  });

  it('leaves a circle of chains alone that no packet comes into', async () => {
    await iptables.run([
      { create: { ...OUT, rules: [] } },
      { create: { ...IN, rules: [['-j', 'VPN-out']] } },
      { append: { ...OUT, rule: ['-j', 'VPN-in'] } },
    ]);

    const error = await refusal(iptables.run([{ jump: FIRST }]));

    assert.equal(error.code, 'ELOOP');
  });

  it('does not let a set go that a rule refers to', async () => {
    await ipset.run([{ create: { name: 'clients', type: 'hash:ip' } }]);
    await iptables.run([
      { create: { ...IN, rules: [['-m', 'set', '--match-set', 'clients', 'dst', '-j', 'RETURN']] } },
    ]);

    const error = await refusal(ipset.run([{ destroy: { name: 'clients' } }]));
    await iptables.sweep();
    await ipset.run([{ destroy: { name: 'clients' } }]);

    assert.equal(error.code, 'EBUSY');
  });
}
