/**
 * Ruleset objects, as in libnftables-json(5) "RULESET ELEMENTS".
 *
 * One type serves both ways: what a transaction adds, and what a listing returns. Fields that only the kernel knows
 * (`handle`) are optional for that reason. A handle is a number below 2^53.
 */
import type { Expression, MapPair } from './expression.js';
import type { Statement } from './statement.js';

export type Family = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';

export interface Table {
  readonly family: Family;
  readonly name: string;
  readonly handle?: number;
  readonly flags?: TableFlag | readonly TableFlag[];
  /** nft 1.0.6 accepts the comment of a table, chain, set or map in JSON and silently drops it. */
  readonly comment?: string;
}

export type TableFlag = 'dormant' | 'owner' | 'persist';

/** A base chain has all of `type`, `hook` and `prio`; a regular chain none of them. */
export interface Chain {
  readonly family: Family;
  readonly table: string;
  readonly name: string;
  readonly handle?: number;
  readonly type?: 'filter' | 'nat' | 'route';
  readonly hook?: Hook;
  /**
   * -400 defrag, -300 raw, -200 conntrack, -150 mangle, -100 dstnat, 0 filter, 100 srcnat; a chain may lie between.
   */
  readonly prio?: number;
  /** Device of a netdev chain. */
  readonly dev?: string | readonly string[];
  readonly policy?: 'accept' | 'drop';
  readonly comment?: string;
}

/** In a transaction `handle` or `index` say next to which rule a rule is added or inserted. */
export interface Rule {
  readonly family: Family;
  readonly table: string;
  readonly chain: string;
  readonly expr: readonly Statement[];
  readonly handle?: number;
  readonly index?: number;
  readonly comment?: string;
}

/** `dynamic`: filled by rules. nft 1.0.6 knows it neither in JSON input nor in listings (see Features). */
export type SetFlag = 'constant' | 'interval' | 'timeout' | 'dynamic';

interface SetProperties {
  readonly family: Family;
  readonly table: string;
  readonly name: string;
  readonly handle?: number;
  /** Type of the key, a list for a concatenation: `['ifname', 'ether_addr']`. */
  readonly type: string | readonly string[];
  readonly policy?: 'performance' | 'memory';
  readonly flags?: SetFlag | readonly SetFlag[];
  /** Seconds that an element lives unless it says otherwise. */
  readonly timeout?: number;
  readonly 'gc-interval'?: number;
  /** Most elements that the set takes. A dynamic set without one is bounded to 65535 by the kernel. */
  readonly size?: number;
  readonly 'auto-merge'?: boolean;
  readonly comment?: string;
}

export interface NftSet extends SetProperties {
  readonly elem?: readonly Expression[];
}

export interface NftMap extends SetProperties {
  /** Type of the values: `verdict`, `mark`, `ipv4_addr` ... */
  readonly map: string | readonly string[];
  readonly elem?: readonly MapPair[];
}

/** Elements of one named set or map. A pair is an element of a map; to delete one, its key suffices. */
export interface Element {
  readonly family: Family;
  readonly table: string;
  /** Name of the set or map. */
  readonly name: string;
  readonly elem: readonly (Expression | MapPair)[];
}

export interface Counter {
  readonly family: Family;
  readonly table: string;
  readonly name: string;
  readonly handle?: number;
  readonly packets?: number;
  readonly bytes?: number;
  readonly comment?: string;
}

export interface Flowtable {
  readonly family: Family;
  readonly table: string;
  readonly name: string;
  readonly handle?: number;
  readonly hook?: 'ingress';
  readonly prio?: number;
  readonly dev?: string | readonly string[];
}

/** Any object, under the one key that names its kind. */
export type NftObject =
  | { readonly table: Table }
  | { readonly chain: Chain }
  | { readonly rule: Rule }
  | { readonly set: NftSet }
  | { readonly map: NftMap }
  | { readonly element: Element }
  | { readonly counter: Counter }
  | { readonly flowtable: Flowtable };

/** Keys of NftObject. */
export type ObjectKind = 'table' | 'chain' | 'rule' | 'set' | 'map' | 'element' | 'counter' | 'flowtable';

/** Names a table by name or by handle. */
export type TableReference =
  | { readonly family: Family; readonly name: string }
  | { readonly family: Family; readonly handle: number };

/** Names an object inside a table by name or by handle. */
export type NamedReference =
  | { readonly family: Family; readonly table: string; readonly name: string }
  | { readonly family: Family; readonly table: string; readonly handle: number };

/** Names a rule: a rule has no name, only a handle. */
export interface RuleReference {
  readonly family: Family;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
}
