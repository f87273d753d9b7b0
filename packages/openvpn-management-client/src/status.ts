import type { ClientAddress } from './client-address.js';
import type { Cid } from './ids.js';
import type { RealAddress } from './real-address.js';
import type { StreamPosition } from './reply.js';

/** One row of the table CLIENT_LIST, with what the table ROUTING_TABLE has for it. */
export interface StatusClient {
  /** Undefined in `status 1` and before 2.4. */
  readonly cid: Cid | undefined;
  readonly commonName: string | undefined;
  readonly username: string | undefined;
  /** Undefined if it does not parse; `realAddressText` has it as it came. */
  readonly realAddress: RealAddress | undefined;
  readonly realAddressText: string;
  /** What OpenVPN gave to the client itself: at most one IPv4 and one IPv6. */
  readonly addresses: readonly ClientAddress[];
  /** Subnets behind it (iroutes), from the routing table. Cached single addresses are not here. */
  readonly subnets: readonly ClientAddress[];
  readonly bytesReceived: bigint;
  readonly bytesSent: bigint;
  /** Unix time; undefined in `status 1`, which has it in local words only. */
  readonly connectedSinceSeconds: number | undefined;
  readonly peerId: number | undefined;
  readonly cipher: string | undefined;
  /**
   * False for a client that did not log in yet (or never will): no address leads to it, neither one of its own nor a
   * subnet. Under TAP too.
   */
  readonly hasAddress: boolean;
}

/** One row of the table ROUTING_TABLE. */
export interface StatusRoute {
  /** Undefined for a MAC address (TAP). */
  readonly address: ClientAddress | undefined;
  /** TAP: `da:d6:61:1e:21:ec`, without the VLAN. */
  readonly mac: string | undefined;
  /** Learnt from traffic through a subnet (suffix `C`): it is in that subnet already. */
  readonly isCached: boolean;
  readonly commonName: string | undefined;
  readonly realAddressText: string;
}

/**
 * What `status` says: who is connected, at one instant of the daemon. Equal texts and addresses in it are one object.
 */
export interface StatusSnapshot {
  readonly format: 1 | 3;
  /**
   * `client`: an OpenVPN client, or one side of a point-to-point tunnel. It answers any `status` with statistics, and
   * has no clients.
   */
  readonly daemonMode: 'server' | 'client';
  /** `OpenVPN 2.6.14 x86_64-pc-linux-gnu ...`; empty in `status 1`. */
  readonly title: string;
  readonly timeSeconds: number | undefined;
  readonly clients: readonly StatusClient[];
  readonly routes: readonly StatusRoute[];
  /**
   * Routes that no client row, or more than one, explains: without ports (IPv6 before 2.7) two clients can look the
   * same.
   */
  readonly unassignedRoutes: readonly StatusRoute[];
  /**
   * Rows of which an address or the CID does not parse, the first few, without their counters and times: the same in
   * every status.
   */
  readonly unread: readonly string[];
  /** 2.6 and later. */
  readonly isDcoEnabled: boolean | undefined;
}

/**
 * A snapshot with its place in the stream of notifications: events after it may change what it says, events before it
 * are in it.
 */
export interface PositionedStatus extends StatusSnapshot {
  readonly position: StreamPosition;
}
