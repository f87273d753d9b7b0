/**
 * What `gwmark status --json`, `clients --json` and `gateways --json` print: the document that the daemon serves on
 * its control socket. Fields are only ever added; a reader ignores what it does not know. Those that were added after
 * the first version may be absent.
 *
 * The schema is the only description: the types are inferred from it. It imports nothing but valibot, so that a command
 * that only looks starts without the daemon.
 */
import * as v from 'valibot';

const INTEGER = v.pipe(v.number(), v.integer());

const serverState = v.picklist([
  /** No connection to the management socket yet, or lost; reconnecting with backoff. */
  'connecting',
  /**
   * Connected, but OpenVPN has not opened its tunnel device yet (start-up, hold, restart), or its device or sockets
   * are not known.
   */
  'waiting',
  /** Connected, snapshot taken, rules follow events. */
  'ready',
]);

const evidenceSource = v.picklist([
  'setting',
  'process',
  'cgroup',
  'log',
  'options',
  'environment',
  'earlier',
  'address',
]);

const openVpnRole = v.picklist(['server', 'client']);

const transport = v.object({
  protocol: v.picklist(['udp', 'tcp']),
  /** Local address, `0.0.0.0` or `::` where OpenVPN is bound to every address. */
  address: v.string(),
  /** 1..65535 */
  port: INTEGER,
});

const passThroughSocket = v.object({
  /** As in the setting `passThrough`: `unix:/path` or `tcp:host:port`. */
  socket: v.string(),
  /** Programs can attach: gwmark is connected to OpenVPN, and listens. */
  isOpen: v.boolean(),
  /** Why it cannot be opened; null if nothing is wrong. */
  problem: v.nullable(v.string()),
  /** How many programs are attached. */
  programs: INTEGER,
  /** How many were dropped since the sidecar started, because they did not read, or OpenVPN did not answer them. */
  dropped: INTEGER,
  /** The program that answers logins is attached here. */
  answersLogins: v.boolean(),
});

const server = v.object({
  /** The endpoint as configured: `unix:/path` or `tcp:host:port`. */
  management: v.string(),
  state: serverState,
  /** The tunnel device, null while unknown. */
  device: v.nullable(v.string()),
  /** Of a server: the sockets that it serves. */
  transport: v.array(transport),
  /** How often the management socket was connected again since the sidecar started. */
  reconnects: INTEGER,
  /** How often a snapshot corrected what events had told since then. */
  resyncs: INTEGER,
  /** Clients that `gwmark kick`, or its hold, ended since then. */
  kicks: v.exactOptional(INTEGER),
  /** Null while it is not known. */
  role: v.exactOptional(v.nullable(openVpnRole)),
  /** Grows whenever OpenVPN restarted, or a client connected again. */
  epoch: v.exactOptional(INTEGER),
  /** Of a client: the server's socket, null while unknown. */
  remote: v.exactOptional(v.nullable(transport)),
  /** What OpenVPN asks its management client for and waits for, while gwmark does not have it; null when nothing. */
  question: v.exactOptional(v.nullable(v.string())),
  /** Null while `transport` is not known, and for a client. */
  transportSource: v.exactOptional(v.nullable(evidenceSource)),
  /** Null while `device` is not known. */
  deviceSource: v.exactOptional(v.nullable(evidenceSource)),
  /** Of a client: the networks that its tunnel leads to, canonical form, single addresses without a prefix length. */
  networks: v.exactOptional(v.array(v.string())),
  /** Where other programs use its management interface. */
  passThrough: v.exactOptional(v.array(passThroughSocket)),
});

const refusedNetwork = v.object({ network: v.string(), reason: v.string() });

const source = v.object({
  /** `tunnel`: of the setting `tunnels`. */
  kind: v.picklist(['tunnel', 'wireguard']),
  /** Its device, as in the settings. */
  name: v.string(),
  /** `waiting`: its device is not there, or it cannot be read; `problems` has the reason. */
  state: v.picklist(['waiting', 'ready']),
  /** The sockets of its own packets. */
  transport: v.array(transport),
  /** Null while `transport` is not known. */
  transportSource: v.nullable(v.picklist(['setting', 'wg'])),
  /** Networks that it leads to now, canonical form, single addresses without a prefix length; with peers, of them. */
  networks: v.array(v.string()),
  /** Networks that are not served, because they would take over other traffic; absent when there are none. */
  refused: v.exactOptional(v.array(refusedNetwork)),
  /** Networks that another VPN leads to, too, on these devices; absent when there are none. */
  shared: v.exactOptional(v.array(v.object({ network: v.string(), devices: v.array(v.string()) }))),
});

