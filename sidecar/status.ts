/**
 * What `gwmark status --json`, `clients --json` and `gateways --json` print: the document that the daemon serves on
 * its control socket. Fields are only ever added; a reader ignores what it does not know.
 */

/** How the sidecar stands with one OpenVPN process. */
export type ServerState =
  /** No connection to the management socket yet, or lost; reconnecting with backoff. */
  | 'connecting'
  /**
   * Connected, but OpenVPN has not opened its tunnel device yet (start-up, hold, restart), or its device or sockets
   * are not known.
   */
  | 'waiting'
  /** Connected, snapshot taken, rules follow events. */
  | 'ready';

/** Who told what is known of OpenVPN's sockets or device, the best first; docs/guides/transport.md explains each. */
export type EvidenceSource =
  | 'setting'
  | 'process'
  | 'cgroup'
  | 'log'
  | 'options'
  | 'environment'
  | 'earlier'
  | 'address';

/** What an OpenVPN process is. `client`: also one side of a point-to-point tunnel. */
export type OpenVpnRole = 'server' | 'client';

export interface TransportStatus {
  readonly protocol: 'udp' | 'tcp';
  /** Local address, `0.0.0.0` or `::` where OpenVPN is bound to every address. */
  readonly address: string;
  /** 1..65535 */
  readonly port: number;
}

export interface ServerStatus {
  /** The endpoint as configured: `unix:/path` or `tcp:host:port`. */
  readonly management: string;
  readonly state: ServerState;
  /** The tunnel device, null while unknown. */
  readonly device: string | null;
  /** Of a server: the sockets that it serves. */
  readonly transport: readonly TransportStatus[];
  /** How often the management socket was connected anew since the sidecar started. */
  readonly reconnects: number;
  /** How often a snapshot corrected what events had told since then. */
  readonly resyncs: number;
  /** Null while it is not known. This and what follows are absent in versions before they were added. */
  readonly role?: OpenVpnRole | null;
  /** Grows whenever OpenVPN restarted, or a client connected anew. */
  readonly epoch?: number;
  /** Of a client: the server's socket, null while unknown. */
  readonly remote?: TransportStatus | null;
  /** What OpenVPN asks its management client for and waits for, while gwmark does not have it; null when nothing. */
  readonly question?: string | null;
  /** Null while `transport` is not known, and for a client. */
  readonly transportSource?: EvidenceSource | null;
  /** Null while `device` is not known. */
  readonly deviceSource?: EvidenceSource | null;
  /** Of a client: the networks that its tunnel leads to, canonical form, single addresses without a prefix length. */
  readonly networks?: readonly string[];
}

export interface ClientStatus {
  /** OpenVPN's client id (CID), unique within an epoch. A decimal string: OpenVPN counts in an unsigned long. */
  readonly cid: string;
  /** Grows whenever OpenVPN restarted and its CIDs began again at 0. */
  readonly epoch: number;
  readonly commonName: string;
  /** The client's transport address as OpenVPN prints it, null where it did not say. */
  readonly realAddress: string | null;
  /** Virtual addresses (no prefix length) and subnets behind the client (with one), canonical form. */
  readonly addresses: readonly string[];
  /** ISO 8601, UTC. */
  readonly since: string;
  /**
   * Those of `addresses` that are not served, because they would take over other traffic, and why; absent when there
   * are none.
   */
  readonly refused?: readonly { readonly network: string; readonly reason: string }[];
}

/** A client network that the endpoint's own routing does not lead to its tunnel. */
export interface UnreachableNetwork {
  /** Canonical form, a single address without a prefix length. */
  readonly network: string;
  /** The tunnel device that its client is on. */
  readonly device: string;
  /** Where packets to its first address go instead; null where no route has it. */
  readonly leadsTo: string | null;
}

export type GatewayState =
  /** In use: a selected frame came from it. */
  | 'active'
  /** Known from the neighbour table, no selected frame seen yet. */
  | 'known'
  /** Its address was claimed by another MAC; answers go to that MAC now. */
  | 'moved'
  /** Its device is down or gone; its flows use normal routing. */
  | 'down';

