import type { Policy, RoutingDiff } from '../../rules/index.js';
import { printNeighbour, printRoute, printRule } from './print.js';

/** One rule, route or neighbour that differs from what was installed. */
export interface RoutingDamage {
  /**
   * `missing`: absent, or changed. `surplus`: with our protocol number, but not installed by us.
   */
  readonly what: 'missing' | 'surplus';
  /** The devices whose removal also removes it: any of them. */
  readonly devices: readonly string[];
  /** The kernel itself drops it when a cable is pulled: a neighbour without a MAC yet. */
  readonly isPassing?: true;
  /** In the syntax of `ip`: `route 192.168.77.0/24 dev tun0 table 7700 proto 147`. */
  readonly text: string;
}

/** @param diff from what the kernel has to what was installed */
export function damageOf(policy: Policy, diff: RoutingDiff): readonly RoutingDamage[] {
  const { setNeighbours, setRoutes, addRules, removeRules, removeRoutes, removeNeighbours } = diff;
  const of = (
    what: RoutingDamage['what'],
    {
      neighbours,
      routes,
      rules,
    }: { neighbours: typeof setNeighbours; routes: typeof setRoutes; rules: typeof addRules },
  ): RoutingDamage[] => [
    ...neighbours.map((neighbour) => ({
      what,
      devices: [neighbour.device],
      text: `neigh ${printNeighbour(neighbour)}`,
      ...(neighbour.mac === null ? { isPassing: true as const } : {}),
    })),
    ...routes.map((route) => ({
      what,
      devices: route.devices ?? (route.device === '' ? [] : [route.device]),
      text: `route ${printRoute(policy, route)}`,
    })),
    // A rule stays when its device is removed.
    ...rules.map((rule) => ({ what, devices: [], text: `-${rule.family} rule ${printRule(policy, rule)}` })),
  ];
  return [
    ...of('missing', { neighbours: setNeighbours, routes: setRoutes, rules: addRules }),
    ...of('surplus', { neighbours: removeNeighbours, routes: removeRoutes, rules: removeRules }),
  ];
}
