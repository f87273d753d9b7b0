import type { NftObject } from 'nftables-json';

import type { Family } from '../../../rules/index.js';
import { isAnswerable, isAnswerableBehindNat } from '../../../rules/index.js';
import type { PathFilter } from '../../firewall/path-filters.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  readonly filters: readonly PathFilter[];
  readonly datapath: 'nexthop' | 'module';
  readonly firewall: 'nftables' | 'iptables';
  /** By family: a link without a default route. */
  readonly stranded: ReadonlyMap<Family, string>;
  readonly isRunning: boolean;
  /** Rules of nftables, or of iptables-nft, translate sources. */
  readonly translatesSources: boolean;
  /** Our table gives filters the routes to gateways. */
  readonly isAnswering: boolean;
}

/** Reverse path filters that are made of rules drop no packets of the VPN. */
export const pathFilters: Check = {
  name: 'path-filters',
  doc: 'No rule of nftables (`fib saddr . iif oif missing drop`) or iptables (`-m rpfilter`) drops packets of the VPN because the endpoint has no route back to their source. firewalld has such a rule for IPv6, NixOS for both families. If the filter looks up with the mark of the packet, gwmark gives it the route to the gateway, with nftables and the datapath `nexthop`; any other needs a default route through the link, or must be removed. A filter before connection tracking drops replies to flows of clients that the endpoint masquerades.',
  needsNetAdmin: true,
  look: async (system) => {
    const filters = await system.pathFilters();
    const { table } = system.settings;
    return judgePathFilters({
      filters,
      datapath: await system.datapath(),
      firewall: await system.firewall(),
      stranded: await system.linksWithoutDefault(),
      isRunning: (await system.status().catch(() => null)) !== null,
      translatesSources: (await system.ruleset()).some(translatesSource),
      isAnswering: (await system.ruleset()).some(
        (object) =>
          'chain' in object &&
          object.chain.family === 'inet' &&
          object.chain.table === table &&
          object.chain.name === 'before_filters',
      ),
    });
  },
};

export function judgePathFilters({
  filters,
  datapath,
  firewall,
  stranded,
  isRunning,
  translatesSources,
  isAnswering,
}: Facts): readonly Judgement[] {
  const subject = 'reverse path filters made of rules';
  const expected = 'none, or filters that look up with the mark of the packet';
  if (filters.length === 0) return [fine(subject, 'none', expected)];
  return filters.map((filter): Judgement => {
    const { where, families } = filter;
    const reason = whyUnanswerable(filter, datapath, firewall);
    if (reason === null && translatesSources && stranded.size > 0 && !isAnswerableBehindNat(filter))
      return {
        severity: 'info',
        subject,
        found: `${where} looks up with the mark, but before connection tracking: it drops replies to flows of clients that the endpoint masquerades`,
        expected,
        remedy: remedyBehindNat(filter),
      };
    if (reason === null) {
      if (isAnswering || !isRunning)
        return fine(
          subject,
          `${where} looks up with the mark, and ${isAnswering ? 'gets' : 'gwmark run gives it'} the route to the gateway`,
          expected,
        );
      return {
        severity: 'warn',
        subject,
        found: `${where} looks up with the mark, but does not get the route to the gateway yet`,
        expected,
        remedy: 'none needed: the sidecar finds it within seconds; if not, see its log',
      };
    }
    const family = families.find((candidate) => stranded.has(candidate));
    if (family === undefined)
      return {
        severity: 'info',
        subject,
        found: `${where}: ${reason}, but the default route goes through every link`,
        expected,
        remedy: null,
      };
    return {
      severity: 'error',
      subject,
      found: `${where} drops IPv${family} packets from distant hosts on ${stranded.get(family) ?? '?'}: the endpoint has no route back to them, and ${reason}`,
      expected,
      remedy: remedyOfFilter(filter),
    };
  });
}

/** Why a filter cannot get the route to gateways; null if it can. */
export function whyUnanswerable(
  filter: PathFilter,
  datapath: 'nexthop' | 'module',
  firewall: 'nftables' | 'iptables',
): string | null {
  if (datapath === 'module') return 'the datapath module has no routes for it';
  if (firewall === 'iptables') return 'gwmark uses iptables, which has no place after such a filter';
  if (!filter.asksWithMark) return 'it looks up without the mark of the packet';
  return isAnswerable(filter)
    ? null
    : `it is in hook ${filter.hook} at priority ${filter.priority}, where gwmark cannot place rules before and after it`;
}

/** How replies to flows of clients that the endpoint masquerades get past a filter. */
export function remedyBehindNat({ where }: Pick<PathFilter, 'where'>): string {
  return `move ${where} after connection tracking (priority mangle, -150), add a default route through that link, or do not masquerade clients, so that replies go to their own addresses`;
}

/** How to keep an unanswered filter from dropping packets. */
export function remedyOfFilter({ where }: Pick<PathFilter, 'where'>): string {
  if (where.includes(' firewalld '))
    return 'IPv6_rpfilter=no in /etc/firewalld/firewalld.conf, then firewall-cmd --reload';
  if (/nixos|rpfilter/.test(where))
    return 'networking.firewall.checkReversePath = false (NixOS), or a default route through that link';
  return 'make the rule look up with the mark (fib saddr . mark . iif; -m rpfilter --validmark) in prerouting, exclude that link from it, or remove it; or add a default route through that link';
}

function translatesSource(object: NftObject): boolean {
  return (
    'rule' in object &&
    object.rule.expr.some(
      (statement) =>
        'masquerade' in statement ||
        'snat' in statement ||
        ('xt' in statement && /^(MASQUERADE|SNAT)$/.test((statement.xt as { name?: string } | null)?.name ?? '')),
    )
  );
}
