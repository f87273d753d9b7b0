/**
 * What `gwmark status --json`, `clients --json` and `gateways --json` print: the document that the daemon serves on
 * its control socket. Fields are only ever added; a reader ignores what it does not know.
 */

/** How the sidecar stands with one OpenVPN process. */
export type ServerState =
  /** No connection to the management socket yet, or lost; reconnecting with backoff. */
  | 'connecting'
  /** Connected, but OpenVPN has not opened its tunnel device yet (start-up, hold, restart). */
  | 'waiting'
  /** Connected, snapshot taken, rules follow events. */
  | 'ready';

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
  readonly transport: readonly TransportStatus[];
  /** OpenVPN's process id in its own PID namespace, null before it told. Absent in versions before it was added. */
  readonly pid?: number | null | undefined;
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

export interface GatewayStatus {
  /** 1..255 for nexthop. */
  readonly id: number;
  readonly device: string;
  /** Where answers are sent now, lower-case colon form. */
  readonly mac: string;
  /** Layer-3 addresses that were seen at this MAC, canonical form. */
  readonly addresses: readonly string[];
  readonly state: GatewayState;
}

export interface StatusDocument {
  readonly version: string;
  readonly datapath: 'nexthop' | 'module';
  /** Rules and routes stand and agree with what is wanted. */
  readonly ready: boolean;
  /** Why not, one sentence each; empty when ready. */
  readonly problems: readonly string[];
  readonly servers: readonly ServerStatus[];
  readonly clients: readonly ClientStatus[];
  readonly gateways: readonly GatewayStatus[];
  /** The gateway id of last resort, null while none was learnt. */
  readonly uplink: number | null;
}
