import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { openNftables, type Command, type Nftables } from 'nftables-json';
import { refusal } from './contract-fixture.js';
import { requireOwnNamespace } from './namespace-guard.js';

const IN = { family: 'inet', table: 'fast' } as const;
const SKELETON: readonly Command[] = [
  { flush: { ruleset: null } },
  { add: { table: { family: 'inet', name: 'fast' } } },
  { add: { set: { ...IN, name: 'four', type: 'ipv4_addr' } } },
  { add: { set: { ...IN, name: 'six', type: 'ipv6_addr' } } },
  { add: { set: { ...IN, name: 'ranges', type: 'ipv4_addr', flags: ['interval'] } } },
  { add: { set: { ...IN, name: 'brief', type: 'ipv4_addr', flags: ['timeout'], timeout: 3600 } } },
  { add: { set: { ...IN, name: 'ports', type: 'inet_service' } } },
  { add: { set: { ...IN, name: 'small', type: 'ipv4_addr', size: 2 } } },
  { add: { map: { ...IN, name: 'marks', type: 'ipv4_addr', map: 'mark' } } },
];

type Kind = 'four' | 'six';
type Change = {
  readonly verb: 'add' | 'delete';
  readonly kind: Kind;
  readonly numbers: readonly number[];
  readonly form: number;
};

