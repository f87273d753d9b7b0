import type { Family, Network } from './address.js';
import type { SourceFilter } from './sources.js';

/**
 * The settings that rules and routes depend on. Fixed while the sidecar runs.
 */
export interface Policy {
  /** Name of our nftables table, family inet. */
  readonly table: string;
  /**
   * The bits of packet mark and conntrack mark that gwmark uses: contiguous, 2..8 of them. A gateway's id is in them.
   */
  readonly markMask: number;
  /** Also learn gateways for on-link sources. */
  readonly learnOnlink: boolean;
  readonly routing: RoutingPolicy;
}

/** Numbers of the routing policy database that gwmark uses. */
export interface RoutingPolicy {
  /** Route protocol, 5..255: all our rules, routes and neighbours have it. */
  readonly protocol: number;
  /**
   * First of our routing tables: clients, uplink, fallback, tunnels, legs, then one per gateway at `tableBase + 10 +
   * id`.
   */
  readonly tableBase: number;
  /** Rule priorities before `main` (32766): `priority + 10 + id` for each gateway, and some before and after these. */
  readonly priority: number;
  /** First of 16 rule priorities after `main`. */
  readonly fallbackPriority: number;
  /** A /24 from which the next hops of IPv4 gateways are taken, one an id; never seen on any wire. */
  readonly nexthop4: Network;
  /** The same for IPv6, prefix length at most 112. */
  readonly nexthop6: Network;
}

/** A device that OpenVPN opened: no link layer. */
export interface Tunnel {
  readonly device: string;
  /** The endpoint's own addresses on it. */
  readonly addresses: readonly Network[];
  /** Networks of these addresses: connected routes. */
  readonly connected: readonly Network[];
  /** What the routing table main sends to it: the connected networks, and OpenVPN's own routes. */
  readonly covered: readonly Network[];
  /** Families that are enabled on it. */
  readonly families: readonly Family[];
}

/** A socket on which OpenVPN talks to its clients; or, with `remote`, what an OpenVPN client sends to its server. */
export interface Transport {
  readonly protocol: 'udp' | 'tcp';
  /** Null when bound to every address of the families. */
  readonly address: string | null;
  readonly families: readonly Family[];
  /** 1..65535; 0 for a client, which has any port. */
  readonly port: number;
  /** Of an OpenVPN client: the server's address, canonical, and its port. */
  readonly remote?: { readonly address: string; readonly port: number };
}

/** An Ethernet device on which gateways are learnt. */
export interface Link {
  readonly device: string;
  /** The endpoint's own addresses on it. */
  readonly addresses: readonly string[];
  /**
   * Networks whose hosts are on it: those of these addresses, and those that main sends to it without a next hop;
   * link-local ones left out.
   */
  readonly onlink: readonly Network[];
  /** Families that are enabled on it. */
  readonly families: readonly Family[];
  /** `rp_filter` is in force on it, strict or loose. IPv4 only: IPv6 has none. */
  readonly hasReversePathFilter: boolean;
  /** `rp_filter` is in force and strict (1). Default: it is not. */
  readonly isReversePathStrict?: boolean;
  /** It is a bridge, and the setting `inline` is not `off`: an inline endpoint captures frames that pass it. */
  readonly isBridge: boolean;
  /** Of a bridge and of a VLAN device on one. Default: no frames pass it. */
  readonly cable?: Cable;
}

/** The bridge below a link, whose ports frames of the link's network pass. */
export interface Cable {
  /** The link's own MAC address, lower case. */
  readonly mac: string;
  /** The ports of the bridge through which frames of this network come; sorted by name. */
  readonly ports: readonly CablePort[];
  /** The VLAN that the network's frames are tagged with, 1..4094; null: none. */
  readonly vlan: number | null;
}

/** A device that a bridge joins with others. */
export interface CablePort {
  readonly device: string;
  /** Its own MAC address, lower case: one of the bridge's, too. */
  readonly mac: string;
}

/**
 * A link-layer neighbour that selected frames came from.
 */
export interface Gateway {
  /** 1 up to what the mark mask can hold. */
  readonly id: number;
  readonly device: string;
  /** Where answers go. */
  readonly mac: string;
  /** The same for IPv6. Default: `mac`. */
  readonly mac6?: string;
  /** Source MACs whose frames are learnt as this gateway: its own, wherever answers go. */
  readonly sources: readonly string[];
  /** A command has set where answers go. */
  readonly isOrdered?: true;
  /** It does not answer: packets of its flows take the normal route. */
  readonly isDead?: true;
}

/**
 * An id that has its rule, route and neighbour, and no router yet: the packet path gives it to one that is not known.
 */
export interface Vacancy {
  readonly id: number;
  readonly device: string;
}

/** Everything but the clients: changes seldom, and all that follows from it is computed again each time. */
export interface Site {
  readonly policy: Policy;
  readonly tunnels: readonly Tunnel[];
  readonly transports: readonly Transport[];
  readonly links: readonly Link[];
  readonly gateways: readonly Gateway[];
  /** The oldest first; absent: none. */
  readonly vacancies?: readonly Vacancy[];
  /** Gateway of last resort. */
  readonly uplink: Gateway | null;
  /** Prefix lengths of the subnets behind clients. */
  readonly subnetLengths: readonly SubnetLength[];
  /** Families in which some client network needs a route of ours. */
  readonly clientRouteFamilies: readonly Family[];
  /** The values of sysctls before the sidecar changed them, for `gwmark down`. */
  readonly savedSysctls: readonly OriginalSysctl[];
  /** The senders that gwmark does not learn from; absent: none. */
  readonly sources?: SourceFilter | undefined;
  /**
   * A reverse path filter made of rules is to be told the ways of gateways: see path-filters.ts. Default: there is
   * none.
   */
  readonly answersPathFilters?: boolean;
  /** Packets from tunnels that go to a gateway pass a flowtable: see offload.ts. Default: they do not. */
  readonly offloads?: boolean;
}

export interface OriginalSysctl {
  /** Path below /proc/sys, at most 100 characters. */
  readonly name: string;
  readonly value: string;
}

export interface SubnetLength {
  readonly family: Family;
  readonly prefixLength: number;
}

/** A virtual address of a client, or a subnet behind it. */
export interface ClientNetwork extends Network {
  /** The tunnel device that leads there. */
  readonly device: string;
}

/** The value of a gateway in the bits of the mark mask. */
export function gatewayMark(policy: Pick<Policy, 'markMask'>, id: number): number {
  return (id * lowestBit(policy.markMask)) >>> 0;
}

/** The other way round: the id of a gateway in a mark, 0 for none. */
export function gatewayOfMark({ markMask }: Pick<Policy, 'markMask'>, mark: number): number {
  return ((mark & markMask) >>> 0) / lowestBit(markMask);
}

/**
 * The one value in the bits of the mark mask by which the module knows selected packets: 0x32, or 1 if that does
 * not fit.
 */
export function moduleMark(policy: Policy): number {
  const value = highestGatewayId(policy.markMask) >= 0x32 ? 0x32 : 1;
  return gatewayMark(policy, value);
}

/** The highest gateway id that fits into the mask. */
export function highestGatewayId(markMask: number): number {
  return (markMask >>> 0) / lowestBit(markMask);
}

function lowestBit(mask: number): number {
  return (mask & -mask) >>> 0;
}
