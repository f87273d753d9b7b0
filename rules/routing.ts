import type { Family } from './address.js';
import { formatNetwork } from './address.js';
import { AROUND_GATEWAYS, BEFORE_GATEWAYS } from './around-gateways.js';
import { routeNeed } from './clients.js';
import { rememberEach } from './remembered.js';
import type { Neighbour, PolicyRule, Route, RoutingPlan } from './routing-plan.js';
import { nexthopAddress, routingTables } from './routing-plan.js';
import type { ClientNetwork, Gateway, Policy, Site, Vacancy } from './world.js';
import { gatewayMark } from './world.js';

/** Up to this many gateways, walking past their rules costs no more than going around them. */
const FEW_GATEWAYS = 2;

/**
 * The routing of the datapath `nexthop`.
 *
 * Before `main`: a packet with a gateway's mark goes to that gateway. Subnets behind clients go to their tunnel,
 * unless main has anything but a default route for them: what an administrator routes elsewhere stays there.
 *
 * After `main`, so only where the endpoint has no route: packets from a tunnel go to the uplink, and sockets
 * of OpenVPN find some route at all, without which they could not send what netfilter then marks. The same
 * holds for the endpoint's own tunnel addresses and for ICMP errors about forwarded packets.
 */
export function compileRouting(site: Site): RoutingPlan {
  const { policy, vacancies = [] } = site;
  const rules: PolicyRule[] = [];
  const routes: Route[] = [];
  const neighbours: Neighbour[] = [];
  for (const family of [4, 6] as const) {
    const around = AROUND_GATEWAYS[family](site);
    if (around === null) continue;
    rules.push(...around.before.rules);
    routes.push(...around.before.routes);
    const living = site.gateways.filter(({ isDead }) => isDead !== true);
    const gateways = [...living, ...vacancies].filter(({ device }) => around.devices.has(device));
    for (const gateway of gateways) {
      const { neighbour, route, rule } = gatewayParts[family](policy, gateway);
      neighbours.push(neighbour);
      routes.push(route);
      rules.push(rule);
    }
    if (gateways.length > FEW_GATEWAYS) rules.push(...around.past);
    rules.push(...around.after.rules);
    routes.push(...around.after.routes);
  }
  return { rules, routes, neighbours };
}

/** The routes for client networks that `main` does not send to the tunnel, or sends to another tunnel. */
export function clientRoute(site: Pick<Site, 'policy' | 'tunnels'>, network: ClientNetwork): Route | null {
  const need = routeNeed(network, site.tunnels);
  if (need === 'none') return null;
  const { clients, contested } = routingTables(site.policy);
  return {
    family: network.family,
    table: need === 'contested' ? contested : clients,
    destination: formatNetwork(network),
    device: network.device,
  };
}

/** What a gateway, or a vacancy, is in one family. */
interface GatewayParts {
  readonly neighbour: Neighbour;
  readonly route: Route;
  readonly rule: PolicyRule;
}

/** The same objects for the same gateway, so that comparing two plans need not look into them. */
const gatewayParts = {
  4: rememberEach((policy, gateway: Gateway | Vacancy) => partsOf(policy, 4, gateway)),
  6: rememberEach((policy, gateway: Gateway | Vacancy) => partsOf(policy, 6, gateway)),
} as const;

function macOf({ mac, mac6 = mac }: Gateway, family: Family): string {
  return family === 6 ? mac6 : mac;
}

function partsOf(policy: Policy, family: Family, gateway: Gateway | Vacancy): GatewayParts {
  const { id, device } = gateway;
  const table = routingTables(policy).gateway(id);
  const address = nexthopAddress(policy, family, id);
  return {
    neighbour: { family, address, device, mac: 'mac' in gateway ? macOf(gateway, family) : null },
    route: { family, table, destination: 'default', device, via: address },
    rule: {
      family,
      priority: policy.routing.priority + BEFORE_GATEWAYS + id,
      table,
      fwmark: { value: gatewayMark(policy, id), mask: policy.markMask },
    },
  };
}
