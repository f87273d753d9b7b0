import type { Family } from './address.js';
import { formatNetwork, parseNetwork } from './address.js';
import { routeNeed } from './clients.js';
import { legRoute, legRules, legsTable, needsLegs } from './legs.js';
import { pathMtuRules } from './path-mtu.js';
import type { ClientNetwork, Gateway, Link, Policy, Site, Transport } from './world.js';
import { gatewayMark } from './world.js';

/** An entry of the routing policy database (`ip rule`). */
export interface PolicyRule {
  readonly family: Family;
  readonly priority: number;
  /** 0 for a rule that looks nothing up: `goto`, or the `nop` that one leads to. */
  readonly table: number;
  /** Priority of the rule to continue with. */
  readonly goto?: number;
  /** Ignores results with at most this prefix length: 0 ignores the default route. */
  readonly suppressPrefixLength?: number;
  readonly fwmark?: { readonly value: number; readonly mask: number };
  readonly iif?: string;
  readonly from?: string;
  readonly to?: string;
  readonly ipproto?: 'udp' | 'tcp' | 'icmp' | 'ipv6-icmp';
  readonly sport?: number;
  /** An inclusive range. */
  readonly dport?: readonly [number, number];
}

export interface Route {
  readonly family: Family;
  readonly table: number;
  /** `default` or a network. */
  readonly destination: string;
  /** Empty for a route of type `throw`, which ends the lookup in its table: the next rule is asked. */
  readonly device: string;
  /** A next hop that counts as on-link, whatever the addresses of the device. */
  readonly via?: string;
  /** A multipath route, for rp_filter with several legs: every device of it, the first one of them being `device`. */
  readonly devices?: readonly string[];
}

/** A permanent entry of the neighbour table. */
export interface Neighbour {
  readonly family: Family;
  readonly address: string;
  readonly device: string;
  /** Null for a router that is not known yet: the kernel keeps packets for it until it is (NUD_INCOMPLETE). */
  readonly mac: string | null;
}

/** Everything of gwmark in the kernel's routing, except routes of client networks. */
export interface RoutingPlan {
  readonly rules: readonly PolicyRule[];
  readonly routes: readonly Route[];
  readonly neighbours: readonly Neighbour[];
}

export const EMPTY_PLAN: RoutingPlan = { rules: [], routes: [], neighbours: [] };

/** The routing table numbers, from {@link Policy}. */
export function routingTables(policy: Policy): {
  clients: number;
  uplink: number;
  fallback: number;
  tunnels: number;
  contested: number;
  gateway: (id: number) => number;
} {
  const base = policy.routing.tableBase;
  return {
    clients: base,
    uplink: base + 1,
    fallback: base + 2,
    tunnels: base + 3,
    contested: base + 5,
    gateway: (id) => base + 10 + id,
  };
}

/** The next-hop address of a gateway: the id in the last bits of the prefix. */
export function nexthopAddress(policy: Policy, family: Family, id: number): string {
  const { nexthop4, nexthop6 } = policy.routing;
  if (family === 4) return `${nexthop4.address.slice(0, nexthop4.address.lastIndexOf('.'))}.${id}`;
  const last = id.toString(16);
  const text = nexthop6.address.endsWith('::')
    ? `${nexthop6.address}${last}`
    : `${nexthop6.address.slice(0, nexthop6.address.lastIndexOf(':'))}:${last}`;
  // With its last group set, another run of zeros may be the longest; must equal what the kernel lists.
  return parseNetwork(text)?.address ?? text;
}

/** The routing table main, RT_TABLE_MAIN. */
const MAIN = 254;
/** Contested client networks come first of all; their rule has the first priority. */
const TUNNEL_NETWORKS = 1;
/** Of the first gateway, whose id is 1; the highest id is 254. */
const BEFORE_GATEWAYS = 10;
/** Above every gateway's rule. */
const AFTER_GATEWAYS = 269;
/** The first of three rules, after those of sockets. */
export const PATH_MTU = 5;
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
  const { policy } = site;
  const rules: PolicyRule[] = [];
  const routes: Route[] = [];
  const neighbours: Neighbour[] = [];
  for (const family of [4, 6] as const) {
    const links = site.links.filter((link) => link.families.includes(family));
    if (links.length === 0) continue;
    if (family === 4 && links.some(({ hasReversePathFilter }) => hasReversePathFilter))
      addTunnelNetworks(site, links, rules, routes);
    const gateways = site.gateways.filter(({ device }) => links.some((link) => link.device === device));
    const vacancies = (site.vacancies ?? []).filter(({ device }) => links.some((link) => link.device === device));
    for (const gateway of gateways) addGateway(policy, family, gateway, rules, routes, neighbours);
    for (const vacancy of vacancies) addGateway(policy, family, { ...vacancy, mac: null }, rules, routes, neighbours);
    if (gateways.length + vacancies.length > FEW_GATEWAYS) rules.push(...aroundGateways(policy, family));
    const fallback = [
      ...uplinkRules(site, family),
      ...localFallbackRules(site, family),
      ...reversePathRules(site, family, links),
    ];
    const hasLegs = family === 4 && needsLegs(links);
    rules.push(...clientRules(site, family, links), ...(hasLegs ? legRules(policy, fallback) : fallback));
    if (hasLegs) routes.push(legRoute(policy, links));
    // A path MTU of IPv6 is stored in the table of the gateway, by the mark of the error that told it.
    if (family === 4) {
      const { fallback: table } = routingTables(policy);
      rules.push(
        ...pathMtuRules(site, family, links, {
          first: policy.routing.fallbackPriority + PATH_MTU,
          withSource: hasLegs ? legsTable(policy) : table,
          withoutSource: table,
        }),
      );
    }
    routes.push(...fallbackRoutes(site, family, links));
  }
  return { rules: distinct(rules), routes, neighbours };
}

