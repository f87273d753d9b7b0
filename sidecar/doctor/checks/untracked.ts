import type { NftObject } from 'nftables-json';

import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import { savedLines } from '../../firewall/saved-lines.js';

/** Conntrack sees the flows of the VPN. */
export const untracked: Check = {
  name: 'untracked',
  doc: 'No rule exempts packets from conntrack (`notrack` in nftables, NOTRACK and CT --notrack in iptables): a flow without an entry has no gateway.',
  needsNetAdmin: true,
  look: async (system) =>
    judgeUntracked([...nftUntracked(await system.ruleset()), ...iptablesUntracked(await system.savedIptables())]),
};

/** @param where chains with such rules */
export function judgeUntracked(where: readonly string[]): readonly Judgement[] {
  const subject = 'packets without conntrack';
  const expected = 'none of the VPN';
  if (where.length === 0) return [fine(subject, 'none', expected)];
  return [...new Set(where)].map((chain) => ({
    severity: 'warn',
    subject,
    found: `${chain} has rules with notrack: replies to what they match do not go to the router's MAC address`,
    expected,
    remedy: "exclude OpenVPN's port and its clients' addresses from these rules",
  }));
}

function nftUntracked(objects: readonly NftObject[]): readonly string[] {
  return objects.flatMap((object) => {
    if (!('rule' in object) || !object.rule.expr.some((statement) => 'notrack' in statement)) return [];
    const { family, table, chain } = object.rule;
    return [`nftables chain ${family} ${table} ${chain}`];
  });
}

/** @param saved as of iptables-save */
export function iptablesUntracked(saved: string): readonly string[] {
  return savedLines(saved).flatMap(({ table, line }) => {
    const chain = /^-A (\S+) .*-j (?:NOTRACK|CT .*--notrack)/.exec(line)?.[1];
    return chain === undefined ? [] : [`iptables chain ${table} ${chain}`];
  });
}
