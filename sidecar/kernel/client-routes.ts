import type { ClientNetwork, Family, Policy, Route, RoutingDiff, RoutingPlan, Tunnel } from '../../rules/index.js';
import { EMPTY_DIFF, clientRoute, clientRouteKeys, routeKey } from '../../rules/index.js';
import type { ClientNetworks } from '../sessions/client-networks.js';

/** The routes to client networks that main does not lead to, as one pass wants them. */
export interface ClientRoutePass {
  readonly routes: ReadonlyMap<string, Route>;
  /** Families that have such routes. */
  readonly families: readonly Family[];
  /** From the routes before to these. */
  readonly diff: RoutingDiff;
}

/** Where client networks are; routes depend on nothing else. */
export interface RouteSite {
  readonly policy: Policy;
  readonly tunnels: readonly Tunnel[];
}

/** Recomputes every client's route, after a change of tunnels. */
export function everyClientRoute(site: RouteSite, clients: ClientNetworks): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>();
  for (const network of clients.list()) {
    const route = clientRoute(site, network);
    if (route !== null) routes.set(routeKey(route), route);
  }
  return routes;
}

/**
 * Computes the routes after some clients changed, in time proportional to these.
 *
 * @param before the routes of the pass before, with the same tunnels
 * @param installed client networks that are gone from `clients`, to know what they were
 */
export function changedClientRoutes(
  site: RouteSite,
  before: ReadonlyMap<string, Route>,
  dirty: ReadonlySet<string>,
  clients: ClientNetworks,
  installed: ReadonlyMap<string, ClientNetwork>,
): ClientRoutePass {
  const setRoutes: Route[] = [];
  const removeRoutes: Route[] = [];
  for (const key of dirty) {
    const wanted = clients.get(key);
    const network = wanted ?? installed.get(key);
    if (network === undefined) continue;
    const route = wanted === null ? null : clientRoute(site, wanted);
    if (route !== null && before.get(routeKey(route))?.device !== route.device) setRoutes.push(route);
    // One that moved to the tunnel that main leads to, or from a tunnel to another, leaves the route of before.
    if (before.size === 0) continue;
    removeRoutes.push(
      ...clientRouteKeys(site.policy, network).flatMap((known) =>
        route !== null && routeKey(route) === known ? [] : (before.get(known) ?? []),
      ),
    );
  }
  if (setRoutes.length === 0 && removeRoutes.length === 0)
    return { routes: before, families: familiesOf(before), diff: EMPTY_DIFF };
  const routes = new Map(before);
  for (const route of removeRoutes) routes.delete(routeKey(route));
  for (const route of setRoutes) routes.set(routeKey(route), route);
  return { routes, families: familiesOf(routes), diff: { ...EMPTY_DIFF, setRoutes, removeRoutes } };
}

/** The plan with these routes as well. */
export function withRoutes(plan: RoutingPlan, routes: ReadonlyMap<string, Route>): RoutingPlan {
  return { ...plan, routes: [...plan.routes, ...routes.values()] };
}

/** Families of some routes, 4 first. */
export function familiesOf(routes: ReadonlyMap<string, Route>): readonly Family[] {
  const found = new Set<Family>();
  for (const { family } of routes.values()) {
    found.add(family);
    if (found.size === 2) break;
  }
  return ([4, 6] as const).filter((family) => found.has(family));
}
