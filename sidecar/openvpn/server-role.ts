import type {
  ManagementClient,
  Notification,
  Origin,
  PositionedStatus,
  Session as Connection,
  State,
} from 'openvpn-management-client';
import type { Link, Tunnel } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import type { Logger } from '../log/logger.js';
import { SessionNetworks, type SessionNetworksOptions } from '../sessions/session-networks.js';
import { type Session, type SessionChange, SessionTable } from '../sessions/session-table.js';
import { HEALING_MS, SnapshotSchedule } from '../sessions/snapshot-schedule.js';
import type { ClientStatus } from '../status.js';
import { LoginAnswers } from './logins.js';
import type { Role, RoleStatus, StartEnd } from './role.js';
import { readStatus } from './status-command.js';

export interface ServerRoleOptions {
  /** Borrowed. */
  readonly client: ManagementClient;
  /** What holds the networks of its clients. */
  readonly networks: Omit<SessionNetworksOptions, 'logger'>;
  /** The current ones. */
  readonly settings: () => Settings;
  /** The epoch of OpenVPN, in which its CIDs are unique. */
  readonly epoch: () => number;
  /** A snapshot found that OpenVPN is connected, which no event had told. Resolves when its tunnel was looked for. */
  readonly onConnected: (state: State) => Promise<void>;
  /** Another program may answer logins, if the settings do not say that we do. */
  readonly areLoginsAnswered: () => boolean;
  /** Called with every `status` that was read. */
  readonly onStatus: (status: PositionedStatus) => void;
  readonly logger: Logger;
}

/**
 * An OpenVPN server: who is connected to it, by its events and by snapshots (`status`), and who asks to be let in.
 */
export class ServerRole implements Role {
  readonly kind = 'server';
  readonly remotes = null;
  readonly #options: ServerRoleOptions;
  readonly #logger: Logger;
  readonly #sessions = new SessionTable();
  readonly #networks: SessionNetworks;
  readonly #logins: LoginAnswers;
  readonly #snapshots: SnapshotSchedule;
  #isConnected = false;
  #hasTunnel = false;
  /** The preparation of the connection is over. */
  #hasBegun = false;
  /** It is connected, and who else is has not been asked since. */
  #isLookDue = false;
  #resyncs = 0;
  #hasClientAuth = false;
  #hasWarnedOfPolling = false;
  #hasHeardOfClients = false;

