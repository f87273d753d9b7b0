/** What each command does to the state of the fake, with the kernel's errno for what it refuses. */
import type { Command, DeleteObject, DestroyObject, FlushObject } from '../command.js';
import { NftError } from '../nft-error.js';
import type { Chain, Family, NftMap, NftObject, NftSet, Rule } from '../objects.js';
import { addElements, clearSet, deleteElements } from './fake-elements.js';
import { count, found, isUsed, nextHandle, refuseIf, tableOf } from './fake-lookup.js';
import {
  referencesOf,
  tableKey,
  withEntry,
  type FakeChain,
  type FakeRule,
  type FakeSet,
  type FakeState,
  type FakeTable,
} from './fake-state.js';

/** @throws NftError without index; the caller takes the state back and names the command */
export function applyCommand(state: FakeState, command: Command): void {
  if ('add' in command) {
    addObject(state, command.add, false);
  } else if ('create' in command) {
    addObject(state, command.create, true);
  } else if ('insert' in command) {
    addRule(state, command.insert.rule, true);
  } else if ('replace' in command) {
    replaceRule(state, command.replace.rule);
  } else if ('delete' in command) {
    deleteObject(state, command.delete);
  } else if ('destroy' in command) {
    destroyObject(state, command.destroy);
  } else if ('flush' in command) {
    flushObject(state, command.flush);
  } else if ('reset' in command) {
    resetCounter(state, command.reset.counter);
  } else {
    throw new NftError('SYNTAX', 'Unknown command object');
  }
}

function addObject(state: FakeState, object: NftObject, isCreate: boolean): void {
  if ('table' in object) {
    if (state.table(object.table.family, object.table.name)) {
      refuseIf(isCreate, 'EEXIST');
      return;
    }
    state.write(state, 'lastTableHandle', state.lastTableHandle + 1);
    const { comment: _forgotten, ...definition } = object.table;
    const table: FakeTable = {
      handle: state.lastTableHandle,
      definition,
      lastHandle: 0,
      chains: new Map(),
      sets: new Map(),
      counters: new Map(),
      flowtables: new Map(),
      uses: new Map(),
    };
    state.write(state, 'tables', withEntry(state.tables, tableKey(definition.family, definition.name), table));
  } else if ('chain' in object) {
    addChain(state, object.chain, isCreate);
  } else if ('rule' in object) {
    if (isCreate) {
      throw new NftError('SYNTAX', 'Create command not available for rules.');
    }
    addRule(state, object.rule, false);
  } else if ('set' in object) {
    addSet(state, 'set', object.set, isCreate);
  } else if ('map' in object) {
    addSet(state, 'map', object.map, isCreate);
  } else if ('element' in object) {
    addElements(state, object.element, isCreate);
  } else if ('counter' in object) {
    const table = tableOf(state, object.counter);
    if (table.counters.has(object.counter.name)) {
      refuseIf(isCreate, 'EEXIST');
      return;
    }
    const { packets = 0, bytes = 0, ...definition } = object.counter;
    const counter = { handle: nextHandle(state, table), definition, packets, bytes };
    state.write(table, 'counters', withEntry(table.counters, definition.name, counter));
  } else if ('flowtable' in object) {
    const table = tableOf(state, object.flowtable);
    if (table.flowtables.has(object.flowtable.name)) {
      refuseIf(isCreate, 'EEXIST');
      return;
    }
    const flowtable = { handle: nextHandle(state, table), definition: object.flowtable };
    state.write(table, 'flowtables', withEntry(table.flowtables, object.flowtable.name, flowtable));
  } else {
    throw new NftError('SYNTAX', 'Unknown object passed to add command.');
  }
}

function addChain(state: FakeState, chain: Chain, isCreate: boolean): void {
  const table = tableOf(state, chain);
  const existing = table.chains.get(chain.name);
  if (!existing) {
    const { comment: _forgotten, ...definition } = chain;
    const policy = chain.hook === undefined ? {} : { policy: chain.policy ?? 'accept' };
    const created: FakeChain = {
      handle: nextHandle(state, table),
      definition: { ...definition, ...policy },
      rules: [],
    };
    state.write(table, 'chains', withEntry(table.chains, chain.name, created));
    return;
  }
  refuseIf(isCreate, 'EEXIST');
  const { definition } = existing;
  if (chain.hook !== undefined) {
    const isSame = chain.type === definition.type && chain.hook === definition.hook && chain.prio === definition.prio;
    refuseIf(!isSame, definition.hook === undefined || chain.hook !== definition.hook ? 'EEXIST' : 'EOPNOTSUPP');
    if (chain.policy !== undefined && chain.policy !== definition.policy) {
      const changed = { ...existing, definition: { ...definition, policy: chain.policy } };
      state.write(table, 'chains', withEntry(table.chains, chain.name, changed));
    }
  }
}

