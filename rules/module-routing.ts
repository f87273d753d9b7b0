import type { PolicyRule, Route, RoutingPlan } from './routing.js';
import { clientRules, distinct, localFallbackRules, routingTables, transportLink } from './routing.js';
import type { Site } from './world.js';

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
    rules.push(...clientRules(site, family), ...localFallbackRules(site, family));
    routes.push({ family, table: routingTables(site.policy).fallback, destination: 'default', device: link.device });
  }
  return { rules: distinct(rules), routes, neighbours: [] };
}
