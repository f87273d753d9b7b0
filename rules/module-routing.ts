import type { Family } from './address.js';
import { PATH_MTU, clientRules, distinct, localFallbackRules, transportLink } from './around-gateways.js';
import type { PolicyRule, Route, RoutingPlan } from './routing-plan.js';
import { routingTables } from './routing-plan.js';
import { pathMtuRules } from './path-mtu.js';
import type { Policy, Site } from './world.js';
import { moduleMark } from './world.js';

/**
 * The routing of the datapath `module`: only what lets a socket of OpenVPN, or an ICMP error, find some route, so that
 * the packet reaches local output, where the module gives it another; and the subnets behind clients.
 */
export function compileModuleRouting(site: Site): RoutingPlan {
  const rules: PolicyRule[] = [];
  const routes: Route[] = [];
  for (const family of [4, 6] as const) {
    const links = site.links.filter((link) => link.families.includes(family));
    const link = transportLink(site, family, links);
    if (link === undefined) continue;
    const { fallback: table } = routingTables(site.policy);
    rules.push(
      ...clientRules(site, family, []),
      ...localFallbackRules(site, family),
      reroutedRule(site.policy, family),
    );
    rules.push(
      ...pathMtuRules(site, family, links, {
        first: site.policy.routing.fallbackPriority + PATH_MTU,
        withSource: table,
        withoutSource: table,
      }),
    );
    routes.push({ family, table, destination: 'default', device: link.device });
  }
  return { rules: distinct(rules), routes, neighbours: [] };
}

/**
 * A mark that changes in the table mangle of iptables, or in any chain of the type route, makes the kernel look for
 * the route of a packet from here once more, and this lookup has neither protocol nor ports (`ip_route_me_harder()`,
 * `ip6_route_me_harder()` in netfilter.c of net/ipv4 and net/ipv6). What is left to ask for is the mark.
 */
function reroutedRule(policy: Policy, family: Family): PolicyRule {
  const { fallback: table } = routingTables(policy);
  return {
    family,
    priority: policy.routing.fallbackPriority + 2,
    table,
    iif: 'lo',
    fwmark: { value: moduleMark(policy), mask: policy.markMask },
  };
}