function addSet(state: FakeState, kind: 'set' | 'map', definition: NftSet | NftMap, isCreate: boolean): void {
  const table = tableOf(state, definition);
  const { elem, comment: _forgotten, ...rest } = definition;
  if (definition.type === undefined || (kind === 'map' && !('map' in definition))) {
    throw new NftError('SYNTAX', `${kind} definition does not specify its types`);
  }
  const flags: readonly string[] = [definition.flags ?? []].flat();
  refuseIf(flags.includes('dynamic') && !flags.includes('timeout'), 'EOPNOTSUPP');
  const existing = table.sets.get(definition.name);
  if (existing) {
    refuseIf(isCreate || signatureOf(existing.kind, existing.definition) !== signatureOf(kind, definition), 'EEXIST');
  } else {
    const shared = { handle: nextHandle(state, table), elements: new Map<string, never>() };
    // `kind` says which of the two the definition is.
    const created = { ...shared, kind, definition: rest } as unknown as FakeSet;
    state.write(table, 'sets', withEntry(table.sets, definition.name, created));
  }
  if (elem) {
    const { family, table: tableName, name } = definition;
    addElements(state, { family, table: tableName, name, elem }, false);
  }
}

function signatureOf(kind: string, definition: NftSet | NftMap): string {
  return JSON.stringify([kind, definition.type, 'map' in definition ? definition.map : null]);
}

function addRule(state: FakeState, rule: Rule, isInsert: boolean): void {
  const table = tableOf(state, rule);
  const chain = found(table.chains.get(rule.chain));
  const references = referencesOf(rule.expr);
  for (const reference of references) {
    refuseIf(!exists(table, reference), 'ENOENT');
  }
  const { handle, index, ...rest } = rule;
  let position = isInsert ? 0 : chain.rules.length;
  if (handle !== undefined || index !== undefined) {
    const anchor = handle === undefined ? (index ?? 0) : chain.rules.findIndex((each) => each.handle === handle);
    refuseIf(anchor < 0 || anchor >= chain.rules.length, 'ENOENT');
    position = isInsert ? anchor : anchor + 1;
  }
  const added: FakeRule = { handle: nextHandle(state, table), rule: rest };
  state.write(chain, 'rules', chain.rules.toSpliced(position, 0, added));
  count(state, table, references, 1);
}

function replaceRule(state: FakeState, { handle, ...rule }: Rule): void {
  const table = tableOf(state, rule);
  const chain = found(table.chains.get(rule.chain));
  const position = chain.rules.findIndex((each) => each.handle === handle);
  const replaced = found(chain.rules[position]);
  const references = referencesOf(rule.expr);
  for (const reference of references) {
    refuseIf(!exists(table, reference), 'ENOENT');
  }
  const { index: _index, ...rest } = rule;
  state.write(chain, 'rules', chain.rules.with(position, { handle: nextHandle(state, table), rule: rest }));
  count(state, table, referencesOf(replaced.rule.expr), -1);
  count(state, table, references, 1);
}

