/**
 * Commands: one change of the ruleset each, the JSON object itself, in the words of libnftables-json(5) "COMMAND
 * OBJECTS".
 */
import type {
  Chain,
  Counter,
  Element,
  Family,
  Flowtable,
  NamedReference,
  NftMap,
  NftObject,
  NftSet,
  Rule,
  RuleReference,
  Table,
  TableReference,
} from './objects.js';

/** An object as `add` and `create` take it. */
export type AddObject = NftObject;

/** An object that `delete` removes; `handle` or name identify it, elements are given by value. */
export type DeleteObject =
  | { readonly table: TableReference }
  | { readonly chain: NamedReference }
  | { readonly rule: RuleReference }
  | { readonly set: NamedReference }
  | { readonly map: NamedReference }
  | { readonly element: Element }
  | { readonly counter: NamedReference }
  | { readonly flowtable: NamedReference };

/**
 * An object that `destroy` removes if it is there. It is given in full, since where nft knows no `destroy` (before
 * 1.0.8) it is first added and then deleted, in the same transaction. Its table must exist, and an element of a map
 * must have the value given.
 */
export type DestroyObject =
  | { readonly table: Table }
  | { readonly chain: Chain }
  | { readonly set: NftSet }
  | { readonly map: NftMap }
  | { readonly element: Element }
  | { readonly counter: Counter }
  | { readonly flowtable: Flowtable };

/** What `flush` empties: a table or a chain of its rules, a set or a map of its elements, `ruleset` of everything. */
export type FlushObject =
  | { readonly table: { readonly family: Family; readonly name: string } }
  | { readonly chain: { readonly family: Family; readonly table: string; readonly name: string } }
  | { readonly set: { readonly family: Family; readonly table: string; readonly name: string } }
  | { readonly map: { readonly family: Family; readonly table: string; readonly name: string } }
  | { readonly ruleset: null | { readonly family: Family } };

/** What `reset` sets to zero. */
export type ResetObject = {
  readonly counter: { readonly family: Family; readonly table: string; readonly name: string };
};

/** A rule with the handle of the rule that it replaces. */
export type ReplaceRule = Rule & { readonly handle: number };

export type Command =
  | { readonly add: AddObject }
  | { readonly create: AddObject }
  | { readonly insert: { readonly rule: Rule } }
  | { readonly replace: { readonly rule: ReplaceRule } }
  | { readonly delete: DeleteObject }
  | { readonly destroy: DestroyObject }
  | { readonly flush: FlushObject }
  | { readonly reset: ResetObject };

/** Keys of Command. */
export type Verb = 'add' | 'create' | 'insert' | 'replace' | 'delete' | 'destroy' | 'flush' | 'reset';
