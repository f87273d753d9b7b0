import { formatNetwork } from './address.js';
import type { Neighbour, PolicyRule, Route, RoutingPlan } from './routing-plan.js';
import { routingTables } from './routing-plan.js';
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
  const neighbours = compare(from.neighbours, to.neighbours, neighbourKey, (neighbour) => String(neighbour.mac));
  const routes = compare(from.routes, to.routes, routeKey, routeText);
  const rules = compare(from.rules, to.rules, ruleText, () => '');
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

/**
 * An object that is in both needs no look: of two plans in a row, almost all are.
 *
 * @param textOf what two items with one key may differ in
 */
function compare<T>(
  from: readonly T[],
  to: readonly T[],
  keyOf: (item: T) => string,
  textOf: (item: T) => string,
): { set: T[]; removed: T[] } {
  const known = changed(from, to, keyOf);
  const wanted = changed(to, from, keyOf);
  const set: T[] = [];
  for (const [key, item] of wanted) {
    const before = known.get(key);
    if (before === undefined || textOf(before) !== textOf(item)) set.push(item);
  }
  return { set, removed: [...known].flatMap(([key, item]) => (wanted.has(key) ? [] : [item])) };
}

/** The items that are not in the other list, by their keys. */
function changed<T>(items: readonly T[], others: readonly T[], keyOf: (item: T) => string): Map<string, T> {
  const same = new Set(others);
  const found = new Map<string, T>();
  for (const item of items) if (!same.has(item)) found.set(keyOf(item), item);
  return found;
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

function routeText({ family, table, destination, device, via = '', devices = [], ...rest }: Route): string {
  void (rest satisfies Record<string, never>);
  return `${family} ${table} ${destination} ${device} ${via} ${devices.join(' ')}`;
}

/** Every field: with each client and each gateway, all rules are compared. */
function ruleText(rule: PolicyRule): string {
  const {
    family,
    priority,
    table,
    goto,
    suppressPrefixLength,
    fwmark,
    iif,
    from,
    to,
    ipproto,
    sport,
    dport,
    ...rest
  } = rule;
  void (rest satisfies Record<string, never>);
  return `${family}|${priority}|${table}|${goto}|${suppressPrefixLength}|${fwmark?.value}|${fwmark?.mask}|${iif}|${from}|${to}|${ipproto}|${sport}|${dport?.[0]}|${dport?.[1]}`;
}