function deleteObject(state: FakeState, object: DeleteObject): void {
  if ('table' in object) {
    const { family } = object.table;
    const name =
      'name' in object.table ? object.table.name : nameOfHandle(tablesOf(state, family), object.table.handle);
    found(state.table(family, name));
    state.write(state, 'tables', withEntry(state.tables, tableKey(family, name), undefined));
    return;
  }
  if ('element' in object) {
    deleteElements(state, object.element);
    return;
  }
  if ('rule' in object) {
    const table = tableOf(state, object.rule);
    const chain = found(table.chains.get(object.rule.chain));
    const { handle } = object.rule;
    removeRules(state, table, chain, [found(chain.rules.find((each) => each.handle === handle))]);
    return;
  }
  if ('chain' in object) {
    const table = tableOf(state, object.chain);
    const name = nameIn(table.chains, object.chain);
    const chain = found(table.chains.get(name));
    removeRules(state, table, chain, chain.rules);
    refuseIf(isUsed(table, `chain:${name}`), 'EBUSY');
    state.write(table, 'chains', withEntry(table.chains, name, undefined));
  } else if ('set' in object || 'map' in object) {
    const reference = 'set' in object ? object.set : object.map;
    const table = tableOf(state, reference);
    const name = nameIn(table.sets, reference);
    const set = found(table.sets.get(name));
    refuseIf(isUsed(table, `set:${name}`), 'EBUSY');
    clearSet(state, table, set);
    state.write(table, 'sets', withEntry(table.sets, name, undefined));
  } else if ('counter' in object) {
    const table = tableOf(state, object.counter);
    const name = nameIn(table.counters, object.counter);
    found(table.counters.get(name));
    refuseIf(isUsed(table, `counter:${name}`), 'EBUSY');
    state.write(table, 'counters', withEntry(table.counters, name, undefined));
  } else if ('flowtable' in object) {
    const table = tableOf(state, object.flowtable);
    const name = nameIn(table.flowtables, object.flowtable);
    found(table.flowtables.get(name));
    refuseIf(isUsed(table, `flowtable:${name}`), 'EBUSY');
    state.write(table, 'flowtables', withEntry(table.flowtables, name, undefined));
  } else {
    throw new NftError('SYNTAX', 'Unknown object passed to delete command.');
  }
}

/** As the emulation does it: first added, so that what contradicts the existing object is refused, then deleted. */
function destroyObject(state: FakeState, object: DestroyObject): void {
  if ('chain' in object) {
    const { family, table, name } = object.chain;
    addObject(state, { chain: { family, table, name } }, false);
  } else if ('set' in object) {
    addObject(state, { set: { ...object.set, elem: [] } }, false);
  } else if ('map' in object) {
    addObject(state, { map: { ...object.map, elem: [] } }, false);
  } else {
    addObject(state, object, false);
  }
  deleteObject(state, object);
}

function flushObject(state: FakeState, object: FlushObject): void {
  if ('ruleset' in object) {
    const family = object.ruleset?.family;
    const kept = [...state.tables].filter(([, table]) => family !== undefined && table.definition.family !== family);
    state.write(state, 'tables', new Map(kept));
  } else if ('table' in object) {
    const table = found(state.table(object.table.family, object.table.name));
    for (const chain of table.chains.values()) {
      removeRules(state, table, chain, chain.rules);
    }
  } else if ('chain' in object) {
    const table = tableOf(state, object.chain);
    const chain = found(table.chains.get(object.chain.name));
    removeRules(state, table, chain, chain.rules);
  } else {
    const kind = 'set' in object ? 'set' : 'map';
    const reference = 'set' in object ? object.set : object.map;
    const table = tableOf(state, reference);
    const set = found(table.sets.get(reference.name));
    refuseIf(set.kind !== kind, 'ENOENT');
    clearSet(state, table, set);
  }
}

function resetCounter(
  state: FakeState,
  reference: { readonly family: Family; readonly table: string; readonly name: string },
): void {
  const counter = found(tableOf(state, reference).counters.get(reference.name));
  state.write(counter, 'packets', 0);
  state.write(counter, 'bytes', 0);
}

function removeRules(state: FakeState, table: FakeTable, chain: FakeChain, rules: readonly FakeRule[]): void {
  for (const each of rules) {
    count(state, table, referencesOf(each.rule.expr), -1);
  }
  state.write(
    chain,
    'rules',
    chain.rules.filter((each) => !rules.includes(each)),
  );
}

function exists(table: FakeTable, reference: string): boolean {
  const separator = reference.indexOf(':');
  const name = reference.slice(separator + 1);
  switch (reference.slice(0, separator)) {
    case 'chain':
      return table.chains.has(name);
    case 'counter':
      return table.counters.has(name);
    case 'flowtable':
      return table.flowtables.has(name);
    default:
      return table.sets.has(name);
  }
}

function tablesOf(state: FakeState, family: Family): ReadonlyMap<string, FakeTable> {
  return new Map(
    [...state.tables.values()]
      .filter((table) => table.definition.family === family)
      .map((table) => [table.definition.name, table]),
  );
}

function nameIn(
  objects: ReadonlyMap<string, { readonly handle: number }>,
  reference: { readonly name: string } | { readonly handle: number },
): string {
  return 'name' in reference ? reference.name : nameOfHandle(objects, reference.handle);
}

function nameOfHandle(objects: ReadonlyMap<string, { readonly handle: number }>, handle: number): string {
  return found([...objects].find(([, object]) => object.handle === handle))[0];
}
