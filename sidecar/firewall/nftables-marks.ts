import type { NftObject } from 'nftables-json';
import type { Policy } from '../../rules/index.js';
import { markClash } from './clash.js';

/** An inline endpoint has a second table of ours, for frames. */
const OUR_FAMILIES: ReadonlySet<string> = new Set(['inet', 'bridge']);

/** Rules of other tables that set bits of our mask in a packet mark or conntrack mark, one sentence each. */
export function nftablesMarkClashes(policy: Policy, objects: readonly NftObject[]): string[] {
  return objects.flatMap((object) => {
    if (!('rule' in object) || (object.rule.table === policy.table && OUR_FAMILIES.has(object.rule.family))) return [];
    const { family, table, chain, expr } = object.rule;
    const clashes = expr.some(
      (statement) =>
        'mangle' in statement && isMark(statement.mangle) && setsBits(statement.mangle.value, policy.markMask),
    );
    return clashes ? [markClash(`nftables chain ${family} ${table} ${chain}`, policy)] : [];
  });
}

function isMark(mangle: { readonly key: unknown }): boolean {
  return /^\{"(meta|ct)":\{"key":"mark"\}\}$/.test(JSON.stringify(mangle.key));
}

/** A constant with one of the bits, also as the right side of `or`; the mask of an `and` sets nothing. */
function setsBits(value: unknown, mask: number): boolean {
  if (typeof value === 'number') return (value & mask) !== 0;
  if (typeof value !== 'object' || value === null || !('|' in value) || !Array.isArray(value['|'])) return false;
  return value['|'].some((part) => setsBits(part, mask));
}
