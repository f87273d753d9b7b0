/** Lists the state of the fake in the objects and the order of `nft -j list`. */
import { NftError } from '../nft-error.js';
import type { Selector } from '../nftables.js';
import type { Family, NftMap, NftObject, NftSet, Rule, SetFlag } from '../objects.js';
import type { Statement } from '../statement.js';
import type { FakeSet, FakeState, FakeTable } from './fake-state.js';

/** @throws NftError ENOENT if what is named does not exist */
export function listState(state: FakeState, selector: Selector, isTerse: boolean): readonly NftObject[] {
  if ('ruleset' in selector) {
    return tablesOf(state, selector.ruleset?.family).flatMap((table) => listTable(table, isTerse));
  }
  if ('table' in selector) {
    return listTable(tableOf(state, selector, selector.table.family, selector.table.name), isTerse);
  }
  if ('tables' in selector) {
    return tablesOf(state, selector.tables?.family).map(listTableHead);
  }
  if ('chains' in selector) {
    return tablesOf(state, selector.chains?.family).flatMap(listChains);
  }
  if ('sets' in selector) {
    return tablesOf(state, selector.sets?.family)
      .flatMap((table) => listSets(table, isTerse))
      .filter((object) => 'set' in object);
  }
  if ('maps' in selector) {
    return tablesOf(state, selector.maps?.family)
      .flatMap((table) => listSets(table, isTerse))
      .filter((object) => 'map' in object);
  }
  if ('chain' in selector) {
    const { family, table, name } = selector.chain;
    const objects = listTable(tableOf(state, selector, family, table), true);
    return named(
      selector,
      objects.filter(
        (object) =>
          ('chain' in object && object.chain.name === name) || ('rule' in object && object.rule.chain === name),
      ),
    );
  }
  if ('set' in selector) {
    const { family, table, name } = selector.set;
    return named(
      selector,
      listSets(tableOf(state, selector, family, table), isTerse).filter(
        (object) => 'set' in object && object.set.name === name,
      ),
    );
  }
  if ('map' in selector) {
    const { family, table, name } = selector.map;
    return named(
      selector,
      listSets(tableOf(state, selector, family, table), isTerse).filter(
        (object) => 'map' in object && object.map.name === name,
      ),
    );
  }
  const { family, table, name } = selector.counter;
  return named(
    selector,
    listCounters(tableOf(state, selector, family, table)).filter(
      (object) => 'counter' in object && object.counter.name === name,
    ),
  );
}

function listTable(table: FakeTable, isTerse: boolean): readonly NftObject[] {
  const rules = [...table.chains.values()].flatMap((chain) =>
    chain.rules.map(({ handle, rule }): NftObject => ({
      rule: { ...rule, handle, expr: rule.expr.map(normalizeStatement) } satisfies Rule,
    })),
  );
  const flowtables = [...table.flowtables.values()].map(({ handle, definition }): NftObject => ({
    flowtable: { ...definition, handle },
  }));
  return [
    listTableHead(table),
    ...listCounters(table),
    ...flowtables,
    ...listSets(table, isTerse),
    ...listChains(table),
    ...rules,
  ];
}

function listTableHead(table: FakeTable): NftObject {
  return { table: { ...table.definition, handle: table.handle } };
}

function listChains(table: FakeTable): readonly NftObject[] {
  return [...table.chains.values()].map(({ handle, definition }) => ({ chain: { ...definition, handle } }));
}

function listCounters(table: FakeTable): readonly NftObject[] {
  return [...table.counters.values()].map(({ handle, definition, packets, bytes }) => ({
    counter: { ...definition, handle, packets, bytes },
  }));
}

function listSets(table: FakeTable, isTerse: boolean): readonly NftObject[] {
  return [...table.sets.values()].map((set): NftObject =>
    // `kind` says which of the two the definition is.
    set.kind === 'set' ? { set: listSet(set, isTerse) as NftSet } : { map: listSet(set, isTerse) as NftMap },
  );
}

/** As nft 1.0.6: no flag `dynamic`, no empty lists. */
function listSet({ handle, definition, elements }: FakeSet, isTerse: boolean): object {
  const { flags, ...rest } = definition;
  const given: readonly SetFlag[] = flags === undefined ? [] : typeof flags === 'string' ? [flags] : flags;
  const kept = given.filter((flag) => flag !== 'dynamic');
  return {
    ...rest,
    handle,
    ...(kept.length > 0 ? { flags: kept } : {}),
    ...(isTerse || elements.size === 0 ? {} : { elem: [...elements.values()] }),
  };
}

function normalizeStatement(statement: Statement): Statement {
  return 'counter' in statement && statement.counter === null ? { counter: { packets: 0, bytes: 0 } } : statement;
}

function tablesOf(state: FakeState, family: Family | undefined): readonly FakeTable[] {
  return [...state.tables.values()].filter((table) => family === undefined || table.definition.family === family);
}

function tableOf(state: FakeState, selector: Selector, family: Family, name: string): FakeTable {
  const table = state.table(family, name);
  if (!table) {
    throw notFound(selector);
  }
  return table;
}

function named(selector: Selector, objects: readonly NftObject[]): readonly NftObject[] {
  if (objects.length === 0) {
    throw notFound(selector);
  }
  return objects;
}

function notFound(selector: Selector): NftError {
  return new NftError('ENOENT', `list ${JSON.stringify(selector)}: No such file or directory`);
}
