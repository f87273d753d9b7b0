import type { RuleWords } from 'iptables-wrapper';
import type { Statement } from 'nftables-json';
import type { Family } from './address.js';
import { fromTransports, hexMark } from './iptables-selection.js';
import { writeOurBits } from './mark-bits.js';
import type { PolicyRule, Route, RoutingPlan } from './routing-plan.js';
import { matchAddress, matchDevice, matchTransportOutput } from './selection.js';
import type { RuleSpec } from './structure.js';
import type { Link, Policy, Site } from './world.js';

/*
 * A strict rp_filter on an endpoint with several links. It asks for the way back of each packet, and drops what did
 * not come by the device that it is told (fib_validate_source in net/ipv4/fib_frontend.c). Where only fallback rules
 * know a way, the answer is one device, and everything that comes by another is lost. A multipath route over every
 * link satisfies it, for it accepts any device of such a route (fib_info_nh_uses_dev); but a packet must not take its
 * way by chance. The two questions differ in their mark: the filter asks without one (or with that of a packet from a
 * link, which has none of ours), so what is really sent gets one that leads to the uplink. Links of IPv4 alone: IPv6
 * has no such filter.
 */

/** True if rp_filter would drop what comes by all links but one. */
export function needsLegs(links: readonly Link[]): boolean {
  return legsOf(links).length > 1 && links.some(({ isReversePathStrict }) => isReversePathStrict === true);
}

/**
 * The mark of a packet that goes to the uplink where main has no route: all bits of the mask, which are no gateway's
 * id (`gateways.max` leaves it out).
 */
export function uplinkMark(policy: Pick<Policy, 'markMask'>): number {
  return policy.markMask >>> 0;
}

/**
 * The mark with which packets that have no gateway are looked up, in a plan that the kernel has: that of the uplink
 * with several legs, else none.
 */
export function markWithoutGateway(policy: Pick<Policy, 'markMask'>, plan: RoutingPlan): number {
  const mark = uplinkMark(policy);
  return plan.rules.some(({ family, fwmark }) => family === 4 && fwmark?.value === mark) ? mark : 0;
}

/**
 * Priorities behind those of the other fallback rules. The kernel takes no rule without a source beside the same one
 * with a source on one priority (fib4_rule_compare), so these have one each.
 */
const WITHOUT_SOURCE = 9;
const FROM_TUNNEL = 10;
const FROM_SOCKET = 11;

/**
 * The fallback rules for several legs, made of those for one: what the filter would ask them leads to the table
 * `legs`, and what is sent to the uplink. A lookup without a source is a socket's own, which chooses its address by
 * the one route.
 *
 * @param rules of IPv4, behind main
 */
export function legRules(policy: Policy, rules: readonly PolicyRule[]): PolicyRule[] {
  const { fallbackPriority: first, tableBase } = policy.routing;
  const [uplink, fallback, legs] = [tableBase + 1, tableBase + 2, legsTable(policy)];
  const changed = rules.flatMap((rule): PolicyRule[] => {
    if (rule.table === uplink && rule.iif !== undefined)
      return [{ ...rule, table: legs, priority: first + FROM_TUNNEL }];
    if (rule.table !== fallback || rule.from === '0.0.0.0') return [rule];
    if (rule.from !== undefined) return [{ ...rule, table: legs }];
    return [
      { ...rule, from: '0.0.0.0', priority: first + WITHOUT_SOURCE },
      { ...rule, table: legs, priority: first + FROM_SOCKET },
    ];
  });
  const mark = uplinkMark(policy);
  return [{ family: 4, priority: first, table: uplink, fwmark: { value: mark, mask: mark } }, ...changed];
}

/** The route for the filter. */
export function legRoute(policy: Policy, links: readonly Link[]): Route {
  const devices = legsOf(links).map(({ device }) => device);
  return { family: 4, table: legsTable(policy), destination: 'default', device: devices[0] ?? '', devices };
}

/** The routing table of {@link legRoute}. */
export function legsTable(policy: Pick<Policy, 'routing'>): number {
  return policy.routing.tableBase + 4;
}

/**
 * The first rules of prerouting: what comes out of a tunnel goes to the uplink, unless later ones know its gateway.
 * None where one route is enough.
 */
export function legPrerouting({ policy, links, tunnels }: Pick<Site, 'policy' | 'links' | 'tunnels'>): RuleSpec[] {
  return needsLegs(links) && tunnels.length > 0 ? [legMark(policy, [matchDevice(tunnels)])] : [];
}

/** The same of output, for what OpenVPN or an address of a tunnel sends. */
export function legOutput(site: Pick<Site, 'policy' | 'links' | 'tunnels' | 'transports'>): RuleSpec[] {
  if (!needsLegs(site.links)) return [];
  const transports = site.transports.filter(({ families }) => families.includes(4));
  const matches = [
    ...transports.map(matchTransportOutput),
    ...tunnelAddresses4(site).map((address) => [matchAddress('ip', 'saddr', address)]),
  ];
  return matches.map((match) => legMark(site.policy, match));
}

function legMark(policy: Policy, match: readonly Statement[]): RuleSpec {
  const isIpv4: Statement = { match: { op: '==', left: { meta: { key: 'nfproto' } }, right: 'ipv4' } };
  return { expr: [isIpv4, ...match, writeOurBits('meta', policy, uplinkMark(policy))] };
}

/** {@link legPrerouting} for iptables. */
export function iptablesLegPrerouting({ policy, links, tunnels }: Site, family: Family): RuleWords[] {
  return family === 4 && needsLegs(links) ? tunnels.map(({ device }) => ['-i', device, ...markWords(policy)]) : [];
}

/** {@link legOutput} for iptables. */
export function iptablesLegOutput(site: Site, family: Family): RuleWords[] {
  if (family !== 4 || !needsLegs(site.links)) return [];
  const mark = markWords(site.policy);
  return [
    ...fromTransports(site, family, mark),
    ...tunnelAddresses4(site).map((address) => ['-s', `${address}/32`, ...mark]),
  ];
}

function markWords(policy: Policy): RuleWords {
  const mark = hexMark(uplinkMark(policy));
  return ['-j', 'MARK', '--set-xmark', `${mark}/${mark}`];
}

/** The endpoint's own IPv4 addresses on its tunnels. */
function tunnelAddresses4(site: Pick<Site, 'tunnels'>): string[] {
  return site.tunnels.flatMap(({ addresses }) =>
    addresses.filter(({ family }) => family === 4).map(({ address }) => address),
  );
}

function legsOf(links: readonly Link[]): Link[] {
  return links.filter(({ families }) => families.includes(4));
}