const clientTraffic = v.object({
  /** Bytes from the client since it connected. */
  received: v.number(),
  /** Bytes to it. */
  sent: v.number(),
  /** When OpenVPN was asked: ISO 8601, UTC. */
  at: v.string(),
});

const client = v.object({
  /** OpenVPN's client id (CID), unique within an epoch. A decimal string: OpenVPN counts in an unsigned long. */
  cid: v.string(),
  /** Grows whenever OpenVPN restarted and its CIDs began again at 0. */
  epoch: INTEGER,
  commonName: v.string(),
  /** The client's transport address as OpenVPN prints it, null if it did not say. */
  realAddress: v.nullable(v.string()),
  /** Virtual addresses (no prefix length) and subnets behind the client (with one), canonical form. */
  addresses: v.array(v.string()),
  /** ISO 8601, UTC. */
  since: v.string(),
  /**
   * Those of `addresses` that are not served, because they would take over other traffic, and why; absent when there
   * are none.
   */
  refused: v.exactOptional(v.array(refusedNetwork)),
  /** `gwmark kick` ended it, and OpenVPN has not dropped it yet: none of `addresses` is served. */
  isKicked: v.exactOptional(v.boolean()),
  /** The OpenVPN that it is connected to, as in `servers`. */
  management: v.exactOptional(v.string()),
  /** What OpenVPN counted; absent before the first snapshot that names it. */
  traffic: v.exactOptional(clientTraffic),
});

const peer = v.object({
  /** `name` of its source. */
  source: v.string(),
  /** WireGuard: its public key. */
  name: v.string(),
  /** It is served: it shook hands a short time ago, or always counts as connected. */
  isConnected: v.boolean(),
  /** Its transport address and port, null if it is not known. */
  realAddress: v.nullable(v.string()),
  /** WireGuard: its allowed IPs; canonical form, single addresses without a prefix length. */
  addresses: v.array(v.string()),
  /** Connected since then, as far as this sidecar saw: ISO 8601, UTC; null if it is not. */
  since: v.nullable(v.string()),
  /** ISO 8601, UTC; null if there was none. */
  lastHandshake: v.nullable(v.string()),
  /** As of a source. */
  refused: v.exactOptional(v.array(refusedNetwork)),
  /** Bytes since the interface was made. */
  traffic: clientTraffic,
});

const hold = v.object({
  commonName: v.string(),
  /** The management endpoint of the OpenVPN that keeps it out; null: all of them do. */
  management: v.nullable(v.string()),
  /** ISO 8601, UTC. */
  until: v.string(),
});

const unreachableNetwork = v.object({
  /** Canonical form, a single address without a prefix length. */
  network: v.string(),
  /** The tunnel device that its client is on. */
  device: v.string(),
  /** Where packets to its first address go instead; null if no route has it. */
  leadsTo: v.nullable(v.string()),
});

const offload = v.object({
  /** Packets from tunnels to gateways are offloaded. */
  isOn: v.boolean(),
  /** Why they are not; or, where they are by the setting `on`, which rules they bypass. Null: nothing to say. */
  reason: v.nullable(v.string()),
  /** How often every flow had to pass rules and routing again since the sidecar started. */
  renewals: INTEGER,
});

const announcements = v.object({
  /** Addresses for which the endpoint answers ARP and ND. */
  announced: INTEGER,
  /** Addresses that are being looked for on their link, or will be, before they are announced. */
  pending: INTEGER,
  /** Addresses that another host on the link has: not announced. */
  taken: v.array(v.object({ address: v.string(), device: v.string(), mac: v.string() })),
  /** Subnets behind clients in the network of a link, with too many addresses to announce. */
  omitted: v.array(v.object({ network: v.string(), device: v.string() })),
  /** Why hosts are not told at once when an address is announced (gratuitous ARP); absent if they are. */
  silent: v.exactOptional(v.string()),
});

const gatewayState = v.picklist([
  /** In use: a selected frame came from it. */
  'active',
  /** Known from the neighbour table, no selected frame seen yet. */
  'known',
  /** Its address was claimed by another MAC; answers go to that MAC now. */
  'moved',
  /** Its device is down or gone, or it answers no probe (`gateways.probeIntervalMs`); its flows use normal routing. */
  'down',
]);

