import type { Command } from 'nftables-json';
import { contains, formatNetwork, isHost } from './address.js';
import { clientSetName } from './selection.js';
import type { TableFamily } from './structure.js';
import type { ClientNetwork, SubnetLength, Tunnel } from './world.js';

/** A client network that was added or removed. */
export interface ClientNetworkChange {
  readonly op: 'add' | 'remove';
  readonly network: ClientNetwork;
}

/** The element's value for nftables; {@link clientSetName} has the name of the set. */
export function clientElement(network: ClientNetwork): string {
  return network.address;
}

/** One key per network, for maps: `10.8.0.2`, `192.168.77.0/24`. */
export function networkKey(network: ClientNetwork): string {
  return formatNetwork(network);
}

/**
 * The element commands for changes of clients: one delete and one add command a set, however many elements.
 * The order of `changes` does not matter; each network may be in it once.
 */
export function clientCommands(
  table: string,
  changes: Iterable<ClientNetworkChange>,
  family: TableFamily = 'inet',
): Command[] {
  const commands: Command[] = [];
  for (const [name, { add, remove }] of changesBySet(changes, clientSetName, (network) => [clientElement(network)])) {
    if (remove.length > 0) commands.push({ delete: { element: { family, table, name, elem: remove } } });
    if (add.length > 0) commands.push({ add: { element: { family, table, name, elem: add } } });
  }
  return commands;
}

/**
 * The changes to the sets of a packet filter: the elements to add and to remove, by name of the set.
 *
 * @param setOf the set that a network belongs into
 * @param elementsOf the elements for a network in its set
 */
export function changesBySet(
  changes: Iterable<ClientNetworkChange>,
  setOf: (network: ClientNetwork) => string,
  elementsOf: (network: ClientNetwork) => readonly string[],
): ReadonlyMap<string, { readonly add: readonly string[]; readonly remove: readonly string[] }> {
  const bySet = new Map<string, { add: string[]; remove: string[] }>();
  for (const { op, network } of changes) {
    const name = setOf(network);
    const group = bySet.get(name) ?? { add: [], remove: [] };
    bySet.set(name, group);
    group[op].push(...elementsOf(network));
  }
  return bySet;
}

/** The distinct prefix lengths of subnets, IPv4 first, long before short: the most specific set is asked first. */
export function subnetLengths(networks: Iterable<ClientNetwork>): SubnetLength[] {
  const lengths = new Map<string, SubnetLength>();
  for (const network of networks) {
    if (isHost(network)) continue;
    lengths.set(clientSetName(network), { family: network.family, prefixLength: network.prefixLength });
  }
  return [...lengths.values()].toSorted((a, b) => a.family - b.family || b.prefixLength - a.prefixLength);
}

/** False for a subnet whose length is not among these. */
export function hasLength(lengths: readonly SubnetLength[], network: ClientNetwork | null): boolean {
  if (network === null || isHost(network)) return true;
  return lengths.some(
    ({ family, prefixLength }) => family === network.family && prefixLength === network.prefixLength,
  );
}

/**
 * Whether the kernel needs a route of ours to reach a client network. `route`: main has none to its tunnel.
 * `contested`: main leads to another tunnel of ours, or to either, as of two servers with the same network; then ours
 * has to come before main. A subnet that main leads to both is left to main.
 *
 * None for a tunnel without its family: OpenVPN takes an `iroute-ipv6` also where IPv6 is disabled, and the kernel
 * then refuses the route.
 */
export function routeNeed(network: ClientNetwork, tunnels: readonly Tunnel[]): 'none' | 'route' | 'contested' {
  const tunnel = tunnels.find(({ device }) => device === network.device);
  if (tunnel === undefined || !tunnel.families.includes(network.family)) return 'none';
  const own = longestCover(tunnel, network);
  const others = tunnels.filter((other) => other !== tunnel).map((other) => longestCover(other, network));
  const isContested = others.some((length) => length !== null && (own === null || (length >= own && isHost(network))));
  if (isContested) return 'contested';
  return own === null ? 'route' : 'none';
}

/** {@link routeNeed} is not `none`. */
export function needsRoute(network: ClientNetwork, tunnels: readonly Tunnel[]): boolean {
  return routeNeed(network, tunnels) !== 'none';
}

/** The prefix length of main's narrowest route to the tunnel that has the network; null without one. */
function longestCover({ covered }: Tunnel, network: ClientNetwork): number | null {
  return covered.reduce<number | null>(
    (longest, outer) =>
      contains(outer, network) && outer.prefixLength > (longest ?? -1) ? outer.prefixLength : longest,
    null,
  );
}
