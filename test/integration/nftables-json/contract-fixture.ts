/** Objects and small readings that the contract suite is written in. */
import assert from 'node:assert/strict';
import {
  NftError,
  Transaction,
  type Command,
  type Element,
  type NftErrorCode,
  type NftObject,
  type Nftables,
} from 'nftables-json';

export const FAMILY = 'inet';
export const TABLE = { family: FAMILY, name: 'contract' } as const;
export const IN = { family: FAMILY, table: 'contract' } as const;
export const CLIENTS = { ...IN, name: 'clients', type: 'ipv4_addr' } as const;

/** Commands that the ruleset of `describeObjects` refuses, each with the code that it must be refused with. */
export const REFUSALS: readonly (readonly [fact: string, code: NftErrorCode, command: Command])[] = [
  [
    'a chain in a table that does not exist',
    'ENOENT',
    { add: { chain: { family: FAMILY, table: 'absent', name: 'x' } } },
  ],
  ['deleting a table that does not exist', 'ENOENT', { delete: { table: { family: FAMILY, name: 'absent' } } }],
  [
    'a rule in a chain that does not exist',
    'ENOENT',
    { add: { rule: { ...IN, chain: 'absent', expr: [{ accept: null }] } } },
  ],
  [
    'a rule that refers to a set that does not exist',
    'ENOENT',
    { add: { rule: { ...IN, chain: 'used', expr: [matchSource('@absent'), { drop: null }] } } },
  ],
  [
    'a rule that jumps to a chain that does not exist',
    'ENOENT',
    { add: { rule: { ...IN, chain: 'used', expr: [{ jump: { target: 'absent' } }] } } },
  ],
  [
    'an element of a set that does not exist',
    'ENOENT',
    { add: { element: { ...IN, name: 'absent', elem: ['192.0.2.1'] } } },
  ],
  [
    'a verdict to a chain that does not exist',
    'ENOENT',
    { add: { element: { ...IN, name: 'policy', elem: [['192.0.2.50', { goto: { target: 'absent' } }]] } } },
  ],
  [
    'deleting an element that is not there',
    'ENOENT',
    { delete: { element: { ...IN, name: 'clients', elem: ['192.0.2.77'] } } },
  ],
  [
    'deleting a rule by a handle that is not there',
    'ENOENT',
    { delete: { rule: { ...IN, chain: 'used', handle: 9999 } } },
  ],
  [
    'replacing a rule that is not there',
    'ENOENT',
    { replace: { rule: { ...IN, chain: 'used', handle: 9999, expr: [{ accept: null }] } } },
  ],
  ['flushing a set that does not exist', 'ENOENT', { flush: { set: { ...IN, name: 'absent' } } }],
  ['creating a table that exists', 'EEXIST', { create: { table: TABLE } }],
  ['creating a chain that exists', 'EEXIST', { create: { chain: { ...IN, name: 'used' } } }],
  ['creating a set that exists', 'EEXIST', { create: { set: CLIENTS } }],
  [
    'creating an element that exists',
    'EEXIST',
    { create: { element: { ...IN, name: 'clients', elem: ['192.0.2.1'] } } },
  ],
  ['a set of another type than the one of that name', 'EEXIST', { add: { set: { ...CLIENTS, type: 'ipv6_addr' } } }],
  [
    'another value for a key of a map',
    'EEXIST',
    { add: { element: { ...IN, name: 'policy', elem: [['192.0.2.1', { drop: null }]] } } },
  ],
  ['deleting a chain that a rule jumps to', 'EBUSY', { delete: { chain: { ...IN, name: 'used' } } }],
  ['deleting a chain that a verdict map goes to', 'EBUSY', { delete: { chain: { ...IN, name: 'policed' } } }],
  ['deleting a set that a rule looks up', 'EBUSY', { delete: { set: { ...IN, name: 'clients' } } }],
  ['deleting a counter that a rule counts with', 'EBUSY', { delete: { counter: { ...IN, name: 'hits' } } }],
  [
    'one element more than the size of the set',
    'ENFILE',
    { add: { element: { ...IN, name: 'small', elem: ['192.0.2.3'] } } },
  ],
  [
    'an element of a map without a value',
    'EINVAL',
    { add: { element: { ...IN, name: 'policy', elem: ['192.0.2.60'] } } },
  ],
  [
    'another priority for a base chain',
    'EOPNOTSUPP',
    { add: { chain: { ...IN, name: 'input', type: 'filter', hook: 'input', prio: 7 } } },
  ],
];

