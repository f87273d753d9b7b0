import type { NftObject, Statement } from 'nftables-json';
import { savedLines } from '../firewall/saved-lines.js';

/** Another program's rule that writes a packet mark or a conntrack mark. */
export interface MarkWrite {
  /** `nftables chain ip mangle PREROUTING`, `iptables chain mangle PREROUTING`. */
  readonly where: string;
  /** Bits whose value it may change. */
  readonly touched: number;
  /** Bits that it may set to one itself; for a copy, the bits of the other mark are unknown. */
  readonly sets: number;
  /** Bits that it copies from the conntrack mark into the packet mark, or the other way. */
  readonly copies: number;
  /**
   * Whether packets come by our rules of prerouting later, which clear our bits of the packet mark (`undone`), or were
   * there already (`late`). `null` for a conntrack mark, and for other hooks.
   */
  readonly order: 'undone' | 'late' | null;
}

const ALL = 0xffff_ffff;

/** Where our rules of prerouting would be (NF_IP_PRI_NAT_SRC). */
const SRCNAT = 100;

/**
 * Every statement in nftables that writes a mark, except for the tables of that name. Rules that iptables-nft made hold
 * theirs out of sight.
 */
export function nftMarkWrites(objects: readonly NftObject[], ourTable: string): readonly MarkWrite[] {
  const hooks = prerouting(objects);
  const ours = hooks.filter(({ table }) => table === ourTable).map(({ prio }) => prio);
  const clearsAt = ours.length === 0 ? SRCNAT : Math.max(...ours);
  return rulesOfOthers(objects, ourTable).flatMap(({ family, table, chain, expr }) =>
    expr.flatMap((statement): MarkWrite[] => {
      if (!('mangle' in statement)) return [];
      const { key, value } = statement.mangle;
      const written = markOf(key);
      if (written === null || (written === 'ct' && expr.some(isOfMarkedPackets))) return [];
      const hook = hooks.find((each) => each.family === family && each.table === table && each.name === chain);
      return [
        {
          where: `nftables chain ${family} ${table} ${chain}`,
          ...effectOf(value, written),
          order: written === 'ct' || hook === undefined ? null : hook.prio < clearsAt ? 'undone' : 'late',
        },
      ];
    }),
  );
}

/** Base chains of prerouting that see IP packets. */
function prerouting(
  objects: readonly NftObject[],
): readonly { readonly family: string; readonly table: string; readonly name: string; readonly prio: number }[] {
  return objects.flatMap((object) => {
    if (!('chain' in object) || object.chain.hook !== 'prerouting') return [];
    const { family, table, name, prio = 0 } = object.chain;
    return family === 'bridge' ? [] : [{ family, table, name, prio }];
  });
}

/** A match of one mark that is not 0: such packets are the other program's own, as those that wg-quick saves. */
function isOfMarkedPackets(statement: Statement): boolean {
  if (!('match' in statement)) return false;
  const { op, left, right } = statement.match;
  return op === '==' && markOf(left) === 'meta' && typeof right === 'number' && right !== 0;
}

/** Chains with conntrack labels written in them, and the number if it is one. */
export function nftLabelWrites(
  objects: readonly NftObject[],
  ourTable: string,
): readonly { readonly where: string; readonly bit: number | null }[] {
  return rulesOfOthers(objects, ourTable).flatMap(({ family, table, chain, expr }) =>
    expr.flatMap((statement) => {
      if (!('mangle' in statement) || JSON.stringify(statement.mangle.key) !== '{"ct":{"key":"label"}}') return [];
      const { value } = statement.mangle;
      return [{ where: `nftables chain ${family} ${table} ${chain}`, bit: typeof value === 'number' ? value : null }];
    }),
  );
}

/** True when nftables holds rules that iptables-nft made and whose targets nft cannot show in JSON. */
export function hasIptablesRules(objects: readonly NftObject[]): boolean {
  return objects.some((object) => 'rule' in object && object.rule.expr.some((statement) => 'xt' in statement));
}

/** Names of all chains of other programs, which show what programs are running: `ip nat KUBE-SERVICES`. */
export function chainNames(objects: readonly NftObject[], ourTable: string): readonly string[] {
  return objects.flatMap((object) =>
    'chain' in object && object.chain.table !== ourTable
      ? [`${object.chain.family} ${object.chain.table} ${object.chain.name}`]
      : [],
  );
}

