import type { Family, Neighbour, Policy, PolicyRule, Route, RoutingDiff, RoutingPlan } from '../../rules/index.js';
import { parseNetwork } from '../../rules/index.js';
import type { IpNeighbour, IpRoute, IpRule } from './iproute.js';
import { ipBatch, ipJson } from './iproute.js';
import { IP_PROTOCOLS, neighbourLine, printRoute, printRule } from './print.js';

/**
 * What a deletion may be answered with when the kernel was quicker: the device went, and with it routes and
 * neighbours.
 */
export const ALREADY_GONE =
  /No such (process|file or directory|device)|Cannot find device|Cannot assign requested address/;

/** The route type `throw` as `ip -N` prints it: linux/rtnetlink.h. */
const RTN_THROW = '9';

/** Reads everything in the kernel's routing with our protocol number, including routes of client networks. */
export async function readRouting(policy: Policy): Promise<RoutingPlan> {
  const protocol = String(policy.routing.protocol);
  const [rules4, rules6, routes4, routes6, neighbours] = await Promise.all([
    ipJson<IpRule>(['-N', '-4', 'rule', 'show']),
    ipJson<IpRule>(['-N', '-6', 'rule', 'show']),
    ipJson<IpRoute>(['-N', '-4', 'route', 'show', 'table', 'all', 'proto', protocol]),
    ipJson<IpRoute>(['-N', '-6', 'route', 'show', 'table', 'all', 'proto', protocol]),
    ownNeighbours(policy),
  ]);
  const ours = (rule: IpRule): boolean => rule.protocol === protocol;
  return {
    rules: [
      ...rules4.filter(ours).map((rule) => parseRule(4, rule)),
      ...rules6.filter(ours).map((rule) => parseRule(6, rule)),
    ],
    routes: [...routes4.flatMap((route) => parseRoute(4, route)), ...routes6.flatMap((route) => parseRoute(6, route))],
    neighbours: neighbours.flatMap(parseNeighbour),
  };
}

/**
 * Applies the additions of a difference, one `ip -batch` per family. A rejected line stops the rest; reading and diffing
 * again then shows what is still missing.
 */
export async function addRouting(policy: Policy, diff: RoutingDiff): Promise<void> {
  const add = (family: Family): Promise<void> => ipBatch(family, additionLines(policy, diff, family));
  // Side by side, because the first packets of a new router wait for this; and both to their end, whatever becomes of
  // one.
  const outcomes = await Promise.allSettled([add(4), add(6)]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/**
 * The additions of a difference in one family, as lines for `ip -batch`, each of which finds what it needs made by
 * those before.
 */
export function additionLines(policy: Policy, diff: RoutingDiff, family: Family): string[] {
  return [
    ...ofFamily(family, diff.setNeighbours).map((neighbour) => neighbourLine(policy, neighbour)),
    ...ofFamily(family, diff.setRoutes).map((route) => `route replace ${printRoute(policy, route)}`),
    ...ofFamily(family, diff.addRules).map((rule) => `rule add ${printRule(policy, rule)}`),
  ];
}

/** Applies the removals of a difference. What is already gone with its device is no failure. */
export async function removeRouting(policy: Policy, diff: RoutingDiff): Promise<void> {
  // Those of a device that went down are gone, and each that the kernel refuses to remove costs an `ip` of its own.
  const present = new Set(
    diff.removeNeighbours.length === 0 ? [] : (await ownNeighbours(policy)).map(({ dst, dev }) => `${dst} dev ${dev}`),
  );
  for (const family of [4, 6] as const) {
    const lines = [
      ...ofFamily(family, diff.removeRules).map((rule) => `rule del ${printRule(policy, rule)}`),
      ...ofFamily(family, diff.removeRoutes).map((route) => `route del ${printRoute(policy, route)}`),
      ...ofFamily(family, diff.removeNeighbours)
        .map(({ address, device }) => `${address} dev ${device}`)
        .filter((place) => present.has(place))
        .map((place) => `neigh del ${place}`),
    ];
    await ipBatch(family, lines, ALREADY_GONE);
  }
}

function ofFamily<T extends { readonly family: Family }>(family: Family, items: readonly T[]): T[] {
  return items.filter((item) => item.family === family);
}

function parseRule(family: Family, rule: IpRule): PolicyRule {
  const range =
    rule.dport_start !== undefined && rule.dport_end !== undefined
      ? ([rule.dport_start, rule.dport_end] as const)
      : rule.dport === undefined
        ? undefined
        : ([rule.dport, rule.dport] as const);
  return {
    family,
    priority: rule.priority,
    table: Number(rule.table ?? 0),
    ...(rule.fwmark === undefined
      ? {}
      : { fwmark: { value: Number(rule.fwmark), mask: Number(rule.fwmask ?? 0xffffffff) } }),
    ...(rule.goto === undefined ? {} : { goto: rule.goto }),
    ...(rule.suppress_prefixlen === undefined ? {} : { suppressPrefixLength: rule.suppress_prefixlen }),
    ...(rule.iif === undefined ? {} : { iif: rule.iif }),
    ...(rule.src === 'all' ? {} : { from: withLength(rule.src, rule.srclen) }),
    ...(rule.dst === undefined ? {} : { to: withLength(rule.dst, rule.dstlen) }),
    ...(rule.ipproto === undefined ? {} : { ipproto: ipprotoOf(rule.ipproto) }),
    ...(rule.sport === undefined ? {} : { sport: rule.sport }),
    ...(range === undefined ? {} : { dport: range }),
  };
}

/** `ip` leaves out the length of a single address. */
function withLength(address: string, length: number | undefined): string {
  return length === undefined ? address : `${address}/${length}`;
}

/**
 * `ip -N` prints `ipproto-17`. A rule of ours has one of four protocols; anything else differs from every planned rule
 * and so is removed.
 */
function ipprotoOf(text: string): NonNullable<PolicyRule['ipproto']> {
  const known = Object.entries(IP_PROTOCOLS).find(([, number]) => text === `ipproto-${number}`);
  return (known?.[0] ?? text) as NonNullable<PolicyRule['ipproto']>;
}

function parseRoute(family: Family, { type, dst, dev, nexthops = [], gateway, table }: IpRoute): Route[] {
  const devices = nexthops.map((nexthop) => nexthop.dev ?? '');
  const device = type === RTN_THROW ? '' : (dev ?? devices[0]);
  if (device === undefined) return [];
  const network = parseNetwork(dst);
  const destination =
    network === null ? dst : dst.includes('/') ? `${network.address}/${network.prefixLength}` : network.address;
  return [
    {
      family,
      table: Number(table ?? 254),
      destination,
      device,
      ...(gateway === undefined ? {} : { via: gateway }),
      ...(devices.length === 0 ? {} : { devices }),
    },
  ];
}

function ownNeighbours({ routing: { protocol } }: Policy): Promise<readonly IpNeighbour[]> {
  return ipJson(['-N', 'neigh', 'show', 'proto', String(protocol)]);
}

function parseNeighbour({ dst, dev, lladdr, state }: IpNeighbour): Neighbour[] {
  if (lladdr === undefined && !state.includes('INCOMPLETE')) return [];
  return [{ family: dst.includes(':') ? 6 : 4, address: dst, device: dev, mac: lladdr ?? null }];
}