export function addRule(comment: string): Command {
  return { add: { rule: { ...IN, chain: 'x', comment, expr: [{ accept: null }] } } };
}

export function source(): { readonly payload: { readonly protocol: 'ip'; readonly field: 'saddr' } } {
  return { payload: { protocol: 'ip', field: 'saddr' } };
}

export function matchSource(right: string): {
  readonly match: { readonly op: '=='; readonly left: ReturnType<typeof source>; readonly right: string };
} {
  return { match: { op: '==', left: source(), right } };
}

export function handleOf(object: NftObject): number {
  const [value] = Object.values(object) as readonly { readonly handle?: number }[];
  return value?.handle ?? 0;
}

export function withoutHandle(object: NftObject): unknown {
  return JSON.parse(JSON.stringify(object, (key, value: unknown) => (key === 'handle' ? undefined : value)));
}

export async function refusal(promise: Promise<unknown>): Promise<NftError> {
  let failure: unknown;
  try {
    await promise;
  } catch (error) {
    failure = error;
  }
  assert.ok(failure instanceof NftError, `expected an NftError, got ${String(failure)}`);
  return failure;
}

/** The table with a set of three clients. */
export async function addClients(nftables: Nftables): Promise<void> {
  await nftables.run([
    { add: { table: TABLE } },
    { add: { set: { ...CLIENTS, elem: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] } } },
  ]);
}

/** Elements of a set or map as sorted JSON: the kernel keeps no order. */
export async function elements(
  nftables: Nftables,
  name: string,
  kind: 'set' | 'map' = 'set',
): Promise<readonly string[]> {
  const [object] = await nftables.list(kind === 'set' ? { set: { ...IN, name } } : { map: { ...IN, name } });
  const list: Element['elem'] =
    (object && ('set' in object ? object.set.elem : 'map' in object ? object.map.elem : undefined)) ?? [];
  return list.map((element) => JSON.stringify(element)).toSorted();
}

/** input -> used (rule), policy -> policed (verdict map), clients and hits looked up by a rule, small is full. */
export async function addReferences(nftables: Nftables): Promise<void> {
  await addClients(nftables);
  await nftables.run(
    new Transaction()
      .add({ set: { ...CLIENTS, name: 'small', size: 2, elem: ['192.0.2.1', '192.0.2.2'] } })
      .add({ map: { ...IN, name: 'policy', type: 'ipv4_addr', map: 'verdict' } })
      .add({ counter: { ...IN, name: 'hits' } })
      .add({ chain: { ...IN, name: 'input', type: 'filter', hook: 'input', prio: 5 } })
      .add({ chain: { ...IN, name: 'used' } })
      .add({ chain: { ...IN, name: 'policed' } })
      .add({ element: { ...IN, name: 'policy', elem: [['192.0.2.1', { goto: { target: 'policed' } }]] } })
      .add({ rule: { ...IN, chain: 'input', expr: [{ jump: { target: 'used' } }] } })
      .add({
        rule: { ...IN, chain: 'input', expr: [matchSource('@clients'), { counter: 'hits' }, { accept: null }] },
      })
      .add({ rule: { ...IN, chain: 'input', expr: [{ vmap: { key: source(), data: '@policy' } }] } })
      .add({ rule: { ...IN, chain: 'used', expr: [{ drop: null }] } }).commands,
  );
}

/** The rules of a chain of {@link TABLE}. */
export async function rulesOf(
  nftables: Nftables,
  chain: string,
): Promise<readonly { readonly handle?: number; readonly comment?: string }[]> {
  const objects = await nftables.list({ chain: { ...IN, name: chain } });
  return objects.flatMap((object) => ('rule' in object ? [object.rule] : []));
}

/** All there is, as text; elements sorted. */
export async function sortedRuleset(nftables: Nftables): Promise<readonly string[]> {
  const objects = await nftables.list({ ruleset: null });
  return objects.map((object) => {
    const elem = 'set' in object ? object.set.elem : 'map' in object ? object.map.elem : undefined;
    return JSON.stringify(
      [object, elem?.map((element) => JSON.stringify(element)).toSorted()],
      (key, value: unknown) => (key === 'elem' ? undefined : value),
    );
  });
}