describe('elements written without libnftables', () => {
  let nftables: Nftables;
  before(requireOwnNamespace);

  beforeEach(async () => {
    nftables = await openNftables({ executor: 'library' });
    await nftables.run(SKELETON);
  });

  afterEach(async () => {
    await nftables.run([{ flush: { ruleset: null } }]);
    await nftables[Symbol.asyncDispose]();
  });

  it('are those that nft lists, after any sequence of transactions; one that is refused changes nothing and names its place', async () => {
    const change = fc.record({
      verb: fc.constantFrom('add' as const, 'add' as const, 'delete' as const),
      kind: fc.constantFrom<Kind>('four', 'six'),
      numbers: fc.array(fc.nat(15), { minLength: 1, maxLength: 6 }),
      form: fc.nat(2),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
        async (transactions) => {
          await nftables.run([
            { flush: { set: { ...IN, name: 'four' } } },
            { flush: { set: { ...IN, name: 'six' } } },
          ]);
          const model = new Model();
          for (const transaction of transactions) {
            const failure = model.apply(transaction);
            const commands = transaction.map(toCommand);
            if (failure === undefined) {
              await nftables.run(commands);
            } else {
              const error = await refusal(nftables.run(commands));
              assert.deepEqual(
                { code: error.code, index: error.index, element: error.element },
                { code: 'ENOENT', ...failure },
              );
            }
          }
          assert.deepEqual(listedByProgram('four'), model.listing('four'));
          assert.deepEqual(listedByProgram('six'), model.listing('six'));
        },
      ),
      { numRuns: 15 },
    );
  });

  for (const count of [1, 2, 999, 1000, 1001, 3000]) {
    it(`are ${count} of each family at once, added and half of them deleted in one transaction`, async () => {
      const numbers = Array.from({ length: count }, (_, index) => index);
      const half = numbers.slice(0, count >> 1);
      const model = new Model();
      for (const transaction of [
        [{ verb: 'add', kind: 'four', numbers, form: 0 }],
        [{ verb: 'add', kind: 'six', numbers, form: 1 }],
        ...(half.length === 0
          ? []
          : [
              [
                { verb: 'delete', kind: 'four', numbers: half, form: 0 },
                { verb: 'add', kind: 'four', numbers: [...half, count], form: 0 },
                { verb: 'delete', kind: 'six', numbers: half, form: 2 },
              ],
            ]),
      ] as readonly (readonly Change[])[]) {
        model.apply(transaction);
        await nftables.run(transaction.map(toCommand));
      }

      assert.deepEqual(listedByProgram('four'), model.listing('four'));
      assert.deepEqual(listedByProgram('six'), model.listing('six'));
    });
  }

  const refused: readonly (readonly [what: string, code: string, command: Command])[] = [
    ['a set that does not exist', 'ENOENT', element('add', 'absent', '192.0.2.1')],
    [
      'a table that does not exist',
      'ENOENT',
      { add: { element: { ...IN, table: 'absent', name: 'four', elem: ['192.0.2.1'] } } },
    ],
    [
      'a table of another family',
      'ENOENT',
      { add: { element: { ...IN, family: 'ip', name: 'four', elem: ['192.0.2.1'] } } },
    ],
    ['a map, without a value', 'EINVAL', element('add', 'marks', '192.0.2.1')],
    [
      'a set that is full',
      'ENFILE',
      { add: { element: { ...IN, name: 'small', elem: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] } } },
    ],
    ['an element that is not there', 'ENOENT', element('delete', 'four', '192.0.2.1')],
    [
      'an element deleted before in the same transaction',
      'ENOENT',
      { delete: { element: { ...IN, name: 'four', elem: ['192.0.2.200', '192.0.2.200'] } } },
    ],
  ];
  for (const [what, code, command] of refused) {
    it(`are refused with ${code} for ${what}, with all that came before and after in the transaction`, async () => {
      await nftables.run([element('add', 'four', '192.0.2.200')]);

      const error = await refusal(
        nftables.run([element('add', 'four', '192.0.2.9'), command, element('add', 'six', '2001:db8::9')]),
      );

      assert.deepEqual([error.code, error.index, error.command], [code, 1, command]);
      assert.deepEqual([...listedByProgram('four'), ...listedByProgram('six')], ['192.0.2.200']);
    });
  }

  it('are refused where the address is of the other family', async () => {
    await refusal(nftables.run([element('add', 'four', '192.0.2.9'), element('add', 'four', '2001:db8::9')]));

    assert.deepEqual(listedByProgram('four'), []);
  });

  it('are left to libnftables in sets of intervals, with timeouts and of other keys, where they need more than a key', async () => {
    await nftables.run([
      element('add', 'ranges', '192.0.2.1'),
      element('add', 'ranges', '192.0.2.5'),
      element('add', 'brief', '192.0.2.7'),
    ]);
    await nftables.run([element('delete', 'ranges', '192.0.2.1')]);

    assert.deepEqual(listedByProgram('ranges'), ['192.0.2.5']);
    assert.equal(isInSet('ranges', '192.0.2.5'), true);
    assert.equal(isInSet('ranges', '192.0.2.6'), false);
    assert.equal(listedByProgram('brief').length, 1);
    await refusal(nftables.run([element('add', 'ports', '192.0.2.1')]));
  });

  it('follow a set that another program recreated as one of intervals', async () => {
    await nftables.run([element('add', 'four', '192.0.2.1')]);
    execFileSync('nft', ['delete set inet fast four; add set inet fast four { type ipv4_addr; flags interval; }']);

    await nftables.run([element('add', 'four', '192.0.2.5')]);

    assert.equal(isInSet('four', '192.0.2.5'), true);
    assert.equal(isInSet('four', '192.0.2.6'), false);
  });

  it('are seen by libnftables in the same instance at once, and the other way round', async () => {
    const results = await Promise.all([
      nftables.run([element('add', 'four', '192.0.2.1')]),
      nftables.list({ set: { ...IN, name: 'four' } }),
      nftables.run([{ flush: { set: { ...IN, name: 'four' } } }]),
      nftables.run([element('add', 'four', '192.0.2.2')]),
      nftables.list({ set: { ...IN, name: 'four' } }),
    ]);

    assert.deepEqual(
      [results[1], results[4]].map(([set]) => (set && 'set' in set ? set.set.elem : undefined)),
      [['192.0.2.1'], ['192.0.2.2']],
    );
  });

  it('reach the kernel before the call returns, beside 20,000 intervals of another table and 100,000 elements of their own set', async () => {
    const addresses = Array.from(
      { length: 100_000 },
      (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    );
    await nftables.run([
      { add: { element: { ...IN, name: 'four', elem: addresses } } },
      { add: { table: { family: 'ip', name: 'foreign' } } },
      { add: { set: { family: 'ip', table: 'foreign', name: 'subnets', type: 'ipv4_addr', flags: ['interval'] } } },
      {
        add: {
          element: {
            family: 'ip',
            table: 'foreign',
            name: 'subnets',
            elem: Array.from({ length: 20_000 }, (_, index) => address('four', index * 2, 0)),
          },
        },
      },
    ]);

    const added = nftables.run([element('add', 'four', '192.0.2.1')]);
    // libnftables, which reads all of that for each change, works on another thread and would not have begun.
    const isThere = isInSet('four', '192.0.2.1');
    await added;
    const deleted = nftables.run([element('delete', 'four', '192.0.2.1')]);
    const isStillThere = isInSet('four', '192.0.2.1');
    await deleted;

    assert.deepEqual({ isThere, isStillThere }, { isThere: true, isStillThere: false });
  });

  it('stay in the network namespace in which the instance was opened', async () => {
    const program = `
      const { openNftables } = await import(process.argv[1]);
      const nftables = await openNftables({ executor: 'library' });
      await nftables.run(${JSON.stringify(SKELETON)});
      await nftables.run([${JSON.stringify(element('add', 'four', '192.0.2.77'))}]);
      const [{ set }] = await nftables.list({ set: ${JSON.stringify({ ...IN, name: 'four' })} });
      console.log(JSON.stringify(set.elem));
      await nftables[Symbol.asyncDispose]();`;
    await nftables.run([element('add', 'four', '192.0.2.1')]);

    const output = execFileSync(
      'unshare',
      ['-n', process.execPath, '--input-type=module', '--eval', program, import.meta.resolve('nftables-json')],
      { encoding: 'utf8' },
    );

    assert.equal(output.trim(), '["192.0.2.77"]');
    assert.deepEqual(listedByProgram('four'), ['192.0.2.1']);
  });
});