const trafficCount = v.object({ packets: v.number(), bytes: v.number() });

const gateway = v.object({
  /** 1..255 for nexthop, up to 2^32 - 1 for the module. */
  id: INTEGER,
  device: v.string(),
  /** Where answers are sent now, lower-case colon form. */
  mac: v.string(),
  /** Layer-3 addresses that were seen at this MAC, canonical form. */
  addresses: v.array(v.string()),
  state: gatewayState,
  /** Packets of VPN flows that came from it; null for the module, which counts flows instead. */
  received: v.nullable(trafficCount),
  /** Packets sent to its MAC address; for nexthop, counted before FORWARD. */
  sent: v.nullable(trafficCount),
  /** Flows that were learnt as it; null for nexthop. */
  learnedFlows: v.nullable(v.number()),
  /** How often answers were redirected to another MAC. */
  moves: INTEGER,
  /** How often it answered no probe, and its moves of the last ten minutes, 64 at most; only nexthop. */
  deaths: v.exactOptional(INTEGER),
  recentMoves: v.exactOptional(INTEGER),
  /** `gwmark move` has set where they go, or the setting `gateways.answer`. */
  isOrdered: v.exactOptional(v.boolean()),
  answer: v.exactOptional(v.picklist(['pin', 'virtual', 'resolved'])),
  /** Milliseconds since its last VPN frame; null before the first, and for nexthop. */
  idleMs: v.nullable(v.number()),
});

const sourceList = v.object({
  list: v.picklist(['exclude', 'only']),
  /** As in the settings. */
  entry: v.string(),
  /** The senders that it means now; none if its address is not resolved. */
  macs: v.array(v.string()),
});

/** `mac` is null while no neighbour has the address, or with `virtual` none with the MAC of a group. */
const answer = v.object({ device: v.string(), policy: v.string(), address: v.string(), mac: v.nullable(v.string()) });

const repairs = v.object({
  /** The nftables table. */
  firewall: INTEGER,
  /** Rules, routes and neighbours. */
  routing: INTEGER,
});

const counters = v.record(v.string(), v.number());