/** Two sockets on one port need the same rule, and the kernel takes it once. */
export function distinct(rules: readonly PolicyRule[]): PolicyRule[] {
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}

/**
 * Rules are walked one after the other, for every packet of the machine: one without a mark of ours goes around the
 * gateways.
 */
function aroundGateways(policy: Policy, family: Family): PolicyRule[] {
  const { priority } = policy.routing;
  const target = priority + AFTER_GATEWAYS;
  return [
    {
      family,
      priority: priority + BEFORE_GATEWAYS,
      table: 0,
      fwmark: { value: 0, mask: policy.markMask },
      goto: target,
    },
    { family, priority: target, table: 0 },
  ];
}

/**
 * rp_filter asks for the way back of an answer from the tunnel with the mark of that answer, if `src_valid_mark` is on
 * (wg-quick turns it on), and must not be told the gateway. So the tunnels' own networks come before the gateways;
 * on-link networks inside of these stay with main.
 */
function addTunnelNetworks(site: Site, links: readonly Link[], rules: PolicyRule[], routes: Route[]): void {
  const table = routingTables(site.policy).tunnels;
  rules.push({ family: 4, priority: site.policy.routing.priority + TUNNEL_NETWORKS, table });
  for (const { device, connected } of site.tunnels) {
    for (const network of connected) {
      const destination = formatNetwork(network);
      // Of two tunnels with one network the second one's clients have routes of their own, which come first.
      if (network.family === 4 && !routes.some((route) => route.table === table && route.destination === destination))
        routes.push({ family: 4, table, destination, device });
    }
  }
  const known = new Set(routes.map(({ destination }) => destination));
  const onlink = new Set(
    links.flatMap(({ onlink: networks }) => networks.filter(({ family }) => family === 4).map(formatNetwork)),
  );
  for (const destination of onlink)
    if (!known.has(destination)) routes.push({ family: 4, table, destination, device: '' });
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

function addGateway(
  policy: Policy,
  family: Family,
  gateway: Pick<Gateway, 'id' | 'device'> & Pick<Neighbour, 'mac'>,
  rules: PolicyRule[],
  routes: Route[],
  neighbours: Neighbour[],
): void {
  const table = routingTables(policy).gateway(gateway.id);
  const priority = policy.routing.priority + BEFORE_GATEWAYS + gateway.id;
  const address = nexthopAddress(policy, family, gateway.id);
  const fwmark = { value: gatewayMark(policy, gateway.id), mask: policy.markMask };
  neighbours.push({ family, address, device: gateway.device, mac: gateway.mac });
  routes.push({ family, table, destination: 'default', device: gateway.device, via: address });
  rules.push({ family, priority, table, fwmark });
}

/**
 * ICMP errors that a router sends about a packet it forwards, as ranges of types: unreachable (with frag-needed) and
 * time exceeded; for IPv6 unreachable, packet too big and time exceeded.
 */
const ICMP_ERRORS = {
  4: [
    [3, 3],
    [11, 11],
  ],
  6: [[1, 3]],
} as const;

/**
 * Subnets behind clients, for those who have any; main's own routes come first, except for its default route. Where there
 * are several tunnels, those that main would lead to the wrong one come before everything else. OpenVPN's own packets
 * go around: the real address of a client may lie in a subnet behind it, or behind another.
 *
 * @param links those on which rp_filter may ask for the way back of a client's packet; none if it is off
 */
export function clientRules(site: Site, family: Family, links: readonly Link[]): PolicyRule[] {
  if (!site.clientRouteFamilies.includes(family)) return [];
  const first = site.policy.routing.priority;
  const priority = first + AFTER_GATEWAYS + 1;
  const target = priority + 3;
  const contested =
    site.tunnels.length > 1 ? [{ family, priority: first, table: routingTables(site.policy).contested }] : [];
  return [
    ...contested,
    ...[...socketSelectors(site, family), ...reversePathSelectors(site, family, links)].map((selector) => ({
      ...selector,
      priority,
      table: 0,
      goto: target,
    })),
    { family, priority: priority + 1, table: MAIN, suppressPrefixLength: 0 },
    { family, priority: priority + 2, table: routingTables(site.policy).clients },
    { family, priority: target, table: 0 },
  ];
}

/** The selecting part of a rule. */
type Selector = Omit<PolicyRule, 'priority' | 'table' | 'goto'>;

/**
 * What the sockets of transports send. A rule that asks for ports and not for `iif lo` makes the kernel dissect every
 * packet it receives.
 */
function socketSelectors({ transports }: Site, family: Family): Selector[] {
  return transports
    .filter(({ families }) => families.includes(family))
    .map(({ protocol: ipproto, port: sport, remote }) =>
      // A client's socket has no port yet when it looks for its first route.
      remote === undefined
        ? { family, iif: 'lo', ipproto, sport }
        : { family, iif: 'lo', to: remote.address, ipproto, dport: [remote.port, remote.port] },
    );
}

function uplinkRules(site: Site, family: Family): PolicyRule[] {
  const { uplink: table } = routingTables(site.policy);
  return site.tunnels.map(({ device }) => ({
    family,
    priority: site.policy.routing.fallbackPriority,
    table,
    iif: device,
  }));
}

/**
 * What local output needs to get as far as netfilter: sockets of OpenVPN, the endpoint's tunnel addresses, ICMP errors
 * about forwarded packets.
 */
export function localFallbackRules(site: Site, family: Family): PolicyRule[] {
  const first = site.policy.routing.fallbackPriority;
  const local = { family, table: routingTables(site.policy).fallback, iif: 'lo' };
  const rules: PolicyRule[] = [];
  for (const { addresses } of site.tunnels) {
    for (const { family: of, address } of addresses)
      if (of === family) rules.push({ ...local, priority: first + 1, from: address });
  }
  rules.push(...socketSelectors(site, family).map((selector) => ({ ...local, ...selector, priority: first + 2 })));
  for (const [low, high] of ICMP_ERRORS[family]) {
    // The flow key keeps ICMP type and code where it keeps ports (struct flowi_uli), so a port range selects them.
    // IPv4: `from 0.0.0.0` is a lookup without a source, as only an error about another program's packet has one.
    const icmp = { ...local, priority: first + 3, dport: [low << 8, (high << 8) | 255] as const };
    rules.push(family === 4 ? { ...icmp, ipproto: 'icmp', from: '0.0.0.0' } : { ...icmp, ipproto: 'ipv6-icmp' });
  }
  return rules;
}

function reversePathRules(site: Site, family: Family, links: readonly Link[]): PolicyRule[] {
  const { policy } = site;
  return reversePathSelectors(site, family, links).map((selector) => ({
    ...selector,
    table: routingTables(policy).fallback,
    priority: policy.routing.fallbackPriority + 4,
  }));
}

/**
 * rp_filter looks up the way back of a client's datagram. That lookup is not `iif lo`, so it needs rules of its own,
 * which only those get who have the filter on.
 */
function reversePathSelectors({ transports }: Site, family: Family, links: readonly Link[]): Selector[] {
  return transports
    .filter(({ families }) => families.includes(family))
    .flatMap(({ remote, protocol: ipproto, port: sport, ...transport }) =>
      reversePathAddresses(transport, family, links).map((from) => ({
        family,
        from,
        ...(remote === undefined ? { ipproto, sport } : { to: remote.address }),
      })),
    );
}

function reversePathAddresses(
  transport: Pick<Transport, 'address'>,
  family: Family,
  links: readonly Link[],
): string[] {
  if (family === 6) return [];
  return links
    .filter(({ hasReversePathFilter }) => hasReversePathFilter)
    .flatMap(({ addresses }) => addresses)
    .filter((address) => !address.includes(':') && (transport.address === null || transport.address === address));
}

function fallbackRoutes(site: Site, family: Family, links: readonly Link[]): Route[] {
  const tables = routingTables(site.policy);
  const { uplink } = site;
  if (uplink !== null && links.some(({ device }) => device === uplink.device)) {
    const route = {
      family,
      destination: 'default',
      device: uplink.device,
      via: nexthopAddress(site.policy, family, uplink.id),
    };
    return [
      { ...route, table: tables.uplink },
      { ...route, table: tables.fallback },
    ];
  }
  const link = transportLink(site, family, links);
  if (link === undefined) return [];
  const route = { family, destination: 'default', device: link.device };
  // rp_filter asks the uplink table for the way back of forwarded packets, and is content with the device alone.
  const forFilter = family === 4 && link.hasReversePathFilter ? [{ ...route, table: tables.uplink }] : [];
  return [...forFilter, { ...route, table: tables.fallback }];
}

/** The link that carries a transport's own address, else the first. */
export function transportLink(site: Site, family: Family, links: readonly Link[]): Link | undefined {
  const bound = site.transports.find((transport) => transport.address !== null && transport.families.includes(family));
  return links.find((link) => bound?.address != null && link.addresses.includes(bound.address)) ?? links[0];
}
