import { readFile } from 'node:fs/promises';

import type { NftObject } from 'nftables-json';

import { exec } from '../system/exec.js';
import { hasIptablesRules } from './mark-use.js';

const LEGACY = [
  ['ip_tables_names', 'iptables-legacy-save'],
  ['ip6_tables_names', 'ip6tables-legacy-save'],
] as const;

/**
 * What iptables-nft has in nftables and nft cannot show, as its own save programs print it; empty if there is no
 * such rule.
 */
export async function saveNftIptables(objects: readonly NftObject[]): Promise<string> {
  return hasIptablesRules(objects) ? save(['iptables-nft-save', 'ip6tables-nft-save']) : '';
}

/**
 * The rules of iptables-legacy. Read only if it has tables, because the programs load modules otherwise.
 */
export async function saveLegacyIptables(): Promise<string> {
  const tables = await Promise.all(
    LEGACY.map(async ([file, program]) => ({
      program,
      names: await readFile(`/proc/net/${file}`, 'utf8').catch(() => ''),
    })),
  );
  return save(tables.filter(({ names }) => names.trim() !== '').map(({ program }) => program));
}

/** A program that is missing has nothing to tell. */
async function save(programs: readonly string[]): Promise<string> {
  const texts = await Promise.all(
    programs.map((program) =>
      exec(program, []).then(
        ({ stdout }) => stdout,
        () => '',
      ),
    ),
  );
  return texts.join('\n');
}
