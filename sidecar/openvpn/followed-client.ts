import type { LinkRemote, LogMessage, PushedNetworks, Session as Connection, State } from 'openvpn-management-client';
import { PushReplyReader, isManagementError, parseLinkRemote } from 'openvpn-management-client';
import type { Link, Network, Transport, Tunnel } from '../../rules/index.js';
import { familyOf } from '../discovery/devices.js';
import type { Logger } from '../log/logger.js';
import type { TunnelNetworks } from '../sessions/tunnel-networks.js';

export interface FollowedClientOptions {
  readonly networks: TunnelNetworks;
  /** The setting `networks`, for a tunnel device. */
  readonly configured: (device: string) => readonly Network[];
  readonly logger: Logger;
  /** Another remote is known: it needs a route. */
  readonly onRemoteChanged: () => void;
}

/** A client with more remotes than this reaches those beyond only once its log names them. */
const MAX_REMOTES = 16;

/**
 * What is particular to an OpenVPN client: the server that it sends to, and the networks that its tunnel leads to.
 * These come from what the server pushed, from the routes of the tunnel device, and from the setting `networks`.
 *
 * What was pushed counts from the state CONNECTED on, and until the next: while OpenVPN reconnects on a tunnel that
 * persists, its networks stay selected, so that their packets wait for it and do not leave by another way.
 */
export class FollowedClient {
  readonly #options: FollowedClientOptions;
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

  constructor(options: FollowedClientOptions) {
    this.#options = options;
  }

  /** Where OpenVPN sends its packets now, or sent them last. */
  get remote(): LinkRemote | null {
    return this.#current;
  }

  /** Canonical text of each network that the tunnel leads to. */
  get networks(): readonly string[] {
    return this.#options.networks.list();
  }

  /** Where OpenVPN sends its packets, or may. */
  get transports(): readonly Transport[] {
    return this.#remotes.map(({ protocol, address, port }) => ({
      protocol,
      address: null,
      families: [familyOf(address)],
      port: 0,
      remote: { address, port },
    }));
  }

  /**
   * Asks a connection for what it can tell: its remotes, and the log, from its history on. Call it once a connection,
   * as soon as OpenVPN is known to be a client; it refuses while it holds, and then its states say when to call again.
   */
  async follow(connection: Connection): Promise<void> {
    this.#waiting ??= [];
    const { rows, position } = await connection.setLogWithHistory();
    for (const { text } of rows) this.#read(text);
    this.#readUpTo = position.sequence;
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const { text, sequence } of waiting) this.log({ text }, sequence);
    try {
      this.#entries = (await connection.remoteEntries()).slice(0, MAX_REMOTES);
    } catch (error) {
      // 2.5 does not know the command, and a client in hold refuses it.
      if (!isManagementError(error) || (error.code !== 'MGMT_UNSUPPORTED' && error.code !== 'MGMT_COMMAND'))
        throw error;
    }
  }

  /**
   * Takes a line of the log as it is written, once.
   *
   * @param sequence of the notification
   */
  log({ text }: Pick<LogMessage, 'text'>, sequence: number): void {
    if (this.#waiting !== null) this.#waiting.push({ text, sequence });
    else if (sequence > this.#readUpTo) this.#read(text);
  }

  /** The tunnel is up: what was pushed for it is in force. */
  connected({ remoteAddress, remotePort }: State): void {
    this.#pushed = this.#reader.networks;
    if (this.#pushed?.redirectsGateway === true) {
      this.#options.logger.warn('network.refused', {
        network: 'redirect-gateway',
        reason: 'everything is no network; name those that are meant in the setting networks',
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

  /** The connection to the server is lost. What it had pushed stays in force as long as the tunnel. */
  lost(): void {
    this.#reader.reset();
  }

  /** Another process: nothing that the one before told is true of it. */
  forget(): void {
    this.#reader.reset();
    this.#pushed = undefined;
    this.#current = null;
    this.#entries = [];
    this.#waiting = null;
  }

  /** Brings the networks to what is known now, on the tunnel device of now. */
  resolve(tunnel: Tunnel | null, links: readonly Link[]): void {
    const { networks, configured } = this.#options;
    const wanted =
      tunnel === null
        ? []
        : [
            ...tunnel.covered,
            ...(this.#pushed?.own ?? []),
            ...(this.#pushed?.routes ?? []),
            ...configured(tunnel.device),
          ];
    networks.set(tunnel?.device ?? null, wanted, {
      links,
      remotes: this.#remotes.map(({ address }) => address),
      tunnel: null,
    });
  }

  get #remotes(): readonly LinkRemote[] {
    const all = [...(this.#current === null ? [] : [this.#current]), ...this.#entries];
    return [...new Map(all.map((remote) => [`${remote.protocol} ${remote.address} ${remote.port}`, remote])).values()];
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
