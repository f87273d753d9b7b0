import type { Notification, PositionedStatus, Session as Connection, State } from 'openvpn-management-client';
import type { Link, Transport, Tunnel } from '../../rules/index.js';
import type { ClientStatus, OpenVpnRole, TransportStatus } from '../status.js';

/** How a start of OpenVPN ended. */
export type StartEnd =
  /** By a state: it restarts, or a client lost its server or failed to reach it. */
  | 'by state'
  /** While there was no management connection: it is connected since another time. */
  | 'unheard'
  /** Another process answers: nothing that the previous one reported applies to it. */
  | 'another process';

/** The role's part of the status document. */
export interface RoleStatus {
  /** Where it sends its packets now, or sent them last; null for a server. */
  readonly remote: TransportStatus | null;
  /** Canonical text of each network that a client's tunnel leads to. */
  readonly networks: readonly string[];
  /** Who is connected to a server. */
  readonly clients: readonly ClientStatus[];
}

/**
 * What an OpenVPN does as a server, or as a client: which commands it is asked, which messages count, and what its
 * tunnel leads to. `Instance` calls it; the order is that of the methods here.
 */
export interface Role {
  readonly kind: OpenVpnRole;
  /** Where it sends its packets, or may: a client sends first. Null of a server, which serves sockets of its own. */
  readonly remotes: readonly Transport[] | null;
  /** How many clients are connected to a server; 0 for a client. */
  readonly clientCount: number;

  /**
   * Asks a new connection for what only this role can tell. Call it once per connection, when the role is known, before
   * `connected`. Rejects with the ManagementError of a command.
   */
  follow(connection: Connection): Promise<void>;
  /** OpenVPN is in the state CONNECTED: its tunnel is looked for next, and then `resolve` is called. */
  connected(state: State): void;
  /** Brings the client networks to what is known, on this tunnel; null: there is none. Idempotent. */
  resolve(tunnel: Tunnel | null, links: readonly Link[]): void;
  /**
   * The connection is prepared; what the role does by itself begins.
   *
   * @param status what OpenVPN answered to `status` during the preparation; null if it was not asked
   */
  begin(status: PositionedStatus | null): void;
  /**
   * Takes a message, each once, in wire order.
   *
   * @param sequence its place in the stream
   */
  take(message: Notification, sequence: number): void;
  /** @returns whether that was a start, so that an epoch ends with it */
  ended(end: StartEnd): boolean;

  status(): RoleStatus;
}
