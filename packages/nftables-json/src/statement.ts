/**
 * Statements: what a rule does, as in libnftables-json(5) "STATEMENTS". A rule's `expr` is a list of
 * them; each is the JSON object itself, identified by its one property.
 */
import type { Expression, SetExpression, Verdict } from './expression.js';

/** Continues with the rule only if the comparison holds. `in` tests bits, as `ct state established,related` does. */
export interface MatchStatement {
  readonly match: {
    readonly op: '==' | '!=' | '<' | '>' | '<=' | '>=' | 'in';
    readonly left: Expression;
    readonly right: Expression;
  };
}

/** Writes a packet field, `meta mark`, `ct mark` ... */
export interface MangleStatement {
  readonly mangle: { readonly key: Expression; readonly value: Expression };
}

/** Takes the verdict that the map holds for the key; falls through when it holds none. */
export interface VmapStatement {
  readonly vmap: { readonly key: Expression; readonly data: string | SetExpression };
}

/** Adds an element to a set from the packet path; `update` also restarts its timeout. */
export interface SetStatement {
  readonly set: {
    readonly op: 'add' | 'update' | 'delete';
    readonly elem: Expression;
    /** `@name`. */
    readonly set: string;
  };
}

/** As SetStatement, for a map. */
export interface MapStatement {
  readonly map: {
    readonly op: 'add' | 'update' | 'delete';
    readonly elem: Expression;
    readonly data: Expression;
    /** `@name`. */
    readonly map: string;
  };
}

/** The rule's own counter (null starts at zero), or the name of a counter object. */
export interface CounterStatement {
  readonly counter: null | string | { readonly packets: number; readonly bytes: number };
}

export interface LogStatement {
  readonly log: null | {
    readonly prefix?: string;
    readonly group?: number;
    readonly snaplen?: number;
    readonly 'queue-threshold'?: number;
    readonly level?: 'emerg' | 'alert' | 'crit' | 'err' | 'warn' | 'notice' | 'info' | 'debug' | 'audit';
    readonly flags?: string | readonly string[];
  };
}

export interface LimitStatement {
  readonly limit:
    | string
    | {
        readonly rate: number;
        readonly rate_unit?: 'packets' | 'bytes' | 'kbytes' | 'mbytes';
        readonly per?: 'second' | 'minute' | 'hour' | 'day' | 'week';
        readonly burst?: number;
        readonly burst_unit?: 'bytes' | 'kbytes' | 'mbytes';
        readonly inv?: boolean;
      };
}

export interface RejectStatement {
  readonly reject: null | { readonly type?: 'tcp reset' | 'icmp' | 'icmpv6' | 'icmpx'; readonly expr?: Expression };
}

export interface NotrackStatement {
  readonly notrack: null;
}

/** The place that network address translation rewrites to. */
export interface NatTarget {
  readonly addr?: Expression;
  /** Needed in an inet table wherever `addr` is given. */
  readonly family?: 'ip' | 'ip6';
  readonly port?: Expression;
  readonly flags?: string | readonly string[];
}

export type NatStatement =
  | { readonly snat: NatTarget }
  | { readonly dnat: NatTarget }
  | { readonly masquerade: null | Omit<NatTarget, 'addr' | 'family'> }
  | { readonly redirect: null | Omit<NatTarget, 'addr' | 'family'> };

/** Hands the flow to a flowtable. */
export interface FlowStatement {
  readonly flow: { readonly op: 'add'; readonly flowtable: string };
}

/** Any statement. */
export type Statement =
  | CounterStatement
  | FlowStatement
  | LimitStatement
  | LogStatement
  | MangleStatement
  | MapStatement
  | MatchStatement
  | NatStatement
  | NotrackStatement
  | RejectStatement
  | SetStatement
  | Verdict
  | VmapStatement;
