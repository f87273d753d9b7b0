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
    const mac = neighbour?.mac ?? null;
    if (mac !== null) gateways.set(id, { device: route.device, mac });
  }
  return gateways;
}

/** The device that the table of an id leads to; null if there is no such table. */
export function deviceOfId(policy: Policy, plan: RoutingPlan, id: number): string | null {
  const table = routingTables(policy).gateway(id);
  return plan.routes.find((route) => route.table === table)?.device ?? null;
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
