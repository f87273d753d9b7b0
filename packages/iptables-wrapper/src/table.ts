import { IptablesError } from './iptables-error.js';
import { parseSave, type Counters, type RuleLine } from './save-format.js';

export type Family = 4 | 6;

export type TableName = 'filter' | 'mangle' | 'nat' | 'raw' | 'security';

/** The built-in chains. A chain is either one of these or made by a user. */
export const BUILT_IN_CHAINS: Readonly<Record<TableName, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  raw: ['PREROUTING', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/**
 * A rule as words of iptables(8), from the first match to the last option of its target: `['-i', 'lan0', '-j',
 * 'ACCEPT']`.
 */
export type RuleWords = readonly string[];

export interface ListedRule {
  readonly words: RuleWords;
  readonly counters?: Counters;
}

export interface ListedChain {
  readonly name: string;
  /** `ACCEPT` or `DROP` for a built-in chain, null for one that a user made. */
  readonly policy: string | null;
  readonly counters?: Counters;
  readonly rules: readonly ListedRule[];
}

/** One table as `iptables-save` shows it; built-in chains first. */
export interface ListedTable {
  readonly name: string;
  readonly chains: readonly ListedChain[];
}

/**
 * Reads the output of `iptables-save` into tables.
 *
 * @throws IptablesError EINVAL with the line that is not of the format, or if a table ends early; EMIXED for a
 * table that nft's own
 *   rules have made unreadable
 */
export function readTables(text: string): ListedTable[] {
  const tables: ListedTable[] = [];
  let open: { name: string; chains: Map<string, ListedChain & { rules: ListedRule[] }> } | undefined;
  for (const line of parseSave(text)) {
    switch (line.kind) {
      case 'comment': {
        const incompatible = /Table [`']([^`']+)' is incompatible, use 'nft' tool/u.exec(line.text);
        if (incompatible) {
          throw new IptablesError(
            'EMIXED',
            `table ${incompatible[1] ?? ''} holds rules that only nft can read: iptables cannot use it beside them`,
            { detail: text },
          );
        }
        break;
      }
      case 'blank':
        break;
      case 'table':
        open = { name: line.name, chains: new Map() };
        break;
      case 'chain':
        open?.chains.set(line.name, { name: line.name, policy: line.policy, ...counters(line.counters), rules: [] });
        break;
      case 'rule':
        readRule(open, line);
        break;
      case 'commit':
        if (open) tables.push({ name: open.name, chains: [...open.chains.values()] });
        open = undefined;
        break;
      case 'command':
        throw new IptablesError('EINVAL', `iptables-save printed a command: ${line.words.join(' ')}`, {
          detail: text,
        });
    }
  }
  if (open) throw new IptablesError('EINVAL', `table ${open.name} ends without COMMIT`, { detail: text });
  return tables;
}

/** The table as packets see it: a built-in chain that iptables has not created yet is empty and accepts. */
export function withBuiltIns(name: TableName, listed: ListedTable | undefined): ListedTable {
  const chains = listed?.chains ?? [];
  const none = { packets: 0n, bytes: 0n };
  const missing = BUILT_IN_CHAINS[name].filter((builtIn) => !chains.some((chain) => chain.name === builtIn));
  return {
    name,
    chains: [...missing.map((chain) => ({ name: chain, policy: 'ACCEPT', counters: none, rules: [] })), ...chains],
  };
}

/**
 * The chain or target that a rule leads to, by `-j` or `-g`; undefined for a rule that only counts.
 *
 * Words of unknown extensions are passed over; a free text that reads `-j` is only told apart where its option is
 * known.
 */
export function ruleTarget(words: RuleWords): string | undefined {
  let target: string | undefined;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (TEXT_OPTIONS.has(word)) {
      at += 1;
    } else if (TARGET_OPTIONS.has(word)) {
      target = words[at + 1];
      at += 1;
    }
  }
  return target;
}

const TARGET_OPTIONS = new Set(['-j', '--jump', '-g', '--goto']);

/** Options whose value is a user's text. */
const TEXT_OPTIONS = new Set(['--comment', '--log-prefix', '--nflog-prefix', '--string', '--hex-string']);

function readRule(open: { chains: Map<string, { rules: ListedRule[] }> } | undefined, line: RuleLine): void {
  const chain = open?.chains.get(line.chain);
  if (!chain) throw new IptablesError('EINVAL', `iptables-save printed a rule of an undeclared chain: ${line.chain}`);
  chain.rules.push({ words: line.words, ...counters(line.counters) });
}

function counters(value: Counters | undefined): { counters?: Counters } {
  return value ? { counters: value } : {};
}
