/**
 * Expressions: what a rule reads from a packet, and the constants and sets it compares with.
 *
 * Each type is the JSON object itself, told apart by its one property, in the words of
 * libnftables-json(5) "EXPRESSIONS". Nothing is wrapped: what is written here is what libnftables reads.
 */

/** A verdict as the value of a verdict map element, and as a statement of a rule. */
export type Verdict =
  | { readonly accept: null }
  | { readonly drop: null }
  | { readonly continue: null }
  | { readonly return: null }
  | { readonly jump: { readonly target: string } }
  | { readonly goto: { readonly target: string } };

/** Values joined by `.`: the key of a set whose `type` is a list. */
export interface ConcatExpression {
  readonly concat: readonly Expression[];
}

/** An anonymous set: `{ 22, 80 }`, or pairs where a map or verdict map is meant. */
export interface SetExpression {
  readonly set: Expression | readonly (Expression | MapPair)[];
}

/** A value chosen by a key: `ip saddr map @marks`. */
export interface MapExpression {
  readonly map: {
    readonly key: Expression;
    /** `@name` of a map, or an anonymous one. */
    readonly data: string | SetExpression;
  };
}

/** An address with its prefix length: `10.0.0.0/8`. */
export interface PrefixExpression {
  readonly prefix: { readonly addr: Expression; readonly len: number };
}

/** Both ends included: `10.0.0.1-10.0.0.9`. */
export interface RangeExpression {
  readonly range: readonly [Expression, Expression];
}

/** A named header field, or raw bits. */
export interface PayloadExpression {
  readonly payload:
    | { readonly protocol: string; readonly field: string }
    | { readonly base: 'll' | 'nh' | 'th' | 'ih'; readonly offset: number; readonly len: number };
}

/** An IPv6 extension header, or its presence where `field` is left out. */
export interface ExthdrExpression {
  readonly exthdr: { readonly name: string; readonly field?: string; readonly offset?: number };
}

/** A TCP option, or its presence where `field` is left out. */
export interface TcpOptionExpression {
  readonly 'tcp option': { readonly name: string; readonly field?: string };
}

/** Packet metadata: `iifname`, `iiftype`, `mark`, `l4proto`, `nfproto`, `pkttype` ... */
export interface MetaExpression {
  readonly meta: { readonly key: string };
}

/**
 * Conntrack data: `state`, `direction`, `mark`, `label`, and with `dir` the addresses of one direction
 * (`{key: 'ip saddr', dir: 'original'}`; in an inet table the key must name the family).
 */
export interface CtExpression {
  readonly ct: {
    readonly key: string;
    readonly family?: 'ip' | 'ip6';
    readonly dir?: 'original' | 'reply';
  };
}

/** What the routing tables say about an address: `fib daddr type local`. */
export interface FibExpression {
  readonly fib: {
    readonly result: 'oif' | 'oifname' | 'type';
    readonly flags: FibFlag | readonly FibFlag[];
  };
}

export type FibFlag = 'saddr' | 'daddr' | 'mark' | 'iif' | 'oif';

/** Routing data of the packet: `nexthop`, `mtu`, `classid`. */
export interface RtExpression {
  readonly rt: { readonly key: string; readonly family?: 'ip' | 'ip6' };
}

/** Properties of the socket that would take the packet. */
export interface SocketExpression {
  readonly socket: { readonly key: string };
}

/** A running or random number. */
export interface NumgenExpression {
  readonly numgen: { readonly mode: 'inc' | 'random'; readonly mod: number; readonly offset?: number };
}

/** Two operands, or more where the operator is associative. Marks are masked with these. */
export type BinaryExpression =
  | { readonly '&': readonly Expression[] }
  | { readonly '|': readonly Expression[] }
  | { readonly '^': readonly Expression[] }
  | { readonly '<<': readonly [Expression, Expression] }
  | { readonly '>>': readonly [Expression, Expression] };

/** A set element that carries more than its value. Times are in seconds. */
export interface ElemExpression {
  readonly elem: {
    readonly val: Expression;
    /** Seconds after which the kernel drops the element; needs the set's flag `timeout`. */
    readonly timeout?: number;
    /** Seconds that are left; in listings only. */
    readonly expires?: number;
    readonly comment?: string;
    readonly counter?: { readonly packets: number; readonly bytes: number };
  };
}

/**
 * Any expression. A string is a constant in nft's own words, or `@name` of a named set; a list is a set of flags
 * (`['established', 'related']`).
 */
export type Expression =
  | string
  | number
  | boolean
  | readonly Expression[]
  | BinaryExpression
  | ConcatExpression
  | CtExpression
  | ElemExpression
  | ExthdrExpression
  | FibExpression
  | MapExpression
  | MetaExpression
  | NumgenExpression
  | PayloadExpression
  | PrefixExpression
  | RangeExpression
  | RtExpression
  | SetExpression
  | SocketExpression
  | TcpOptionExpression
  | Verdict;

/** Key and value of one map element. */
export type MapPair = readonly [key: Expression, value: Expression];