const statusDocument = v.object({
  version: v.string(),
  datapath: v.picklist(['nexthop', 'module']),
  /** The tool that installs rules. */
  firewall: v.picklist(['nftables', 'iptables-nft', 'iptables-legacy']),
  /** Rules and routes are installed and agree with what is wanted. */
  ready: v.boolean(),
  /** Why it is not ready, one sentence each; empty if it is. */
  problems: v.array(v.string()),
  servers: v.array(server),
  clients: v.array(client),
  /** VPNs of other programs; absent if none is configured. */
  sources: v.exactOptional(v.array(source)),
  /** Everybody that the sources know; absent if no source is configured. */
  peers: v.exactOptional(v.array(peer)),
  /** Clients that `gwmark kick --hold` keeps out. */
  holds: v.exactOptional(v.array(hold)),
  /** Client networks to which no packet gets, for another route has them. */
  unreachable: v.exactOptional(v.array(unreachableNetwork)),
  /** With `announce: proxy`: what the endpoint answers for on its links; null without. */
  announcements: v.exactOptional(v.nullable(announcements)),
  /** Null with `offload: off`. */
  offload: v.exactOptional(v.nullable(offload)),
  gateways: v.array(gateway),
  /** The senders that gwmark learns from, and those that it does not; the addresses of `gateways.answer`. */
  sourceLists: v.exactOptional(v.array(sourceList)),
  answers: v.exactOptional(v.array(answer)),
  /** The gateway id of last resort, null while none was learnt. */
  uplink: v.nullable(INTEGER),
  /** Ids that wait for routers that are not known yet: answers to their first packets are held. */
  vacancies: v.exactOptional(INTEGER),
  /** When this sidecar started: ISO 8601, UTC. */
  startedAt: v.string(),
  repairs,
  /**
   * Packets of VPN flows that took the normal route, by reason. The module's reasons are explained in its uapi header.
   */
  fallThrough: counters,
  /** Every counter of the module by name; null for nexthop. */
  moduleCounters: v.nullable(counters),
  /** Client addresses and subnets that the packet filter has. */
  elements: INTEGER,
  /**
   * Number of the last pass whose changes the kernel took, 0 before the first: what `gateway.found` and
   * `gateway.moved` log as `pass` is in the kernel once this is not smaller.
   */
  appliedPass: v.exactOptional(INTEGER),
  /** The bits of packet and conntrack marks that are ours. */
  markMask: INTEGER,
  /** Settings that decide what the kernel is told, by path, as the configuration file would hold them. */
  settings: v.exactOptional(v.record(v.string(), v.unknown())),
  /** What /proc/self/ns/net of the sidecar says, `net:[4026531840]`; null if it cannot be read. */
  networkNamespace: v.nullable(v.string()),
});

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** The whole document. */
export type StatusDocument = DeepReadonly<v.InferOutput<typeof statusDocument>>;
/** The sidecar's state with one OpenVPN process. */
export type ServerState = v.InferOutput<typeof serverState>;
/** Who told what is known of OpenVPN's sockets or device, the best first; docs/guides/transport.md explains each. */
export type EvidenceSource = v.InferOutput<typeof evidenceSource>;
/** What an OpenVPN process is. `client`: also one side of a point-to-point tunnel. */
export type OpenVpnRole = v.InferOutput<typeof openVpnRole>;
/** A socket of OpenVPN. */
export type TransportStatus = DeepReadonly<v.InferOutput<typeof transport>>;
/** One OpenVPN process. */
export type ServerStatus = DeepReadonly<v.InferOutput<typeof server>>;
/** One socket where other programs use the management interface of an OpenVPN. */
export type PassThroughStatus = DeepReadonly<v.InferOutput<typeof passThroughSocket>>;
/** One client of an OpenVPN server. */
export type ClientStatus = DeepReadonly<v.InferOutput<typeof client>>;
/** One VPN of another program. */
export type SourceStatus = DeepReadonly<v.InferOutput<typeof source>>;
/** One peer of a VPN of another program. */
export type PeerStatus = DeepReadonly<v.InferOutput<typeof peer>>;
/** A client that is kept out. */
export type HoldStatus = DeepReadonly<v.InferOutput<typeof hold>>;
/** A client network that the endpoint's own routing does not lead to its tunnel. */
export type UnreachableNetwork = DeepReadonly<v.InferOutput<typeof unreachableNetwork>>;
/** What the endpoint answers ARP and ND for. */
export type AnnouncementStatus = DeepReadonly<v.InferOutput<typeof announcements>>;
/** Whether packets from tunnels to gateways are offloaded. */
export type OffloadStatus = DeepReadonly<v.InferOutput<typeof offload>>;
/** What is known of a gateway. */
export type GatewayState = v.InferOutput<typeof gatewayState>;
/** Packets and their bytes. Both grow until the gateway is forgotten or the kernel's table is replaced. */
export type TrafficCount = DeepReadonly<v.InferOutput<typeof trafficCount>>;
/** One gateway. */
export type GatewayStatus = DeepReadonly<v.InferOutput<typeof gateway>>;
/** One address of `gateways.answer`. */
export type AnswerStatus = DeepReadonly<v.InferOutput<typeof answer>>;
/** One entry of `gateways.exclude` or `gateways.only`. */
export type SourceListStatus = DeepReadonly<v.InferOutput<typeof sourceList>>;
/** How often another program damaged what is ours and it was restored, since the sidecar started. */
export type RepairStatus = DeepReadonly<v.InferOutput<typeof repairs>>;

/** The result of reading a status document. */
export type StatusRead =
  | { readonly ok: true; readonly status: StatusDocument }
  /** The first error, for a message. */
  | { readonly ok: false; readonly fault: string };

/**
 * Reads a status document.
 *
 * @param text JSON
 * @returns the document with all that it has, what this version does not know among it
 */
export function parseStatus(text: string): StatusRead {
  let value: unknown;
  try {
    value = JSON.parse(text) as unknown;
  } catch {
    return { ok: false, fault: 'it is not JSON' };
  }
  const fault = faultOfStatus(value);
  // What was parsed lacks what is not known here; the value was found to be a document.
  return fault === null ? { ok: true, status: value as StatusDocument } : { ok: false, fault };
}

/** Why a value is no status document: the first error, for a message; null if it is one. */
export function faultOfStatus(value: unknown): string | null {
  const parsed = v.safeParse(statusDocument, value);
  if (parsed.success) return null;
  const [issue] = parsed.issues;
  return `${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`;
}
