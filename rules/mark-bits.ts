import type { Expression, Statement } from 'nftables-json';
import type { Policy } from './world.js';

/** The mark of a packet, or the one that its flow remembers in conntrack. */
export type MarkOf = 'ct' | 'meta';

const MARKS = { ct: { ct: { key: 'mark' } }, meta: { meta: { key: 'mark' } } } as const;

/** Our bits of a mark: the id of a gateway, or 0. */
export function ourBits(of: MarkOf, { markMask }: Pick<Policy, 'markMask'>): Expression {
  return { '&': [MARKS[of], markMask] };
}

/** `==`: a mark without a gateway; `!=`: one with. */
export function matchOurBits(of: MarkOf, policy: Pick<Policy, 'markMask'>, op: '==' | '!='): Statement {
  return { match: { op, left: ourBits(of, policy), right: 0 } };
}

/**
 * Frees a packet of a gateway that another program gave it: rules that copy a flow's whole mark into each of its packets
 * are common (wg-quick, `CONNMARK --restore-mark` without a mask), and would send a question to where its answer goes.
 */
export function clearPacketMark(policy: Pick<Policy, 'markMask'>): Statement[] {
  return [matchOurBits('meta', policy, '!='), writeOurBits('meta', policy, 0)];
}

/**
 * Makes our bits of a mark `bits`. The bits outside the mask are kept: they belong to others.
 *
 * @param bits within the mask
 */
export function writeOurBits(of: MarkOf, { markMask }: Pick<Policy, 'markMask'>, bits: number): Statement {
  const mark = MARKS[of];
  const kept = { '&': [mark, ~markMask >>> 0] } as const;
  return { mangle: { key: mark, value: bits === 0 ? kept : { '|': [kept, bits] } } };
}
