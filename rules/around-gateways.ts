import type { Family } from './address.js';
import { formatNetwork } from './address.js';
import { rememberLast } from './remembered.js';
import { legRoute, legRules, legsTable, needsLegs } from './legs.js';
import { pathMtuRules } from './path-mtu.js';
import type { PolicyRule, Route, RoutingPlan } from './routing-plan.js';
import { nexthopAddress, routingTables } from './routing-plan.js';
import type { Link, Policy, Site, Transport } from './world.js';

/** The routing table main, RT_TABLE_MAIN. */
const MAIN = 254;
/** Contested client networks come first of all; their rule has the first priority. */
const TUNNEL_NETWORKS = 1;
/** Of the first gateway, whose id is 1; the highest id is 254. */
export const BEFORE_GATEWAYS = 10;
/** Above every gateway's rule. */
const AFTER_GATEWAYS = 269;
/** The first of three rules, after those of sockets. */
export const PATH_MTU = 5;

/** A part of a plan without neighbours. */
type Ways = Pick<RoutingPlan, 'rules' | 'routes'>;

/** What it follows from. */
const FIELDS = ['policy', 'tunnels', 'transports', 'links', 'uplink', 'clientRouteFamilies'] as const;

type Around = Pick<Site, (typeof FIELDS)[number]>;

/** What a plan of the datapath `nexthop` has in one family besides its gateways. */
export interface AroundGateways {
  /** The links with this family. */
  readonly devices: ReadonlySet<string>;
  readonly before: Ways;
  /** The rules that lead past many gateways. */
  readonly past: readonly PolicyRule[];
  readonly after: Ways;
}

/**
 * Null if no link has the family. Each remembers its last result, so that a plan for one more gateway has the same
 * objects.
 */
export const AROUND_GATEWAYS = { 4: rememberAround(4), 6: rememberAround(6) } as const;

function rememberAround(family: Family): (site: Around) => AroundGateways | null {
  return rememberLast(FIELDS, (site: Around): AroundGateways | null => {
    const { policy } = site;
    const links = site.links.filter((link) => link.families.includes(family));
    if (links.length === 0) return null;
    const isFiltered = family === 4 && links.some(({ hasReversePathFilter }) => hasReversePathFilter);
    const fallback = [
      ...uplinkRules(site, family),
      ...localFallbackRules(site, family),
      ...reversePathRules(site, family, links),
    ];
    const hasLegs = family === 4 && needsLegs(links);
    const after = [...clientRules(site, family, links), ...(hasLegs ? legRules(policy, fallback) : fallback)];
    // A path MTU of IPv6 is stored in the table of the gateway, by the mark of the error that told it.
    if (family === 4) {
      const { fallback: table } = routingTables(policy);
      after.push(
        ...pathMtuRules(site, family, links, {
          first: policy.routing.fallbackPriority + PATH_MTU,
          withSource: hasLegs ? legsTable(policy) : table,
          withoutSource: table,
        }),
      );
    }
    return {
      devices: new Set(links.map(({ device }) => device)),
      before: isFiltered ? tunnelNetworks(site, links) : { rules: [], routes: [] },
      past: pastGateways(policy, family),
      after: {
        rules: distinct(after),
        routes: [...(hasLegs ? [legRoute(policy, links)] : []), ...fallbackRoutes(site, family, links)],
      },
    };
  });
}

/** Two sockets on one port need the same rule, and the kernel takes it once. */
export function distinct(rules: readonly PolicyRule[]): PolicyRule[] {
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}

/**
 * Rules are walked one after the other, for every packet of the machine: one without a mark of ours goes around the
 * gateways.
 */
function pastGateways(policy: Policy, family: Family): PolicyRule[] {
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
function tunnelNetworks(site: Around, links: readonly Link[]): Ways {
  const table = routingTables(site.policy).tunnels;
  const routes: Route[] = [];
  for (const { device, connected } of site.tunnels) {
    for (const network of connected) {
      const destination = formatNetwork(network);
      // Of two tunnels with one network the second one's clients have routes of their own, which come first.
      if (network.family === 4 && !routes.some((route) => route.destination === destination))
        routes.push({ family: 4, table, destination, device });
    }
  }
  const known = new Set(routes.map(({ destination }) => destination));
  const onlink = new Set(
    links.flatMap(({ onlink: networks }) => networks.filter(({ family }) => family === 4).map(formatNetwork)),
  );
  for (const destination of onlink)
    if (!known.has(destination)) routes.push({ family: 4, table, destination, device: '' });
  return { rules: [{ family: 4, priority: site.policy.routing.priority + TUNNEL_NETWORKS, table }], routes };
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
export function clientRules(site: Around, family: Family, links: readonly Link[]): PolicyRule[] {
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
function socketSelectors({ transports }: Around, family: Family): Selector[] {
  return transports
    .filter(({ families }) => families.includes(family))
    .map(({ protocol: ipproto, port: sport, remote }) =>
      // A client's socket has no port yet when it looks for its first route.
      remote === undefined
        ? { family, iif: 'lo', ipproto, sport }
        : { family, iif: 'lo', to: remote.address, ipproto, dport: [remote.port, remote.port] },
    );
}

function uplinkRules(site: Around, family: Family): PolicyRule[] {
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
export function localFallbackRules(site: Around, family: Family): PolicyRule[] {
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

function reversePathRules(site: Around, family: Family, links: readonly Link[]): PolicyRule[] {
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
function reversePathSelectors({ transports }: Around, family: Family, links: readonly Link[]): Selector[] {
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

function fallbackRoutes(site: Around, family: Family, links: readonly Link[]): Route[] {
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
export function transportLink(site: Around, family: Family, links: readonly Link[]): Link | undefined {
  const bound = site.transports.find((transport) => transport.address !== null && transport.families.includes(family));
  return links.find((link) => bound?.address != null && link.addresses.includes(bound.address)) ?? links[0];
}
