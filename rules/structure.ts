import type { Chain, Command, NftMap, NftSet, Statement } from 'nftables-json';

/** A chain and its rules. `rules: null` means "unknown": it is rewritten at the next change. */
export interface ChainSpec {
  /** Hook, type, priority and policy of a base chain; empty for a chain that is jumped to. */
  readonly base: Pick<Chain, 'type' | 'hook' | 'prio' | 'policy'>;
  readonly rules: readonly RuleSpec[] | null;
}

/** A chain that packets pass by themselves; what no rule decides on goes on. */
export function baseChain(
  hook: 'prerouting' | 'forward' | 'output',
  prio: number,
  rules: readonly RuleSpec[],
  type: 'filter' | 'route' = 'filter',
): ChainSpec {
  return { base: { type, hook, prio, policy: 'accept' }, rules };
}

export interface RuleSpec {
  readonly expr: readonly Statement[];
  readonly comment?: string;
}

export type SetSpec =
  | { readonly kind: 'set'; readonly spec: Omit<NftSet, 'family' | 'table' | 'name'> }
  | { readonly kind: 'map'; readonly spec: Omit<NftMap, 'family' | 'table' | 'name'> };

/** One element of a verdict map: its key as JSON, and the chain that it leads to. */
export interface VerdictElement {
  readonly key: MapKey;
  readonly chain: string;
}

export type MapKey = number | { readonly concat: readonly string[] };

/**
 * Our table without the elements of clients: what changes with devices and gateways, not with connects.
 */
export interface Structure {
  readonly sets: ReadonlyMap<string, SetSpec>;
  readonly chains: ReadonlyMap<string, ChainSpec>;
  /** By map name, then by the key's JSON text. */
  readonly verdicts: ReadonlyMap<string, ReadonlyMap<string, VerdictElement>>;
}

/** An empty structure, even without the table, for a start without earlier rules. */
export const NOTHING: Structure = { sets: new Map(), chains: new Map(), verdicts: new Map() };

/** The families in which we have a table: `bridge` for frames that pass an inline endpoint. */
export type TableFamily = 'inet' | 'bridge';

interface Place {
  readonly family: TableFamily;
  readonly table: string;
}

/** Commands of one transaction, in the two halves between which element commands of clients belong. */
export interface StructureDiff {
  readonly before: readonly Command[];
  readonly after: readonly Command[];
}

/**
 * The commands that turn one structure into the other. Elements of client sets are not touched; commands that add
 * them go between `before` and `after`, so that a set exists before its elements and is empty before it goes.
 */
export function diffStructure(
  table: string,
  from: Structure,
  to: Structure,
  family: TableFamily = 'inet',
): StructureDiff {
  const place: Place = { family, table };
  const before: Command[] = [];
  const after: Command[] = [];

  if (from === NOTHING) before.push({ add: { table: { family, name: table } } });
  for (const [name, set] of to.sets) {
    if (!from.sets.has(name)) before.push({ add: declareSet(place, name, set) });
  }
  for (const [name, chain] of to.chains) {
    if (!from.chains.has(name)) before.push({ add: { chain: { ...place, name, ...chain.base } } });
  }
  for (const [name, chain] of to.chains) {
    const known = from.chains.get(name);
    if (known !== undefined && isSameChain(known, chain)) continue;
    if (known !== undefined) before.push({ flush: { chain: { ...place, name } } });
    for (const rule of chain.rules ?? []) {
      const comment = rule.comment === undefined ? {} : { comment: rule.comment };
      before.push({ add: { rule: { ...place, chain: name, expr: [...rule.expr], ...comment } } });
    }
  }
  before.push(...diffVerdicts(place, from, to));

  const goneChains = [...from.chains.keys()].filter((name) => !to.chains.has(name));
  for (const name of goneChains) after.push({ flush: { chain: { ...place, name } } });
  for (const name of goneChains) after.push({ delete: { chain: { ...place, name } } });
  for (const [name, set] of from.sets) {
    if (to.sets.has(name)) continue;
    after.push({ delete: set.kind === 'set' ? { set: { ...place, name } } : { map: { ...place, name } } });
  }
  return { before, after };
}

function declareSet(place: Place, name: string, set: SetSpec): { set: NftSet } | { map: NftMap } {
  return set.kind === 'set' ? { set: { ...place, name, ...set.spec } } : { map: { ...place, name, ...set.spec } };
}

function isSameChain(a: ChainSpec, b: ChainSpec): boolean {
  if (a.rules === b.rules) return a.rules !== null;
  return a.rules !== null && b.rules !== null && JSON.stringify(a.rules) === JSON.stringify(b.rules);
}

function diffVerdicts(place: Place, from: Structure, to: Structure): Command[] {
  const commands: Command[] = [];
  for (const [name, elements] of from.verdicts) {
    // A map to delete: its elements refer to chains that are deleted before it.
    if (!to.verdicts.has(name) && elements.size > 0)
      commands.push({ delete: { element: { ...place, name, elem: [...elements.values()].map(verdictElem) } } });
  }
  for (const [name, elements] of to.verdicts) {
    const known = from.verdicts.get(name) ?? new Map<string, VerdictElement>();
    const gone = [...known].filter(([key, element]) => elements.get(key)?.chain !== element.chain);
    const fresh = [...elements].filter(([key, element]) => known.get(key)?.chain !== element.chain);
    if (gone.length > 0)
      commands.push({
        delete: { element: { ...place, name, elem: gone.map(([, element]) => verdictElem(element)) } },
      });
    if (fresh.length > 0)
      commands.push({ add: { element: { ...place, name, elem: fresh.map(([, element]) => verdictElem(element)) } } });
  }
  return commands;
}

function verdictElem(element: VerdictElement): [MapKey, { goto: { target: string } }] {
  return [element.key, { goto: { target: element.chain } }];
}
