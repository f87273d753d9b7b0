import type { NftObject } from 'nftables-json';

import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import { savedLines } from '../../firewall/saved-lines.js';

/** Both directions of a flow are in one zone of connection tracking. */
export const conntrackZones: Check = {
  name: 'conntrack-zones',
  doc: 'No rule puts packets into a conntrack zone (`ct zone set` in nftables, CT --zone in iptables). A device in its own zone has its own entries: packets from the tunnel are looked up in another zone, where no entry has a gateway.',
  needsNetAdmin: true,
  look: async (system) =>
    judgeZones([...nftZones(await system.ruleset()), ...iptablesZones(await system.savedIptables())]),
};

/** @param where chains with such rules */
export function judgeZones(where: readonly string[]): readonly Judgement[] {
  const subject = 'conntrack zones';
  const expected = 'links and tunnels in one zone';
  if (where.length === 0) return [fine(subject, 'no rule sets one', expected)];
  return [...new Set(where)].map((chain) => ({
    severity: 'warn',
    subject,
    found: `${chain} sets a zone: conntrack does not recognise answers from the tunnel, so they go to the uplink instead of the router that the request came from, unless links and tunnels are in the same zone in both directions`,
    expected,
    remedy: 'put links and tunnels of the VPN into one zone, or none: exclude these devices from the rule',
  }));
}

/** Chains of nftables with `ct zone set`, with a direction or without. */
export function nftZones(objects: readonly NftObject[]): readonly string[] {
  return objects.flatMap((object) => {
    if (
      !('rule' in object) ||
      !object.rule.expr.some(
        (statement) => 'mangle' in statement && JSON.stringify(statement.mangle.key).startsWith('{"ct":{"key":"zone"'),
      )
    )
      return [];
    const { family, table, chain } = object.rule;
    return [`nftables chain ${family} ${table} ${chain}`];
  });
}

/** @param saved as of iptables-save */
export function iptablesZones(saved: string): readonly string[] {
  return savedLines(saved).flatMap(({ table, line }) => {
    const chain = /^-A (\S+) .*-j CT .*--zone/.exec(line)?.[1];
    return chain === undefined ? [] : [`iptables chain ${table} ${chain}`];
  });
}
