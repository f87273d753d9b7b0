import type { NftObject } from 'nftables-json';
import type { Family } from '../../rules/index.js';
import { savedLines } from './saved-lines.js';

/**
 * A rule of another program that drops packets whose way back does not lead over the device that they came by:
 * rp_filter as a rule. An endpoint without routes has no such route to distant hosts.
 */
export interface PathFilter {
  /** `nftables chain inet firewalld filter_PREROUTING`, `iptables chain raw PREROUTING`. */
  readonly where: string;
  readonly families: readonly Family[];
  /** `prerouting`, `forward` ... of the base chain that leads there. */
  readonly hook: string;
  /** Of that base chain: the later the larger. */
  readonly priority: number;
  /** It looks up with the packet's mark, so gwmark can give it the route to a gateway. */
  readonly asksWithMark: boolean;
}

type NftRule = Extract<NftObject, { rule: unknown }>['rule'];
type Fib = { readonly result?: unknown; readonly flags?: unknown };

/**
 * Such rules in a listing of nftables, terse or whole: `fib saddr . iif oif missing drop`, or `... exists accept`
 * where the rest is dropped.
 *
 * @param ourTable whose rules are passed over
 * @see nft(8), FIB EXPRESSIONS
 */
export function nftPathFilters(objects: readonly NftObject[], ourTable: string): readonly PathFilter[] {
  const filters = objects.flatMap((object): PathFilter[] => {
    if (!('rule' in object) || object.rule.table === ourTable) return [];
    const { family, table, chain, expr } = object.rule;
    const fib = fibOf(object.rule);
    if (fib === null || !decides(object.rule)) return [];
    const families = familiesOf(family, expr);
    const base = baseOf(objects, object.rule);
    if (families.length === 0 || base === null) return [];
    return [
      {
        where: `nftables chain ${family} ${table} ${chain}`,
        families,
        ...base,
        asksWithMark: flagsOf(fib).includes('mark'),
      },
    ];
  });
  return unique(filters);
}

/** Priorities of the tables of iptables in PREROUTING: linux/netfilter_ipv4.h, NF_IP_PRI_RAW and so on. */
const IPTABLES_PRIORITY: Readonly<Record<string, number>> = { raw: -300, mangle: -150, nat: -100 };

/**
 * The same of iptables: `-m rpfilter`, inverted or not.
 *
 * @param saved as of iptables-save, or ip6tables-save for the family 6
 * @see iptables-extensions(8), rpfilter: it works in PREROUTING of raw and mangle alone
 */
export function iptablesPathFilters(saved: string, family: Family): readonly PathFilter[] {
  const filters = savedLines(saved).flatMap(({ table, line }): PathFilter[] => {
    const rule = /^-A (\S+) .*-m rpfilter\b(.*)$/.exec(line);
    if (rule === null || !/ -[jg] /.test(line) || / -j (LOG|NFLOG)\b/.test(line)) return [];
    return [
      {
        where: `${family === 4 ? 'iptables' : 'ip6tables'} chain ${table} ${rule[1]}`,
        families: [family],
        hook: 'prerouting',
        priority: IPTABLES_PRIORITY[table] ?? 0,
        asksWithMark: / --validmark\b/.test(rule[2] ?? ''),
      },
    ];
  });
  return unique(filters);
}

/** True if iptables-nft has such rules, which nft cannot show whole. */
export function hasIptablesPathFilter(objects: readonly NftObject[]): boolean {
  return objects.some(
    (object) =>
      'rule' in object &&
      object.rule.expr.some(
        (statement) => 'xt' in statement && (statement.xt as { name?: unknown } | null)?.name === 'rpfilter',
      ),
  );
}

function unique(filters: readonly PathFilter[]): PathFilter[] {
  return [...new Map(filters.map((filter) => [JSON.stringify(filter), filter])).values()];
}

/**
 * The question for the device on the way back to the source; what kind of address the source is, is another matter.
 */
function fibOf({ expr }: NftRule): Fib | null {
  for (const statement of expr) {
    const fib =
      'match' in statement
        ? (statement.match.left as { fib?: Fib }).fib
        : 'vmap' in statement
          ? (statement.vmap.key as { fib?: Fib }).fib
          : undefined;
    if (fib !== undefined && (fib.result === 'oif' || fib.result === 'oifname') && flagsOf(fib).includes('saddr'))
      return fib;
  }
  return null;
}

function flagsOf({ flags }: Fib): readonly string[] {
  return Array.isArray(flags) ? flags.map(String) : [String(flags)];
}

/** Whether it decides about packets; rules that only count, log or mark do not. */
function decides({ expr }: NftRule): boolean {
  const has = (...words: readonly string[]): boolean =>
    expr.some((statement) => words.some((word) => word in statement));
  if (has('vmap')) return true;
  const isForMissing = expr.some(
    (statement) =>
      'match' in statement &&
      'fib' in (statement.match.left as object) &&
      (statement.match.op === '!=') !== (statement.match.right === false || statement.match.right === 0),
  );
  return isForMissing ? has('drop', 'reject', 'jump', 'goto') : has('accept', 'return', 'jump', 'goto');
}

function familiesOf(family: string, expr: NftRule['expr']): Family[] {
  if (family === 'ip') return [4];
  if (family === 'ip6') return [6];
  if (family !== 'inet') return [];
  const text = JSON.stringify(expr);
  const isIpv6 = /"right":"ipv6"|"protocol":"ip6"/.test(text);
  const isIpv4 = /"right":"ipv4"|"protocol":"ip"/.test(text);
  return isIpv4 === isIpv6 ? [4, 6] : isIpv4 ? [4] : [6];
}

/** The base chain from which jumps lead to a rule; of several, the one that comes first. */
function baseOf(
  objects: readonly NftObject[],
  { family, table, chain }: NftRule,
): Pick<PathFilter, 'hook' | 'priority'> | null {
  const here = (place: { readonly family: string; readonly table: string }): boolean =>
    place.family === family && place.table === table;
  const reached = new Set([chain]);
  for (let size = 0; size !== reached.size;) {
    size = reached.size;
    for (const object of objects) {
      if (!('rule' in object) || !here(object.rule)) continue;
      const targets = [...JSON.stringify(object.rule.expr).matchAll(/"(?:jump|goto)":\{"target":"([^"]+)"\}/g)].map(
        ([, target]) => target ?? '',
      );
      if (targets.some((target) => reached.has(target))) reached.add(object.rule.chain);
    }
  }
  const bases = objects.flatMap((object) =>
    'chain' in object && here(object.chain) && reached.has(object.chain.name) && object.chain.hook !== undefined
      ? [{ hook: object.chain.hook, priority: object.chain.prio ?? 0 }]
      : [],
  );
  return (
    bases.toSorted(
      (a, b) => Number(b.hook === 'prerouting') - Number(a.hook === 'prerouting') || a.priority - b.priority,
    )[0] ?? null
  );
}
