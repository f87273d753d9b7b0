import type { Family } from './address.js';
import { parseNetwork } from './address.js';
import type { Policy } from './world.js';

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
