/**
 * What `gwmark status --json`, `clients --json` and `gateways --json` print: the document that the daemon serves on
 * its control socket. Fields are only ever added; a reader ignores what it does not know. Those that were added after
 * the first version may be absent.
 *
 * The schema is the only description: the types are inferred from it. It imports nothing but zod, so that a command
 * that only looks starts without the daemon.
 */
import { z } from 'zod';

const serverState = z.enum([
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

const evidenceSource = z.enum(['setting', 'process', 'cgroup', 'log', 'options', 'environment', 'earlier', 'address']);

const openVpnRole = z.enum(['server', 'client']);

const transport = z.object({
  protocol: z.enum(['udp', 'tcp']),
  /** Local address, `0.0.0.0` or `::` where OpenVPN is bound to every address. */
  address: z.string(),
  /** 1..65535 */
  port: z.int(),
});

const server = z.object({
  /** The endpoint as configured: `unix:/path` or `tcp:host:port`. */
  management: z.string(),
  state: serverState,
  /** The tunnel device, null while unknown. */
  device: z.string().nullable(),
  /** Of a server: the sockets that it serves. */
  transport: z.array(transport),
  /** How often the management socket was connected again since the sidecar started. */
  reconnects: z.int(),
  /** How often a snapshot corrected what events had told since then. */
  resyncs: z.int(),
  /** Null while it is not known. */
  role: z.exactOptional(openVpnRole.nullable()),
  /** Grows whenever OpenVPN restarted, or a client connected again. */
  epoch: z.exactOptional(z.int()),
  /** Of a client: the server's socket, null while unknown. */
  remote: z.exactOptional(transport.nullable()),
  /** What OpenVPN asks its management client for and waits for, while gwmark does not have it; null when nothing. */
  question: z.exactOptional(z.string().nullable()),
  /** Null while `transport` is not known, and for a client. */
  transportSource: z.exactOptional(evidenceSource.nullable()),
  /** Null while `device` is not known. */
  deviceSource: z.exactOptional(evidenceSource.nullable()),
  /** Of a client: the networks that its tunnel leads to, canonical form, single addresses without a prefix length. */
  networks: z.exactOptional(z.array(z.string())),
});

const client = z.object({
  /** OpenVPN's client id (CID), unique within an epoch. A decimal string: OpenVPN counts in an unsigned long. */
  cid: z.string(),
  /** Grows whenever OpenVPN restarted and its CIDs began again at 0. */
  epoch: z.int(),
  commonName: z.string(),
  /** The client's transport address as OpenVPN prints it, null if it did not say. */
  realAddress: z.string().nullable(),
  /** Virtual addresses (no prefix length) and subnets behind the client (with one), canonical form. */
  addresses: z.array(z.string()),
  /** ISO 8601, UTC. */
  since: z.string(),
  /**
   * Those of `addresses` that are not served, because they would take over other traffic, and why; absent when there
   * are none.
   */
  refused: z.exactOptional(z.array(z.object({ network: z.string(), reason: z.string() }))),
});

const unreachableNetwork = z.object({
  /** Canonical form, a single address without a prefix length. */
  network: z.string(),
  /** The tunnel device that its client is on. */
  device: z.string(),
  /** Where packets to its first address go instead; null if no route has it. */
  leadsTo: z.string().nullable(),
});

const gatewayState = z.enum([
  /** In use: a selected frame came from it. */
  'active',
  /** Known from the neighbour table, no selected frame seen yet. */
  'known',
  /** Its address was claimed by another MAC; answers go to that MAC now. */
  'moved',
  /** Its device is down or gone; its flows use normal routing. */
  'down',
]);

const trafficCount = z.object({ packets: z.number(), bytes: z.number() });

const gateway = z.object({
  /** 1..255 for nexthop, up to 2^32 - 1 for the module. */
  id: z.int(),
  device: z.string(),
  /** Where answers are sent now, lower-case colon form. */
  mac: z.string(),
  /** Layer-3 addresses that were seen at this MAC, canonical form. */
  addresses: z.array(z.string()),
  state: gatewayState,
  /** Packets of VPN flows that came from it; null for the module, which counts flows instead. */
  received: trafficCount.nullable(),
  /** Packets sent to its MAC address; for nexthop, counted before FORWARD. */
  sent: trafficCount.nullable(),
  /** Flows that were learnt as it; null for nexthop. */
  learnedFlows: z.number().nullable(),
  /** How often answers were redirected to another MAC. */
  moves: z.int(),
  /** `gwmark move` has set where they go. */
  isOrdered: z.exactOptional(z.boolean()),
  /** Milliseconds since its last VPN frame; null before the first, and for nexthop. */
  idleMs: z.number().nullable(),
});

const sourceList = z.object({
  list: z.enum(['exclude', 'only']),
  /** As in the settings. */
  entry: z.string(),
  /** The senders that it means now; none if its address is not resolved. */
  macs: z.array(z.string()),
});

const repairs = z.object({
  /** The nftables table. */
  firewall: z.int(),
  /** Rules, routes and neighbours. */
  routing: z.int(),
});

const counters = z.record(z.string(), z.number());

const statusDocument = z.object({
  version: z.string(),
  datapath: z.enum(['nexthop', 'module']),
  /** The tool that installs rules. */
  firewall: z.enum(['nftables', 'iptables-nft', 'iptables-legacy']),
  /** Rules and routes are installed and agree with what is wanted. */
  ready: z.boolean(),
  /** Why it is not ready, one sentence each; empty if it is. */
  problems: z.array(z.string()),
  servers: z.array(server),
  clients: z.array(client),
  /** Client networks to which no packet gets, for another route has them. */
  unreachable: z.exactOptional(z.array(unreachableNetwork)),
  gateways: z.array(gateway),
  /** The senders that gwmark learns from, and those that it does not. */
  sourceLists: z.exactOptional(z.array(sourceList)),
  /** The gateway id of last resort, null while none was learnt. */
  uplink: z.int().nullable(),
  /** When this sidecar started: ISO 8601, UTC. */
  startedAt: z.string(),
  repairs,
  /**
   * Packets of VPN flows that took the normal route, by reason. The module's reasons are explained in its uapi header.
   */
  fallThrough: counters,
  /** Every counter of the module by name; null for nexthop. */
  moduleCounters: counters.nullable(),
  /** Client addresses and subnets that the packet filter has. */
  elements: z.int(),
  /**
   * Number of the last pass whose changes the kernel took, 0 before the first: what `gateway.found` and
   * `gateway.moved` log as `pass` is in the kernel once this is not smaller.
   */
  appliedPass: z.exactOptional(z.int()),
  /** The bits of packet and conntrack marks that are ours. */
  markMask: z.int(),
  /** Settings that decide what the kernel is told, by path, as the configuration file would hold them. */
  settings: z.exactOptional(z.record(z.string(), z.unknown())),
  /** What /proc/self/ns/net of the sidecar says, `net:[4026531840]`; null if it cannot be read. */
  networkNamespace: z.string().nullable(),
});

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** The whole document. */
export type StatusDocument = DeepReadonly<z.infer<typeof statusDocument>>;
/** The sidecar's state with one OpenVPN process. */
export type ServerState = z.infer<typeof serverState>;
/** Who told what is known of OpenVPN's sockets or device, the best first; docs/guides/transport.md explains each. */
export type EvidenceSource = z.infer<typeof evidenceSource>;
/** What an OpenVPN process is. `client`: also one side of a point-to-point tunnel. */
export type OpenVpnRole = z.infer<typeof openVpnRole>;
/** A socket of OpenVPN. */
export type TransportStatus = DeepReadonly<z.infer<typeof transport>>;
/** One OpenVPN process. */
export type ServerStatus = DeepReadonly<z.infer<typeof server>>;
/** One client of an OpenVPN server. */
export type ClientStatus = DeepReadonly<z.infer<typeof client>>;
/** A client network that the endpoint's own routing does not lead to its tunnel. */
export type UnreachableNetwork = DeepReadonly<z.infer<typeof unreachableNetwork>>;
/** What is known of a gateway. */
export type GatewayState = z.infer<typeof gatewayState>;
/** Packets and their bytes. Both grow until the gateway is forgotten or the kernel's table is replaced. */
export type TrafficCount = DeepReadonly<z.infer<typeof trafficCount>>;
/** One gateway. */
export type GatewayStatus = DeepReadonly<z.infer<typeof gateway>>;
/** One entry of `gateways.exclude` or `gateways.only`. */
export type SourceListStatus = DeepReadonly<z.infer<typeof sourceList>>;
/** How often another program damaged what is ours and it was restored, since the sidecar started. */
export type RepairStatus = DeepReadonly<z.infer<typeof repairs>>;

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
  const parsed = statusDocument.safeParse(value);
  // What was parsed lacks what is not known here; the value was found to be a document.
  if (parsed.success) return { ok: true, status: value as StatusDocument };
  const issue = parsed.error.issues[0];
  return { ok: false, fault: `${issue?.path.join('.')}: ${issue?.message}` };
}
