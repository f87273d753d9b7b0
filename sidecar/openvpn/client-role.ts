import type {
  LinkRemote,
  Notification,
  PushedNetworks,
  Session as Connection,
  State,
} from 'openvpn-management-client';
import { PushReplyReader, isManagementError, parseLinkRemote } from 'openvpn-management-client';
import type { Link, Network, Transport, Tunnel } from '../../rules/index.js';
import { familyOf } from '../discovery/devices.js';
import type { Logger } from '../log/logger.js';
import { TunnelNetworks, type TunnelNetworksOptions } from '../sessions/tunnel-networks.js';
import type { Role, RoleStatus, StartEnd } from './role.js';

export interface ClientRoleOptions {
  /** What holds the networks of its tunnel. */
  readonly networks: Omit<TunnelNetworksOptions, 'logger'>;
  /** The setting `networks`, for a tunnel device. */
  readonly configured: (device: string) => readonly Network[];
  readonly logger: Logger;
  /** Another remote is known: it needs a route. */
  readonly onRemoteChanged: () => void;
}

/** A client with more remotes than this reaches those beyond only once its log names them. */
const MAX_REMOTES = 16;

/**
 * An OpenVPN client: the server that it sends to, and the networks that its tunnel leads to. These come from what the server pushed, from the routes of the tunnel device, and from the setting `networks`.
 *
 * What was pushed counts from the state CONNECTED on, and until the next: while OpenVPN reconnects on a tunnel that
 * persists, its networks stay selected, so that their packets wait for it and do not leave by another way.
 */
export class ClientRole implements Role {
  readonly kind = 'client';
  readonly clientCount = 0;
  readonly #options: ClientRoleOptions;
  readonly #networks: TunnelNetworks;
  readonly #reader = new PushReplyReader();
  #pushed: PushedNetworks | undefined;
  #entries: readonly LinkRemote[] = [];
  /** From the log or the state: what it really uses, names resolved. */
  #current: LinkRemote | null = null;
  /** Log lines that came before the history was read; null when it was. */
  #waiting: { readonly text: string; readonly sequence: number }[] | null = null;
  /** Up to this notification the history had every line. */
  #readUpTo = 0;
  #hasWarnedOfCut = false;
  #isConnected = false;

  constructor(options: ClientRoleOptions) {
    this.#options = options;
    this.#networks = new TunnelNetworks({ ...options.networks, logger: options.logger });
  }

  get remotes(): readonly Transport[] {
    return this.#remotes.map(({ protocol, address, port }) => ({
      protocol,
      address: null,
      families: [familyOf(address)],
      port: 0,
      remote: { address, port },
    }));
  }

  /**
   * Asks for the log, from its history on, and for the remotes, which it refuses while it holds: its first state after
   * that tells when to call again.
   */
  async follow(connection: Connection): Promise<void> {
    this.#waiting ??= [];
    const { rows, position } = await connection.setLogWithHistory();
    for (const { text } of rows) this.#read(text);
    this.#readUpTo = position.sequence;
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const { text, sequence } of waiting) this.#log(text, sequence);
    try {
      this.#entries = (await connection.remoteEntries()).slice(0, MAX_REMOTES);
    } catch (error) {
      // 2.5 does not know the command, and a client in hold refuses it.
      if (!isManagementError(error) || (error.code !== 'MGMT_UNSUPPORTED' && error.code !== 'MGMT_COMMAND'))
        throw error;
    }
  }

  /** What was pushed for this tunnel is in force. */
  connected({ remoteAddress, remotePort }: State): void {
    this.#isConnected = true;
    this.#pushed = this.#reader.networks;
    if (this.#pushed?.redirectsGateway === true) {
      this.#options.logger.warn('network.refused', {
        network: 'redirect-gateway',
        reason: 'a network of length 0 is not allowed; list the networks in the setting networks',
      });
    }
    if (this.#pushed?.isCut === true && !this.#hasWarnedOfCut) {
      this.#hasWarnedOfCut = true;
      this.#options.logger.warn('network.limit', { max: this.#pushed.routes.length });
    }
    if (remoteAddress === undefined || remotePort === undefined) return;
    const known = this.#remotes.find(({ address, port }) => address === remoteAddress && port === remotePort);
    this.#current = known ?? { protocol: 'udp', address: remoteAddress, port: remotePort };
  }

  resolve(tunnel: Tunnel | null, links: readonly Link[]): void {
    const { configured } = this.#options;
    const wanted =
      tunnel === null
        ? []
        : [
            ...tunnel.covered,
            ...(this.#pushed?.own ?? []),
            ...(this.#pushed?.routes ?? []),
            ...configured(tunnel.device),
          ];
    this.#networks.set(tunnel?.device ?? null, wanted, {
      links,
      remotes: this.#remotes.map(({ address }) => address),
      tunnel: null,
    });
  }

  /** Nothing: whatever it tells comes by itself. */
  begin(): void {
    return undefined;
  }

  take(message: Notification, sequence: number): void {
    if (message.kind === 'log') this.#log(message.text, sequence);
  }

  /** What it had pushed stays in force as long as the tunnel, or until the next CONNECTED. */
  ended(end: StartEnd): boolean {
    const wasConnected = this.#isConnected;
    this.#isConnected = false;
    switch (end) {
      case 'by state':
        this.#reader.reset();
        // One that cannot connect says so at every attempt.
        return wasConnected;
      case 'unheard':
        // The log's history tells what was pushed since, and may have forgotten it: then it is as before.
        return true;
      case 'another process':
        this.#reader.reset();
        this.#pushed = undefined;
        this.#current = null;
        this.#entries = [];
        this.#waiting = null;
        return true;
      default:
        return end satisfies never;
    }
  }

  status(): RoleStatus {
    return { remote: this.#current, networks: this.#networks.list(), clients: [] };
  }

  get #remotes(): readonly LinkRemote[] {
    const all = [...(this.#current === null ? [] : [this.#current]), ...this.#entries];
    return [...new Map(all.map((remote) => [`${remote.protocol} ${remote.address} ${remote.port}`, remote])).values()];
  }

  /** Takes a line of the log as it is written, once. */
  #log(text: string, sequence: number): void {
    if (this.#waiting !== null) this.#waiting.push({ text, sequence });
    else if (sequence > this.#readUpTo) this.#read(text);
  }

  #read(text: string): void {
    this.#reader.push(text);
    const remote = parseLinkRemote(text);
    if (remote === undefined) return;
    const isNew = JSON.stringify(remote) !== JSON.stringify(this.#current);
    this.#current = remote;
    if (isNew) this.#options.onRemoteChanged();
  }
}