  constructor(options: ServerRoleOptions) {
    const { client, logger, networks, settings } = options;
    this.#options = options;
    this.#logger = logger;
    this.#networks = new SessionNetworks({ ...networks, logger });
    this.#logins = new LoginAnswers(client, {
      isAccepting: () => settings().authorize === 'accept',
      areAnswered: options.areLoginsAnswered,
      logger,
    });
    this.#snapshots = new SnapshotSchedule({
      take: () => this.#takeSnapshot(),
      intervalMs: () => this.#snapshotIntervalMs(),
    });
    client.onMessage((message, origin) => this.#hear(message, origin));
    client.onConnected(() => this.#logins.answerEarly());
    client.onDisconnected(() => {
      this.#hasBegun = false;
      this.#logins.forget();
      void this.#snapshots.stop();
    });
  }

  /** How often a snapshot corrected what events had told, since the sidecar started. */
  get resyncs(): number {
    return this.#resyncs;
  }

  follow(_connection: Connection): Promise<void> {
    this.#sessions.forgetGone();
    return Promise.resolve();
  }

  connected(): void {
    this.#isConnected = true;
    this.#isLookDue = true;
  }

  resolve(tunnel: Tunnel | null, links: readonly Link[]): void {
    const hadTunnel = this.#hasTunnel;
    this.#hasTunnel = tunnel !== null;
    if (tunnel === null && hadTunnel) this.#apply(this.#sessions.clear('epoch'));
    else if (tunnel !== null && !hadTunnel) this.#snapshots.request();
    this.#networks.setTunnel(tunnel, links);
    if (!this.#isLookDue || !this.#hasBegun) return;
    this.#isLookDue = false;
    this.#snapshots.request();
  }

  begin(status: PositionedStatus | null): void {
    if (status !== null) {
      this.#isLookDue = false;
      this.#compare(status);
    }
    this.#hasBegun = true;
    this.#snapshots.start();
  }

  take(message: Notification, sequence: number): void {
    this.#apply(this.#sessions.handle(message, { epoch: this.#options.epoch(), seq: sequence }, new Date()));
    this.#hasHeardOfClients ||= message.kind.startsWith('client:');
    if (message.kind === 'client:established') this.#established();
  }

  ended(end: StartEnd): boolean {
    this.#isConnected = false;
    this.#isLookDue = false;
    if (end === 'another process') this.#hasClientAuth = false;
    this.#apply(this.#sessions.clear('epoch'));
    return true;
  }

  status(): RoleStatus {
    const clients = [...this.#sessions.list()].map((session) => this.#describe(session));
    return { remote: null, networks: [], clients };
  }

  /** Settings changed: intervals. */
  reconfigured(): void {
    this.#snapshots.intervalChanged();
  }

  /** Stops following it, and removes its clients. */
  retire(): void {
    this.#apply(this.#sessions.clear('retired'));
  }

  /** Takes no snapshots until it begins again; resolves when the one under way is done. */
  async stop(): Promise<void> {
    this.#hasBegun = false;
    await this.#snapshots.stop();
  }

  /** What counts as soon as it arrives, also while the connection is being prepared. */
  #hear(message: Notification, origin: Origin): void {
    switch (message.kind) {
      case 'client:connect':
      case 'client:reauth':
        this.#hasClientAuth = true;
        this.#logins.take(message, origin);
        break;
      case 'client:address':
      case 'client:disconnect':
        // OpenVPN says these under --management-client-auth only.
        this.#hasClientAuth = true;
        break;
      default:
        break;
    }
  }

  #established(): void {
    if (!this.#hasClientAuth && !this.#hasWarnedOfPolling) {
      this.#hasWarnedOfPolling = true;
      const { pollIntervalMs } = this.#options.settings().management;
      this.#logger.warn('management.no_client_auth', { pollIntervalMs });
    }
    // Under client-auth ADDRESS has said everything; then the snapshot only corrects, and one does for many.
    this.#snapshots.request(this.#hasClientAuth ? HEALING_MS : 0);
  }

  async #takeSnapshot(): Promise<void> {
    const { client, onConnected } = this.#options;
    if (!this.#isConnected) {
      // A program between us and OpenVPN may keep its states for itself.
      const [latest] = await client.state().catch(() => []);
      if (latest?.name === 'CONNECTED') await onConnected(latest);
    }
    if (!this.#isConnected) return;
    await readStatus(client).then(
      (status) => this.#compare(status),
      (error: unknown) => {
        // The next one, or the next connection, tells the same. Between SIGUSR1 and the new start there is no status.
        this.#logger.debug('session.snapshot_failed', { error });
      },
    );
  }

  #compare(status: PositionedStatus): void {
    const { client, epoch, onStatus } = this.#options;
    if (status.position.epoch !== client.epoch) return;
    const changes = this.#sessions.snapshot(status, { epoch: epoch(), seq: status.position.sequence }, new Date());
    this.#apply(changes);
    void this.#logins.answerMissed(status);
    onStatus(status);
    const corrected = changes.filter(({ kind }) => kind === 'connected' || kind === 'gone').length;
    if (corrected === 0 || !this.#hasClientAuth) return;
    this.#resyncs += 1;
    this.#logger.info('session.resynced', { changes: corrected });
  }

  /** A program between us and OpenVPN may keep events of clients for itself: until one was seen, only asking tells. */
  #snapshotIntervalMs(): number {
    const { snapshotIntervalMs, pollIntervalMs } = this.#options.settings().management;
    const [anybody] = this.#sessions.list();
    return this.#hasClientAuth || (anybody === undefined && this.#hasHeardOfClients)
      ? snapshotIntervalMs
      : Math.min(pollIntervalMs, snapshotIntervalMs);
  }

  #apply(changes: readonly SessionChange[]): void {
    for (const change of changes) this.#networks.apply(change);
  }

  #describe(session: Session): ClientStatus {
    const { cid, epoch, commonName, realAddress, addresses, since } = session;
    const refused = this.#networks.refusedOf(session);
    return {
      cid,
      epoch,
      commonName,
      realAddress,
      addresses: [...addresses.values()].map(({ address, prefixLength, family, cidr }) =>
        prefixLength === (family === 4 ? 32 : 128) ? address : cidr,
      ),
      since: since.toISOString(),
      ...(refused.length === 0 ? {} : { refused }),
    };
  }
}