/** What the kernel should hold: commands in order, all of a transaction or nothing. */
class Model {
  #sets: Readonly<Record<Kind, ReadonlySet<number>>> = { four: new Set(), six: new Set() };

  /** Where the transaction fails, if it does. */
  apply(transaction: readonly Change[]): { readonly index: number; readonly element: number } | undefined {
    const next = { four: new Set(this.#sets.four), six: new Set(this.#sets.six) };
    for (const [index, { verb, kind, numbers }] of transaction.entries()) {
      for (const [position, number] of numbers.entries()) {
        if (verb === 'add') {
          next[kind].add(number);
        } else if (!next[kind].delete(number)) {
          return { index, element: position };
        }
      }
    }
    this.#sets = next;
    return undefined;
  }

  listing(kind: Kind): readonly string[] {
    return [...this.#sets[kind]].map((number) => address(kind, number, 0)).toSorted();
  }
}

/** Form 0 is the one that nft prints. */
function address(kind: Kind, number: number, form: number): string {
  if (kind === 'four') {
    return `10.0.${number >> 8}.${number & 255}`;
  }
  const group = (number + 1).toString(16);
  return (
    [
      `2001:db8::${group}`,
      `2001:0DB8:0:0:0:0:0:${group.toUpperCase()}`,
      `2001:db8:0::0.0.${(number + 1) >> 8}.${(number + 1) & 255}`,
    ][form] ?? ''
  );
}

function toCommand({ verb, kind, numbers, form }: Change): Command {
  const value = { element: { ...IN, name: kind, elem: numbers.map((number) => address(kind, number, form)) } };
  return verb === 'add' ? { add: value } : { delete: value };
}

function element(verb: 'add' | 'delete', name: string, text: string): Command {
  const value = { element: { ...IN, name, elem: [text] } };
  return verb === 'add' ? { add: value } : { delete: value };
}

/** As the spawned program lists them: nothing here is believed to itself. */
function listedByProgram(name: string): readonly string[] {
  const output = execFileSync('nft', ['--json', 'list', 'set', 'inet', 'fast', name], { encoding: 'utf8' });
  const { nftables: objects } = JSON.parse(output) as {
    readonly nftables: readonly { readonly set?: { readonly elem?: readonly unknown[] } }[];
  };
  const elements = objects.flatMap((object) => object.set?.elem ?? []);
  return elements.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))).toSorted();
}

/** Asks the kernel as a packet would. */
function isInSet(name: string, text: string): boolean {
  try {
    execFileSync('nft', ['get', 'element', 'inet', 'fast', name, `{ ${text} }`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
