/** What every implementation of Ipset promises. Run on the fake and on the kernel. */
import assert from 'node:assert/strict';
import type { IptablesErrorCode, Ipset, ListedSet, SetCommand, SetElement } from 'iptables-wrapper';
import { refusal } from './contract-fixture.js';

const CLIENTS = { name: 'clients', type: 'hash:ip', family: 4 } as const;
const [A, B, C] = [{ value: '10.8.0.2' }, { value: '10.8.0.3' }, { value: '10.8.0.4' }];

const REFUSALS: readonly (readonly [fact: string, code: IptablesErrorCode, command: SetCommand])[] = [
  ['a set that exists', 'EEXIST', { create: CLIENTS }],
  ['a set of other make than the one of that name', 'EEXIST', { ensure: { ...CLIENTS, maxElements: 99 } }],
  ['an element of a set that does not exist', 'ENOENT', { add: { name: 'absent', elements: [A] } }],
  ['an element that is there', 'EEXIST', { add: { name: 'clients', elements: [A] } }],
  ['deleting an element that is not there', 'ENOENT', { delete: { name: 'clients', values: ['10.8.0.99'] } }],
  ['destroying a set that does not exist', 'ENOENT', { destroy: { name: 'absent' } }],
  ['flushing a set that does not exist', 'ENOENT', { flush: { name: 'absent' } }],
  ['exchanging with a set that does not exist', 'ENOENT', { swap: { name: 'clients', with: 'absent' } }],
  ['exchanging with a set of another family', 'EINVAL', { swap: { name: 'clients', with: 'six' } }],
  ['an element of another family', 'EINVAL', { add: { name: 'clients', elements: [{ value: '2001:db8::1' }] } }],
  ['one element more than the set can hold', 'ENFILE', { add: { name: 'small', elements: [A, B, C] } }],
  [
    'a timeout in a set that has none',
    'EINVAL',
    { add: { name: 'clients', elements: [{ ...C, timeoutSeconds: 3 }] } },
  ],
  ['a mark in a set that has none', 'EINVAL', { add: { name: 'clients', elements: [{ ...C, mark: { value: 1 } }] } }],
  ['a name instead of an address', 'EINVAL', { add: { name: 'clients', elements: [{ value: 'localhost' }] } }],
  ['a line end in a name', 'EINVAL', { flush: { name: 'clients\ndestroy six' } }],
  ['a network of prefix length 0', 'EINVAL', { add: { name: 'nets', elements: [{ value: '0.0.0.0/0' }] } }],
];

