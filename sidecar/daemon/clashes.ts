import type { Policy } from '../../rules/index.js';
import { contains, parseNetwork } from '../../rules/index.js';
import { FALLBACK_PRIORITIES, ROUTING_TABLES, RULE_PRIORITIES } from '../config/table.js';
import type { IpDevice, IpRoute, IpRule } from '../system/iproute.js';
import { ipJson } from '../system/iproute.js';
import { GwmarkError } from '../errors.js';
import type { Firewall } from '../firewall/firewall.js';

/**
 * Looks whether somebody else uses a number or a bit that we are about to use.
 *
 * @throws GwmarkError ROUTING_CLASH or FIREWALL_CLASH naming every clash and the setting that avoids it; nothing was changed
 */
export async function checkClashes(policy: Policy, firewall: Pick<Firewall<never>, 'markClashes'>): Promise<void> {
  const [rules4, rules6, routes4, routes6, devices] = await Promise.all([
    ipJson<IpRule>(['-N', '-4', 'rule', 'show']),
    ipJson<IpRule>(['-N', '-6', 'rule', 'show']),
    ipJson<IpRoute>(['-N', '-4', '-d', 'route', 'show', 'table', 'all']),
    ipJson<IpRoute>(['-N', '-6', '-d', 'route', 'show', 'table', 'all']),
    ipJson<IpDevice>(['addr', 'show']),
  ]);
  const routing = [
    ...[...rules4, ...rules6].flatMap((rule) => ruleClash(policy, rule)),
    ...[...routes4, ...routes6].flatMap((route) => routeClash(policy, route)),
    ...devices.flatMap((device) => addressClash(policy, device)),
  ];
  if (routing.length > 0) throw new GwmarkError('ROUTING_CLASH', [...new Set(routing)].join('; '));
  const marks = await firewall.markClashes(policy);
  if (marks.length > 0) throw new GwmarkError('FIREWALL_CLASH', [...new Set(marks)].join('; '));
}

function ruleClash(policy: Policy, rule: IpRule): string[] {
  const { routing, markMask } = policy;
  if (rule.protocol === String(routing.protocol)) return [];
  const clashes: string[] = [];
  const isOurs = (first: number, count: number): boolean => rule.priority >= first && rule.priority < first + count;
  if (isOurs(routing.priority, RULE_PRIORITIES)) clashes.push(`ip rule priority ${rule.priority} is in use: change routing.priority (${routing.priority})`);
  if (isOurs(routing.fallbackPriority, FALLBACK_PRIORITIES)) clashes.push(`ip rule priority ${rule.priority} is in use: change routing.fallbackPriority (${routing.fallbackPriority})`);
  const mark = Number(rule.fwmark ?? 0) & Number(rule.fwmask ?? 0xffffffff);
  if ((mark & markMask) !== 0) clashes.push(`ip rule ${rule.priority} uses mark ${rule.fwmark}, which has bits of mark.mask (0x${markMask.toString(16)})`);
  return clashes;
}

function routeClash(policy: Policy, route: IpRoute): string[] {
  const { routing } = policy;
  const table = Number(route.table ?? 254);
  const isOurTable = table >= routing.tableBase && table < routing.tableBase + ROUTING_TABLES;
  const isOurProtocol = route.protocol === String(routing.protocol);
  if (isOurTable && !isOurProtocol) return [`routing table ${table} is in use: change routing.tableBase (${routing.tableBase})`];
  if (!isOurTable && isOurProtocol) return [`route ${route.dst} in table ${table} has protocol ${routing.protocol}: change routing.protocol`];
  return [];
}

function addressClash(policy: Policy, device: IpDevice): string[] {
  const { nexthop4, nexthop6 } = policy.routing;
  return (device.addr_info ?? []).flatMap(({ local }) => {
    const network = parseNetwork(local);
    if (network === null) return [];
    if (contains(nexthop4, network)) return [`${device.ifname} has the address ${local}: change routing.nexthop4`];
    if (contains(nexthop6, network)) return [`${device.ifname} has the address ${local}: change routing.nexthop6`];
    return [];
  });
}
