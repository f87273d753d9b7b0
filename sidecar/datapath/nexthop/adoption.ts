import type { Policy, RoutingPlan } from '../../../rules/index.js';
import { nexthopAddress, routingTables } from '../../../rules/index.js';

/**
 * The gateways of an earlier run's permanent neighbours: id -> where answers go.
 */
export function gatewayNeighbours(
  policy: Policy,
  plan: RoutingPlan,
): ReadonlyMap<number, { readonly device: string; readonly mac: string }> {
  const gateways = new Map<number, { device: string; mac: string }>();
  const firstTable = routingTables(policy).gateway(0);
  for (const route of plan.routes) {
    const id = route.table - firstTable;
    if (id < 1 || route.via !== nexthopAddress(policy, route.family, id)) continue;
    const neighbour = plan.neighbours.find(({ address, device }) => address === route.via && device === route.device);
    if (neighbour !== undefined) gateways.set(id, { device: neighbour.device, mac: neighbour.mac });
  }
  return gateways;
}

/** The gateway that an earlier run had as uplink; null when it had none. */
export function adoptedUplink(policy: Policy, plan: RoutingPlan): number | null {
  const table = routingTables(policy).uplink;
  const hops = plan.routes.filter((route) => route.table === table).map(({ via }) => via);
  for (const id of gatewayNeighbours(policy, plan).keys()) {
    if (hops.includes(nexthopAddress(policy, 4, id)) || hops.includes(nexthopAddress(policy, 6, id))) return id;
  }
  return null;
}
