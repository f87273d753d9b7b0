/**
 * The list command that answers a selector at the least cost.
 *
 * libnftables 1.0.6 fetches every element there is for `list table`, `chain`, `set`, `tables` and `counter`, even when
 * it is told to be terse (280 ms at 100,000 elements). The whole ruleset, and the sets or maps of a family, it lists
 * terse without them (0.2 ms). So where elements are not asked for, one of these is listed and what was meant is kept.
 */
import { NftError } from './nft-error.js';
import type { Selector } from './nftables.js';
import type { NftObject } from './objects.js';

export interface ListPlan {
  /** Object of the list command. */
  readonly list: object;
  readonly terse: boolean;
  readonly keep: (object: NftObject) => boolean;
  /** What must be in the answer, else it is ENOENT; undefined if an empty answer is fine. */
  readonly named: ((object: NftObject) => boolean) | undefined;
}

export function planListing(selector: Selector, terse: boolean): ListPlan {
  if ('table' in selector && terse) {
    const { family, name } = selector.table;
    const isTable = (object: NftObject): boolean =>
      'table' in object && object.table.family === family && object.table.name === name;
    const isInside = (object: NftObject): boolean => !('table' in object) && isInTable(object, family, name);
    return {
      list: { ruleset: { family } },
      terse,
      keep: (object) => isTable(object) || isInside(object),
      named: isTable,
    };
  }
  if ('tables' in selector) {
    return { list: { ruleset: selector.tables }, terse: true, keep: (object) => 'table' in object, named: undefined };
  }
  if ('counter' in selector) {
    const { family, table, name } = selector.counter;
    const isCounter = (object: NftObject): boolean =>
      'counter' in object && isInTable(object, family, table) && object.counter.name === name;
    return { list: { ruleset: { family } }, terse: true, keep: isCounter, named: isCounter };
  }
  if ('chain' in selector) {
    // A chain has no elements of its own; anonymous sets in its rules are printed in terse listings as well.
    const { family, table, name } = selector.chain;
    const isChain = (object: NftObject): boolean =>
      'chain' in object && isInTable(object, family, table) && object.chain.name === name;
    const isRule = (object: NftObject): boolean =>
      'rule' in object && isInTable(object, family, table) && object.rule.chain === name;
    return {
      list: { ruleset: { family } },
      terse: true,
      keep: (object) => isChain(object) || isRule(object),
      named: isChain,
    };
  }
  if ('set' in selector && terse) {
    const { family, table, name } = selector.set;
    const isSet = (object: NftObject): boolean =>
      'set' in object && isInTable(object, family, table) && object.set.name === name;
    return { list: { sets: { family } }, terse, keep: isSet, named: isSet };
  }
  if ('map' in selector && terse) {
    const { family, table, name } = selector.map;
    const isMap = (object: NftObject): boolean =>
      'map' in object && isInTable(object, family, table) && object.map.name === name;
    return { list: { maps: { family } }, terse, keep: isMap, named: isMap };
  }
  return { list: selector, terse, keep: () => true, named: undefined };
}

/** The objects that were asked for. @throws NftError ENOENT */
export function select(plan: ListPlan, selector: Selector, objects: readonly NftObject[]): readonly NftObject[] {
  if (plan.named && !objects.some(plan.named)) {
    throw new NftError('ENOENT', `list ${JSON.stringify(selector)}: No such file or directory`);
  }
  return objects.filter(plan.keep);
}

/** A set or map of a listing has elements. */
export function hasElements(object: NftObject): boolean {
  const elements = 'set' in object ? object.set.elem : 'map' in object ? object.map.elem : undefined;
  return (elements?.length ?? 0) > 0;
}

function isInTable(object: NftObject, family: string, table: string): boolean {
  const [value] = Object.values(object) as readonly { readonly family?: string; readonly table?: string }[];
  return value?.family === family && value.table === table;
}