/** Packets and their bytes. Both grow until the gateway is forgotten or the kernel's table is replaced. */
export interface TrafficCount {
  readonly packets: number;
  readonly bytes: number;
}

export interface GatewayStatus {
  /** 1..255 for nexthop, up to 2^32 - 1 for the module. */
  readonly id: number;
  readonly device: string;
  /** Where answers are sent now, lower-case colon form. */
  readonly mac: string;
  /** Layer-3 addresses that were seen at this MAC, canonical form. */
  readonly addresses: readonly string[];
  readonly state: GatewayState;
  /** Packets of VPN flows that came from it; null for the module, which counts flows instead. */
  readonly received: TrafficCount | null;
  /** Packets that were given to it by MAC; for nexthop before FORWARD had its say. */
  readonly sent: TrafficCount | null;
  /** Flows that were learnt as it; null for nexthop. */
  readonly learnedFlows: number | null;
  /** How often answers were redirected to another MAC. */
  readonly moves: number;
  /** `gwmark move` said where they go. Absent in versions before it was added. */
  readonly isOrdered?: boolean;
  /** Milliseconds since its last VPN frame; null before the first, and for nexthop. */
  readonly idleMs: number | null;
}

/** One entry of `gateways.exclude` or `gateways.only`. */
export interface SourceListStatus {
  readonly list: 'exclude' | 'only';
  /** As in the settings. */
  readonly entry: string;
  /** The senders that it means now; none where its address is not resolved. */
  readonly macs: readonly string[];
}

/** How often somebody else damaged what is ours and it was put back, since the sidecar started. */
export interface RepairStatus {
  /** The nftables table. */
  readonly firewall: number;
  /** Rules, routes and neighbours. */
  readonly routing: number;
}

export interface StatusDocument {
  readonly version: string;
  readonly datapath: 'nexthop' | 'module';
  /** What rules are made with. */
  readonly firewall: 'nftables' | 'iptables-nft' | 'iptables-legacy';
  /** Rules and routes stand and agree with what is wanted. */
  readonly ready: boolean;
  /** Why not, one sentence each; empty when ready. */
  readonly problems: readonly string[];
  readonly servers: readonly ServerStatus[];
  readonly clients: readonly ClientStatus[];
  /** Client networks to which no packet gets, for another route has them. Absent in versions before it was added. */
  readonly unreachable?: readonly UnreachableNetwork[];
  readonly gateways: readonly GatewayStatus[];
  /** Whose frames are learnt from, and whose not. Absent in versions before it was added. */
  readonly sourceLists?: readonly SourceListStatus[];
  /** The gateway id of last resort, null while none was learnt. */
  readonly uplink: number | null;
  /** When this sidecar started: ISO 8601, UTC. */
  readonly startedAt: string;
  readonly repairs: RepairStatus;
  /**
   * Packets of VPN flows that took the normal route, by reason. The module's reasons are explained in its uapi header.
   */
  readonly fallThrough: Readonly<Record<string, number>>;
  /** Every counter of the module by name; null for nexthop. */
  readonly moduleCounters: Readonly<Record<string, number>> | null;
  /** Client addresses and subnets that the packet filter has. */
  readonly elements: number;
  /**
   * Number of the last pass whose changes the kernel took, 0 before the first: what `gateway.found` and
   * `gateway.moved` log as `pass` is in the kernel once this is not smaller. Absent in versions before it was added.
   */
  readonly appliedPass?: number;
  /** The bits of packet and conntrack marks that are ours. */
  readonly markMask: number;
  /**
   * Settings that decide what the kernel is told, by path, as the configuration file would hold them. Absent in
   * versions before it was added.
   */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** What /proc/self/ns/net of the sidecar says, `net:[4026531840]`; null where it cannot be read. */
  readonly networkNamespace: string | null;
}