/**
 * The same from the text of iptables-save: targets MARK and CONNMARK, which it always prints with their masks.
 *
 * @param ourPrefix chains whose names begin with it are passed over
 * @param ourJump the chain that PREROUTING of the table mangle leads to, if our rules are in iptables
 * @see iptables-extensions(8)
 */
export function iptablesMarkWrites(saved: string, ourPrefix: string, ourJump: string): readonly MarkWrite[] {
  const isOurs = saved.includes(` -j ${ourJump}\n`);
  let isPast = false;
  return savedLines(saved).flatMap(({ table, line }): MarkWrite[] => {
    if (line.startsWith('*')) isPast = false;
    if (line.startsWith('-A PREROUTING ') && line.endsWith(` -j ${ourJump}`)) isPast = true;
    const rule = /^-A (\S+) .*-j (MARK|CONNMARK)(.*)$/.exec(line);
    if (rule === null || rule[1]?.startsWith(ourPrefix) === true) return [];
    const where = `iptables chain ${table} ${rule[1]}`;
    const text = rule[3] ?? '';
    const isPacket = rule[2] === 'MARK' || text.includes('--restore-mark');
    if (!isPacket && / -m mark --mark 0x[0-9a-f]*[1-9a-f][0-9a-f]* /.test(line)) return [];
    const isBefore = table === 'raw' || (table === 'mangle' && !(isOurs && isPast));
    const order = isPacket && rule[1] === 'PREROUTING' ? (isBefore ? 'undone' : 'late') : null;
    const set = /--set-(?:x?mark) (0x[0-9a-f]+|\d+)(?:\/(0x[0-9a-f]+|\d+))?/.exec(text);
    if (set !== null) {
      const [value, mask] = [Number(set[1]), Number(set[2] ?? ALL)];
      return [{ where, touched: (value | mask) >>> 0, sets: value >>> 0, copies: 0, order }];
    }
    // restore writes the packet mark under nfmask, save the conntrack mark under ctmask.
    const masks = { nf: /--nfmask (0x[0-9a-f]+)/.exec(text)?.[1], ct: /--ctmask (0x[0-9a-f]+)/.exec(text)?.[1] };
    const touched = Number((text.includes('--restore-mark') ? masks.nf : masks.ct) ?? ALL) >>> 0;
    return [{ where, touched, sets: 0, copies: touched, order }];
  });
}

function rulesOfOthers(
  objects: readonly NftObject[],
  ourTable: string,
): readonly Extract<NftObject, { rule: unknown }>['rule'][] {
  return objects.flatMap((object) => {
    if (!('rule' in object)) return [];
    const { table, family } = object.rule;
    return table === ourTable && (family === 'inet' || family === 'bridge') ? [] : [object.rule];
  });
}

function markOf(key: unknown): 'meta' | 'ct' | null {
  switch (JSON.stringify(key)) {
    case '{"meta":{"key":"mark"}}':
      return 'meta';
    case '{"ct":{"key":"mark"}}':
      return 'ct';
    default:
      return null;
  }
}

/**
 * Follows `mark and KEEP or SET`, the form in which nft prints every change under a mask; anything else may do
 * anything.
 */
function effectOf(value: unknown, written: 'meta' | 'ct'): Omit<MarkWrite, 'where' | 'order'> {
  if (typeof value === 'number') return { touched: ALL, sets: value >>> 0, copies: 0 };
  const read = markOf(value);
  if (read !== null)
    return read === written ? { touched: 0, sets: 0, copies: 0 } : { touched: ALL, sets: 0, copies: ALL };
  if (typeof value === 'object' && value !== null) {
    for (const operator of ['|', '^', '&'] as const) {
      const operands = (value as Readonly<Record<string, unknown>>)[operator];
      if (!Array.isArray(operands)) continue;
      const number: unknown = operands.find((operand) => typeof operand === 'number');
      if (typeof number !== 'number') break;
      const inner = effectOf(
        operands.find((operand) => typeof operand !== 'number'),
        written,
      );
      if (operator === '&')
        return {
          touched: (inner.touched | ~number) >>> 0,
          sets: (inner.sets & number) >>> 0,
          copies: (inner.copies & number) >>> 0,
        };
      return { ...inner, touched: (inner.touched | number) >>> 0, sets: (inner.sets | number) >>> 0 };
    }
  }
  return { touched: ALL, sets: ALL, copies: 0 };
}
