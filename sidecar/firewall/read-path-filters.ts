import { readFile } from 'node:fs/promises';
import type { NftObject, Nftables } from 'nftables-json';

import type { Family } from '../../rules/index.js';
import { exec } from '../system/exec.js';
import { hasIptablesPathFilter, iptablesPathFilters, nftPathFilters, type PathFilter } from './path-filters.js';

const SAVE: readonly { readonly family: Family; readonly program: string; readonly legacyTables: string }[] = [
  { family: 4, program: 'iptables', legacyTables: '/proc/net/ip_tables_names' },
  { family: 6, program: 'ip6tables', legacyTables: '/proc/net/ip6_tables_names' },
];

/**
 * Reads every reverse path filter that is made of rules, in nftables and both flavours of iptables. Programs are run
 * only where there is something that they alone can show, and one that is missing has nothing to tell.
 *
 * @param nft null if nftables cannot be used
 */
export async function readPathFilters(nft: Nftables | null, ourTable: string): Promise<readonly PathFilter[]> {
  const objects: readonly NftObject[] = nft === null ? [] : await nft.list({ ruleset: null }, { terse: true });
  const saved = SAVE.map(async ({ family, program, legacyTables }) => {
    const ofNft = hasIptablesPathFilter(objects) ? await save(`${program}-nft-save`) : '';
    // Asked only where there are tables of it: the program would load modules otherwise.
    const hasLegacy = (await readFile(legacyTables, 'utf8').catch(() => '')).trim() !== '';
    const ofLegacy = hasLegacy ? await save(`${program}-legacy-save`) : '';
    return iptablesPathFilters(`${ofNft}\n${ofLegacy}`, family);
  });
  return [...nftPathFilters(objects, ourTable), ...(await Promise.all(saved)).flat()];
}

async function save(program: string): Promise<string> {
  return exec(program, []).then(
    ({ stdout }) => stdout,
    () => '',
  );
}
