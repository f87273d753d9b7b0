import { formatNetwork } from './address.js';
import type { Neighbour, PolicyRule, Route, RoutingPlan } from './routing.js';
import { routingTables } from './routing.js';
import type { ClientNetwork, Policy } from './world.js';

/**
 * The steps from one routing plan to another. Additions are made before removals, so that a packet finds
 * either the old way or the new one.
 */
export interface RoutingDiff {
  /** New or changed: a neighbour is replaced in place. */
  readonly setNeighbours: readonly Neighbour[];
  readonly setRoutes: readonly Route[];
  readonly addRules: readonly PolicyRule[];
  readonly removeRules: readonly PolicyRule[];
  readonly removeRoutes: readonly Route[];
  readonly removeNeighbours: readonly Neighbour[];
}

export const EMPTY_DIFF: RoutingDiff = {
  setNeighbours: [],
  setRoutes: [],
  addRules: [],
  removeRules: [],
  removeRoutes: [],
  removeNeighbours: [],
};

/** The difference of two plans; order within each list follows the plans. */
export function diffRouting(from: RoutingPlan, to: RoutingPlan): RoutingDiff {
  const neighbours = compare(from.neighbours, to.neighbours, neighbourKey);
  const routes = compare(from.routes, to.routes, routeKey);
  const rules = compare(from.rules, to.rules, (rule) => JSON.stringify(sortedEntries(rule)));
  return {
    setNeighbours: neighbours.set,
    setRoutes: routes.set,
    addRules: rules.set,
    removeRules: rules.removed,
    removeRoutes: routes.removed,
    removeNeighbours: neighbours.removed,
  };
}

/** True if there are no steps. */
export function isEmptyRoutingDiff(diff: RoutingDiff): boolean {
  return Object.values(diff).every((list: readonly unknown[]) => list.length === 0);
}

function compare<T>(from: readonly T[], to: readonly T[], keyOf: (item: T) => string): { set: T[]; removed: T[] } {
  const known = new Map(from.map((item) => [keyOf(item), fingerprint(item)]));
  const wanted = new Set(to.map(keyOf));
  return {
    set: to.filter((item) => known.get(keyOf(item)) !== fingerprint(item)),
    removed: from.filter((item) => !wanted.has(keyOf(item))),
  };
}

function neighbourKey({ family, device, address }: Neighbour): string {
  return `${family} ${device} ${address}`;
}

/** The kernel keeps one route a destination, table and metric; `ip route replace` swaps it. */
export function routeKey({ family, table, destination }: Route): string {
  return `${family} ${table} ${destination}`;
}

/** The keys of every route that a client network may have, see {@link clientRoute}. */
export function clientRouteKeys(policy: Policy, network: ClientNetwork): string[] {
  const { clients, contested } = routingTables(policy);
  return [clients, contested].map((table) =>
    routeKey({ family: network.family, table, destination: formatNetwork(network), device: network.device }),
  );
}

function fingerprint(item: unknown): string {
  return JSON.stringify(sortedEntries(item as object));
}

function sortedEntries(item: object): [string, unknown][] {
  return Object.entries(item)
    .filter(([, value]) => value !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}
