import { readFile } from 'node:fs/promises';
import type { NftObject, Nftables } from 'nftables-json';
import { exec } from '../system/exec.js';
import { savedLines } from './saved-lines.js';

/** Hooks that an offloaded packet does not pass. */
const HOOKS: ReadonlySet<string> = new Set(['prerouting', 'forward', 'postrouting']);
const IP_FAMILIES: ReadonlySet<string> = new Set(['ip', 'ip6', 'inet']);

const LEGACY = [
  { program: 'iptables-legacy-save', tables: '/proc/net/ip_tables_names' },
  { program: 'ip6tables-legacy-save', tables: '/proc/net/ip6_tables_names' },
] as const;

/**
 * Chains of other programs that offloaded packets would bypass, each as `nftables chain inet firewalld filter_FORWARD`.
 * Those of type nat are not among them, because only the first packet of a flow passes them, and that one is never
 * offloaded.
 */
export async function readBypassedChains(nft: Pick<Nftables, 'list'>, ourTable: string): Promise<readonly string[]> {
  const legacy = LEGACY.map(async ({ program, tables }) => {
    // Asked only where there are tables of it: the program would load modules otherwise.
    if ((await readFile(tables, 'utf8').catch(() => '')).trim() === '') return [];
    return exec(program, []).then(
      ({ stdout }) => legacyBypassedChains(stdout, program.startsWith('ip6') ? 'ip6tables' : 'iptables'),
      () => [`the tables of ${program}, which cannot be run`],
    );
  });
  return [
    ...nftBypassedChains(await nft.list({ ruleset: null }, { terse: true }), ourTable),
    ...(await Promise.all(legacy)).flat(),
  ];
}

/** The same of a listing of nftables. Pure. */
export function nftBypassedChains(objects: readonly NftObject[], ourTable: string): readonly string[] {
  return objects.flatMap((object) => {
    if (!('chain' in object)) return [];
    const { family, table, name, hook = '', type, policy } = object.chain;
    if (table === ourTable || !IP_FAMILIES.has(family) || !HOOKS.has(hook) || type === 'nat') return [];
    const hasRules = objects.some(
      (other) =>
        'rule' in other && other.rule.family === family && other.rule.table === table && other.rule.chain === name,
    );
    return hasRules || policy === 'drop' ? [`nftables chain ${family} ${table} ${name}`] : [];
  });
}

/** The same of what `iptables-legacy-save` prints. Pure. */
export function legacyBypassedChains(saved: string, program: 'iptables' | 'ip6tables'): readonly string[] {
  const found = savedLines(saved).flatMap(({ table, line }) => {
    const [, rule, policy] = /^(?:-A (\S+) |:(\S+) DROP)/.exec(line) ?? [];
    const chain = rule ?? policy ?? '';
    return table !== 'nat' && HOOKS.has(chain.toLowerCase()) ? [`${program} chain ${table} ${chain}`] : [];
  });
  return [...new Set(found)];
}