/** @param hasMacSets the kernel has the type hash:mac */
export function describeSets(open: () => Promise<Ipset>, hasMacSets: boolean): void {
  let ipset: Ipset;

  beforeEach(async () => {
    ipset = await open();
    await ipset.run([
      { create: CLIENTS },
      { create: { name: 'six', type: 'hash:ip', family: 6 } },
      { create: { name: 'small', type: 'hash:ip', maxElements: 2 } },
      { create: { name: 'nets', type: 'hash:net' } },
      { add: { name: 'clients', elements: [A, B] } },
    ]);
  });

  afterEach(async () => {
    await ipset[Symbol.asyncDispose]();
  });

  it('lists sets with their make and their elements', async () => {
    await ipset.run([
      { create: { name: 'marked', type: 'hash:net', family: 6, timeoutSeconds: 0, maxElements: 50, hasMarks: true } },
      {
        add: {
          name: 'marked',
          elements: [
            { value: '2001:db8:1::/48', mark: { value: 0x700, mask: 0xff00 } },
            { value: '2001:db8::7', mark: { value: 5 } },
          ],
        },
      },
    ]);

    const [set] = await ipset.list('marked');

    assert.deepEqual(sorted(set), {
      name: 'marked',
      type: 'hash:net',
      family: 6,
      timeoutSeconds: 0,
      maxElements: 50,
      hasMarks: true,
      elements: [
        { value: '2001:db8:1::/48', timeoutSeconds: 0, mark: { value: 0x700, mask: 0xff00 } },
        { value: '2001:db8::7', timeoutSeconds: 0, mark: { value: 5 } },
      ],
    });
    assert.deepEqual((await ipset.list()).map(({ name }) => name).toSorted(), [
      'clients',
      'marked',
      'nets',
      'six',
      'small',
    ]);
  });

  it('adds, puts, deletes and discards in one run', async () => {
    await ipset.run([
      { put: { name: 'clients', elements: [A, C] } },
      { delete: { name: 'clients', values: [B.value] } },
      { discard: { name: 'clients', values: [B.value] } },
      { ensure: CLIENTS },
    ]);

    assert.deepEqual(await elements('clients'), [A, C]);
  });

  it('gives an element its own timeout, and the one of the set where it has none', async () => {
    await ipset.run([
      { create: { name: 'brief', type: 'hash:ip', timeoutSeconds: 3000 } },
      { add: { name: 'brief', elements: [A, { ...B, timeoutSeconds: 600 }] } },
    ]);

    const [a, b] = await elements('brief');

    // Time goes on in the kernel.
    assert.ok((a?.timeoutSeconds ?? 0) > 2900 && (a?.timeoutSeconds ?? 0) <= 3000);
    assert.ok((b?.timeoutSeconds ?? 0) > 500 && (b?.timeoutSeconds ?? 0) <= 600);
  });

  it('exchanges two sets, and empties one', async () => {
    await ipset.run([
      { create: { name: 'other', type: 'hash:ip' } },
      { add: { name: 'other', elements: [C] } },
      { swap: { name: 'clients', with: 'other' } },
      { flush: { name: 'other' } },
    ]);

    assert.deepEqual(await elements('clients'), [C]);
    assert.deepEqual(await elements('other'), []);
  });

  it('replaces all elements in one step, or makes the set', async () => {
    await ipset.replace(CLIENTS, [B, C]);
    await ipset.replace({ name: 'fresh', type: 'hash:net' }, [{ value: '192.0.2.0/24' }]);

    assert.deepEqual(await elements('clients'), [B, C]);
    assert.deepEqual(await elements('fresh'), [{ value: '192.0.2.0/24' }]);
    assert.deepEqual((await ipset.list()).map(({ name }) => name).toSorted(), [
      'clients',
      'fresh',
      'nets',
      'six',
      'small',
    ]);
  });

  it('leaves a set as it was when its replacement is refused, and no second set', async () => {
    const full = await refusal(ipset.replace({ ...CLIENTS, maxElements: 2 }, [A, B, C]));
    const wrong = await refusal(ipset.replace(CLIENTS, [{ value: '2001:db8::1' }]));
    const absent = await refusal(ipset.replace({ name: 'fresh', type: 'hash:ip', maxElements: 1 }, [A, B]));

    assert.deepEqual([full.code, wrong.code, absent.code], ['ENFILE', 'EINVAL', 'ENFILE']);
    assert.deepEqual(await elements('clients'), [A, B]);
    assert.deepEqual((await ipset.list()).map(({ name }) => name).toSorted(), ['clients', 'nets', 'six', 'small']);
  });

  for (const [fact, code, command] of REFUSALS) {
    it(`refuses ${fact} with ${code}, and names the command`, async () => {
      const error = await refusal(ipset.run([{ put: { name: 'clients', elements: [A] } }, command]));

      assert.equal(error.code, code, error.message);
      assert.equal(error.index, 1);
      assert.match(error.message, /\(command 2 of 2\)$/u);
    });
  }

  it('applies what comes before a refused command, and nothing after it', async () => {
    await refusal(
      ipset.run([
        { add: { name: 'clients', elements: [C] } },
        { add: { name: 'clients', elements: [A] } },
        { flush: { name: 'clients' } },
      ]),
    );

    assert.deepEqual(await elements('clients'), [A, B, C]);
  });

  it('applies nothing of a run in which a command is malformed', async () => {
    await refusal(
      ipset.run([{ flush: { name: 'clients' } }, { add: { name: 'clients', elements: [{ value: 'no address' }] } }]),
    );

    assert.deepEqual(await elements('clients'), [A, B]);
  });

  it('refuses to list a set that does not exist with ENOENT', async () => {
    assert.equal((await refusal(ipset.list('absent'))).code, 'ENOENT');
  });

  if (hasMacSets) {
    it('keeps MAC addresses with marks, and lists them in small letters', async () => {
      await ipset.run([
        { create: { name: 'macs', type: 'hash:mac', hasMarks: true } },
        { add: { name: 'macs', elements: [{ value: '02:AB:00:00:00:01', mark: { value: 1, mask: 0xff } }] } },
      ]);

      assert.deepEqual(await elements('macs'), [{ value: '02:ab:00:00:00:01', mark: { value: 1, mask: 0xff } }]);
    });
  }

  it('finishes accepted calls when it is disposed, then refuses with UNAVAILABLE', async () => {
    const accepted = ipset.run([{ flush: { name: 'clients' } }]);

    await ipset[Symbol.asyncDispose]();

    await accepted;
    assert.equal((await refusal(ipset.run([]))).code, 'UNAVAILABLE');
  });

  async function elements(name: string): Promise<readonly SetElement[]> {
    const [set] = await ipset.list(name);
    return sorted(set)?.elements ?? [];
  }
}

/** The kernel keeps no order. */
function sorted(set: ListedSet | undefined): ListedSet | undefined {
  return set && { ...set, elements: set.elements.toSorted((a, b) => (a.value < b.value ? -1 : 1)) };
}
