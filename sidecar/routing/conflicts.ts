import type { Policy } from '../../rules/index.js';
import { contains, parseNetwork } from '../../rules/index.js';
import { FALLBACK_PRIORITIES, ROUTING_TABLES, RULE_PRIORITIES } from '../config/table.js';
import type { IpDevice, IpRule, RouteInTable } from './iproute.js';
import { filterRoutes, ipJson } from './iproute.js';
import { GwmarkError } from '../errors.js';
import type { InstalledRules } from '../firewall/firewall.js';

/** linux/rtnetlink.h; `ip` does not print it. */
const RT_TABLE_MAIN = 254;

/** A number, a bit or an address that gwmark needs but another program uses. */
export interface Clash {
  /** What is in use, and where. */
  readonly found: string;
  /** The setting that avoids it. */
  readonly remedy: string;
}

/** What other programs, and an earlier run of gwmark, have in the kernel's routing. */
export interface RoutingUse {
  readonly rules: readonly IpRule[];
  /** Those in a table of ours, and those with our protocol. */
  readonly routes: readonly RouteInTable[];
  readonly devices: readonly IpDevice[];
}

/**
 * Checks whether another program uses a number or a bit that gwmark is about to use.
 *
 * @throws GwmarkError ROUTING_CLASH or FIREWALL_CLASH naming every clash and the setting that avoids it; nothing was
 * changed
 */
export async function checkClashes(policy: Policy, firewall: Pick<InstalledRules, 'markClashes'>): Promise<void> {
  const routing = routingClashes(policy, await readRoutingUse(policy));
  if (routing.length > 0) throw new GwmarkError('ROUTING_CLASH', formatClashes(routing));
  const marks = await firewall.markClashes(policy);
  if (marks.length > 0) throw new GwmarkError('FIREWALL_CLASH', [...new Set(marks)].join('; '));
}

/** @throws GwmarkError ROUTING_UNAVAILABLE, ROUTING_FAILED */
export async function readRoutingUse(policy: Policy): Promise<RoutingUse> {
  const isRelevant = (route: RouteInTable): boolean => isOurTable(policy, route) || isOurProtocol(policy, route);
  const [rules4, rules6, routes4, routes6, devices] = await Promise.all([
    ipJson<IpRule>(['-N', '-4', 'rule', 'show']),
    ipJson<IpRule>(['-N', '-6', 'rule', 'show']),
    filterRoutes(4, isRelevant),
    filterRoutes(6, isRelevant),
    ipJson<IpDevice>(['addr', 'show']),
  ]);
  return { rules: [...rules4, ...rules6], routes: [...routes4, ...routes6], devices };
}

/**
 * Rule priorities, routing tables, the protocol number, mark bits in rules and next-hop addresses of another program;
 * each clash once. Pure.
 */
export function routingClashes(policy: Policy, { rules, routes, devices }: RoutingUse): readonly Clash[] {
  return distinct([
    ...rules.flatMap((rule) => ruleClash(policy, rule)),
    ...routes.flatMap((route) => routeClash(policy, route)),
    ...devices.flatMap((device) => addressClash(policy, device)),
  ]);
}

function formatClashes(clashes: readonly Clash[]): string {
  return clashes.map(({ found, remedy }) => `${found}: ${remedy}`).join('; ');
}

function distinct(clashes: readonly Clash[]): readonly Clash[] {
  return [...new Map(clashes.map((clash) => [clash.found, clash])).values()];
}

function ruleClash(policy: Policy, rule: IpRule): Clash[] {
  const { routing, markMask } = policy;
  if (rule.protocol === String(routing.protocol)) return [];
  const clashes: Clash[] = [];
  const isOurs = (first: number, count: number): boolean => rule.priority >= first && rule.priority < first + count;
  const found = `ip rule priority ${rule.priority} is in use`;
  if (isOurs(routing.priority, RULE_PRIORITIES))
    clashes.push({ found, remedy: `change routing.priority (${routing.priority})` });
  if (isOurs(routing.fallbackPriority, FALLBACK_PRIORITIES))
    clashes.push({ found, remedy: `change routing.fallbackPriority (${routing.fallbackPriority})` });
  const mark = Number(rule.fwmark ?? 0) & Number(rule.fwmask ?? 0xffffffff);
  if ((mark & markMask) !== 0)
    clashes.push({
      found: `ip rule ${rule.priority} uses mark ${rule.fwmark}, which has bits of mark.mask (0x${markMask.toString(16)})`,
      remedy: 'change mark.mask',
    });
  return clashes;
}

function routeClash(policy: Policy, route: RouteInTable): Clash[] {
  const { routing } = policy;
  const inTable = isOurTable(policy, route);
  const hasProtocol = isOurProtocol(policy, route);
  if (inTable && !hasProtocol)
    return [
      {
        found: `routing table ${tableOf(route)} is in use`,
        remedy: `change routing.tableBase (${routing.tableBase})`,
      },
    ];
  if (!inTable && hasProtocol)
    return [
      {
        found: `route ${route.dst} in table ${tableOf(route)} has protocol ${routing.protocol}`,
        remedy: 'change routing.protocol',
      },
    ];
  return [];
}

function isOurTable({ routing }: Policy, route: RouteInTable): boolean {
  const table = tableOf(route);
  return table >= routing.tableBase && table < routing.tableBase + ROUTING_TABLES;
}

function isOurProtocol({ routing }: Policy, { protocol }: RouteInTable): boolean {
  return protocol === String(routing.protocol);
}

function tableOf({ table }: RouteInTable): number {
  return Number(table ?? RT_TABLE_MAIN);
}

function addressClash(policy: Policy, device: IpDevice): Clash[] {
  const { nexthop4, nexthop6 } = policy.routing;
  return (device.addr_info ?? []).flatMap(({ local }) => {
    const network = parseNetwork(local);
    if (network === null) return [];
    const found = `${device.ifname} has the address ${local}`;
    if (contains(nexthop4, network)) return [{ found, remedy: 'change routing.nexthop4' }];
    if (contains(nexthop6, network)) return [{ found, remedy: 'change routing.nexthop6' }];
    return [];
  });
}
