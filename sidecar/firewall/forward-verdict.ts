import type { NftObject } from 'nftables-json';
import type { Family } from '../../rules/index.js';

/** The first packet of a flow that the endpoint would forward. */
export interface ForwardedPacket {
  readonly family: Family;
  readonly from: string;
  readonly to: string;
}

/** Why such a packet would not pass. */
export interface Refusal {
  /** `nftables chain inet firewalld filter_FWD_public`. */
  readonly where: string;
  /** In nft's words: `reject`, `drop`. */
  readonly verdict: 'reject' | 'drop';
  /** Earlier rules may accept the packet, for reasons that its devices do not show. */
  readonly mayBeAccepted: boolean;
}

type NftRule = Extract<NftObject, { rule: unknown }>['rule'];
type NftChain = Extract<NftObject, { chain: unknown }>['chain'];
type Statement = NftRule['expr'][number];
interface Verdict {
  readonly kind: 'accept' | 'reject' | 'drop';
  readonly where: string;
}

/** Deeper than the kernel follows jumps: NFT_JUMP_STACK_SIZE. */
const MAX_DEPTH = 16;

/**
 * What rules of nftables do with the first packet of a flow, as far as its devices and family tell. Every base chain
 * of hook forward has to let it pass. Verdicts of rules that ask for more (a port, an address) are taken for possible.
 * A policy that drops is left to the caller.
 *
 * @returns the rule that certainly ends its way, if none accepts it before; null if there is none
 */
export function refusalOf(objects: readonly NftObject[], packet: ForwardedPacket): Refusal | null {
  const bases = objects.flatMap((object) =>
    'chain' in object && object.chain.hook === 'forward' && isOfFamily(object.chain.family, packet.family)
      ? [object.chain]
      : [],
  );
  for (const base of bases.toSorted((a, b) => (a.prio ?? 0) - (b.prio ?? 0))) {
    const walk = new Walk(objects, base, packet);
    const verdict = walk.chain(base.name, 0);
    if (verdict !== null && verdict.kind !== 'accept')
      return { where: verdict.where, verdict: verdict.kind, mayBeAccepted: walk.mayBeAccepted };
  }
  return null;
}

class Walk {
  mayBeAccepted = false;
  readonly #rules = new Map<string, NftRule[]>();
  readonly #place: NftChain;
  readonly #packet: ForwardedPacket;

  constructor(objects: readonly NftObject[], place: NftChain, packet: ForwardedPacket) {
    this.#place = place;
    this.#packet = packet;
    for (const object of objects) {
      if (!('rule' in object) || object.rule.family !== place.family || object.rule.table !== place.table) continue;
      const known = this.#rules.get(object.rule.chain);
      if (known === undefined) this.#rules.set(object.rule.chain, [object.rule]);
      else known.push(object.rule);
    }
  }

  /** The certain verdict of a chain; null when the packet comes out of it. */
  chain(name: string, depth: number): Verdict | null {
    if (depth > MAX_DEPTH) return null;
    for (const { expr } of this.#rules.get(name) ?? []) {
      const isCertain = this.#matches(expr);
      if (isCertain === false) continue;
      const outcome = this.#outcome(expr, name, depth);
      if (outcome === 'next') continue;
      if (isCertain === true) return outcome === 'leave' ? null : outcome;
      if (outcome !== 'leave' && outcome.kind === 'accept') this.mayBeAccepted = true;
    }
    return null;
  }

  #outcome(expr: readonly Statement[], name: string, depth: number): Verdict | 'next' | 'leave' {
    const where = `nftables chain ${this.#place.family} ${this.#place.table} ${name}`;
    for (const statement of expr) {
      const action = 'vmap' in statement ? this.#chosen(statement.vmap) : statement;
      if (action === null) continue;
      if ('accept' in action) return { kind: 'accept', where };
      if ('drop' in action) return { kind: 'drop', where };
      if ('reject' in action || isXtReject(action)) return { kind: 'reject', where };
      if ('return' in action) return 'leave';
      if ('jump' in action) return this.chain((action.jump as { target: string }).target, depth + 1) ?? 'next';
      if ('goto' in action) return this.chain((action.goto as { target: string }).target, depth + 1) ?? 'leave';
    }
    return 'next';
  }

  /** What a verdict map leads to for this packet; null if it has nothing for it, or is unknown. */
  #chosen(vmap: { readonly key: unknown; readonly data: unknown }): object | null {
    const value = this.#value(vmap.key);
    const pairs = (vmap.data as { set?: readonly (readonly [unknown, object])[] } | null)?.set;
    if (value === null || !Array.isArray(pairs)) return null;
    return pairs.find(([key]) => fits(value, key))?.[1] ?? null;
  }

  /** Whether every match of a rule is met: `null` if it is unknown. */
  #matches(expr: readonly Statement[]): boolean | null {
    let isCertain: boolean | null = true;
    for (const statement of expr) {
      if ('xt' in statement && !isXtReject(statement)) isCertain = null;
      if (!('match' in statement)) continue;
      const { left, right, op } = statement.match;
      const value = this.#value(left);
      if (value === null) {
        isCertain = null;
        continue;
      }
      if (fits(value, right) === (op === '!=')) return false;
    }
    return isCertain;
  }

  /** What is known of the packet: its devices, its family, and that it begins a flow. */
  #value(expression: unknown): string | null {
    switch (JSON.stringify(expression)) {
      case '{"meta":{"key":"iifname"}}':
      case '{"meta":{"key":"iif"}}':
        return this.#packet.from;
      case '{"meta":{"key":"oifname"}}':
      case '{"meta":{"key":"oif"}}':
        return this.#packet.to;
      case '{"meta":{"key":"nfproto"}}':
        return this.#packet.family === 4 ? 'ipv4' : 'ipv6';
      case '{"ct":{"key":"state"}}':
        return 'new';
      case '{"ct":{"key":"status"}}':
        return 'none';
      default: {
        const protocol = (expression as { payload?: { protocol?: unknown } } | null)?.payload?.protocol;
        // A packet of the other family does not match.
        return protocol === (this.#packet.family === 4 ? 'ip6' : 'ip') ? 'other family' : null;
      }
    }
  }
}

/** A value against the right side of a match: one, a list of flags, a set; a name may end in `*`. */
function fits(value: string, right: unknown): boolean {
  if (Array.isArray(right)) return right.some((one) => fits(value, one));
  if (typeof right === 'object' && right !== null && 'set' in right) return fits(value, right.set);
  if (typeof right !== 'string') return false;
  return right.endsWith('*') ? value.startsWith(right.slice(0, -1)) : value === right;
}

/** iptables-nft has REJECT as an extension. */
function isXtReject(statement: object): boolean {
  return 'xt' in statement && (statement.xt as { name?: unknown } | null)?.name === 'REJECT';
}

function isOfFamily(family: string, wanted: Family): boolean {
  return family === 'inet' || family === (wanted === 4 ? 'ip' : 'ip6');
}
