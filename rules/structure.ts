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

/** A flowtable: flows that `flow add` gives to it pass neither hooks nor routing when they come from one of its devices. */
export interface FlowtableSpec {
  /** One that does not exist fails the whole transaction. Null means "unknown": it is recreated at the next change. */
  readonly devices: readonly string[] | null;
  /** What the flows in it depend on, a key each. When one goes, the flowtable is recreated, which empties it. */
  readonly dependencies: readonly string[];
}

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
  /** By name; absent: none. */
  readonly flowtables?: ReadonlyMap<string, FlowtableSpec>;
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
  const flowtables = diffFlowtables(place, from, to);
  before.push(...flowtables.commands);
  for (const [name, chain] of to.chains) {
    const known = from.chains.get(name);
    const isEmptied = flowtables.emptiedChains.has(name);
    if (!isEmptied && known !== undefined && isSameChain(known, chain)) continue;
    if (known !== undefined && !isEmptied) before.push({ flush: { chain: { ...place, name } } });
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

/**
 * A flowtable is never changed: the kernel takes no device away from one, and flows in it leave only with it. What
 * refers to it has to go first, which is the rules of chains: those are written again.
 */
function diffFlowtables(
  place: Place,
  from: Structure,
  to: Structure,
): { readonly commands: readonly Command[]; readonly emptiedChains: ReadonlySet<string> } {
  const wanted = to.flowtables ?? new Map<string, FlowtableSpec>();
  const installed = from.flowtables ?? new Map<string, FlowtableSpec>();
  const gone = [...installed].filter(([name, known]) => !keepsFlows(known, wanted.get(name))).map(([name]) => name);
  const fresh = [...wanted].filter(([name]) => !installed.has(name) || gone.includes(name));
  const emptiedChains = gone.flatMap((flowtable) => chainsWithFlowtable(from, flowtable));
  return {
    commands: [
      ...emptiedChains.map((name): Command => ({ flush: { chain: { ...place, name } } })),
      ...gone.map((name): Command => ({ delete: { flowtable: { ...place, name } } })),
      ...fresh.map(([name, { devices }]): Command => ({
        add: { flowtable: { ...place, name, hook: 'ingress', prio: 0, dev: [...(devices ?? [])] } },
      })),
    ],
    emptiedChains: new Set(emptiedChains),
  };
}

function keepsFlows(known: FlowtableSpec, wanted: FlowtableSpec | undefined): boolean {
  return (
    wanted !== undefined &&
    known.devices !== null &&
    JSON.stringify(known.devices) === JSON.stringify(wanted.devices) &&
    known.dependencies.every((dependency) => wanted.dependencies.includes(dependency))
  );
}

/** Those with a rule that gives flows to it. Of a chain whose rules are unknown, each may have one. */
function chainsWithFlowtable({ chains }: Structure, flowtable: string): string[] {
  return [...chains].flatMap(([name, { rules }]) =>
    rules === null || rules.some(({ expr }) => expr.some((statement) => givesTo(statement, flowtable))) ? [name] : [],
  );
}

function givesTo(statement: Statement, flowtable: string): boolean {
  return 'flow' in statement && statement.flow.flowtable === `@${flowtable}`;
}

/** The same without flowtables and without the rules that give flows to them, for a kernel that refuses them. */
export function withoutFlowtables({
  flowtables = new Map<string, FlowtableSpec>(),
  ...structure
}: Structure): Structure {
  const names = [...flowtables.keys()];
  const chains = [...structure.chains].map(([name, chain]): [string, ChainSpec] => {
    const rules = (chain.rules ?? []).filter(
      ({ expr }) => !expr.some((statement) => names.some((flowtable) => givesTo(statement, flowtable))),
    );
    return [name, chain.rules === null || rules.length === chain.rules.length ? chain : { ...chain, rules }];
  });
  return { ...structure, chains: new Map(chains) };
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
