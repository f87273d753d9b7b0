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
import type { Holds } from '../sessions/holds.js';
import { SessionNetworks, type SessionNetworksOptions } from '../sessions/session-networks.js';
import { type Session, type SessionChange, SessionTable } from '../sessions/session-table.js';
import { HEALING_MS, SnapshotSchedule } from '../sessions/snapshot-schedule.js';
import { ClientDescriptions } from './client-descriptions.js';
import { Kicks } from './kicks.js';
import { LoginAnswers } from './logins.js';
import type { Role, RoleStatus, StartEnd } from './role.js';
import { readStatus } from './status-command.js';

/** How old the counters of clients may be while there are viewers, ms: a snapshot of ten thousand clients costs 50 ms. */
const COUNTED_MS = 2000;

export interface ServerRoleOptions {
  /** Borrowed. */
  readonly client: ManagementClient;
  /** What holds the networks of its clients. */
  readonly networks: Omit<SessionNetworksOptions, 'logger'> & { readonly server: string };
  /** Who is kept out. */
  readonly holds: Holds;
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
  /** Its clients that were kicked. */
  readonly kicks: Kicks;
  readonly #options: ServerRoleOptions;
  readonly #logger: Logger;
  readonly #sessions = new SessionTable();
  readonly #networks: SessionNetworks;
  readonly #logins: LoginAnswers;
  readonly #snapshots: SnapshotSchedule;
  readonly #descriptions: ClientDescriptions;
  #isConnected = false;
  #hasTunnel = false;
  /** The preparation of the connection is over. */
  #hasBegun = false;
  /** It is connected, and who else is has not been asked since. */
  #isLookDue = false;
  #resyncs = 0;
  #lastSnapshotMs = -Infinity;
  #hasClientAuth = false;
  #hasWarnedOfPolling = false;
  #hasHeardOfClients = false;

  constructor(options: ServerRoleOptions) {
    const { client, logger, networks, settings, holds } = options;
    const { server } = networks;
    this.#options = options;
    this.#logger = logger;
    this.#descriptions = new ClientDescriptions(server);
    this.#networks = new SessionNetworks({ ...networks, logger });
    this.#logins = new LoginAnswers({
      client,
      server,
      isAccepting: () => settings().authorize === 'accept',
      areAnswered: options.areLoginsAnswered,
      holds,
      logger,
    });
    this.kicks = new Kicks({
      client,
      networks: this.#networks,
      sessions: () => this.#sessions.list(),
      isKnown: () => this.#hasBegun,
      onDoubt: () => this.#snapshots.request(),
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

  /** Those who are connected. */
  get sessions(): Iterable<Session> {
    return this.#sessions.list();
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
    this.kicks.repeat();
  }

  take(message: Notification, sequence: number): void {
    this.#apply(this.#sessions.handle(message, { epoch: this.#options.epoch(), seq: sequence }, new Date()));
    this.#hasHeardOfClients ||= message.kind.startsWith('client:');
    if (message.kind === 'client:established') {
      this.#keepOut();
      this.#established();
    }
  }

  ended(end: StartEnd): boolean {
    this.#isConnected = false;
    this.#isLookDue = false;
    if (end === 'another process') this.#hasClientAuth = false;
    this.#apply(this.#sessions.clear('epoch'));
    return true;
  }

  get clientCount(): number {
    return this.#sessions.size;
  }

  status(): RoleStatus {
    const clients = [...this.#sessions.list()].map((session) =>
      this.#descriptions.of(session, {
        refused: this.#networks.refusedOf(session),
        isKicked: this.kicks.isKicked(session),
      }),
    );
    return { remote: null, networks: [], clients };
  }

  /** Takes a snapshot soon if the last one is older than two seconds: its rows count what clients sent. */
  count(): void {
    if (performance.now() - this.#lastSnapshotMs >= COUNTED_MS) this.#snapshots.request();
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
    this.#lastSnapshotMs = performance.now();
    const changes = this.#sessions.snapshot(status, { epoch: epoch(), seq: status.position.sequence }, new Date());
    this.#apply(changes);
    this.#keepOut();
    this.kicks.repeat();
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
    for (const change of changes) {
      // Before it has any rules.
      if (change.kind === 'connected') this.#keepOutOne(change.session);
      if (change.kind === 'gone') this.kicks.forget(change.session);
      this.#networks.apply(change);
    }
  }

  /** Of some, only a later event or a snapshot tells the name. */
  #keepOut(): void {
    if (this.#options.holds.list().length > 0) for (const session of this.#sessions.list()) this.#keepOutOne(session);
  }

  /** Who is kept out came in anyway: without --management-client-auth nobody is asked, nor about a token. */
  #keepOutOne(session: Session): void {
    const { holds, networks } = this.#options;
    const hold = holds.find(networks.server, [session.commonName]);
    if (hold === null || this.kicks.isKicked(session)) return;
    this.kicks.withhold(session, { message: hold.message, isHalt: false });
    this.#logger.info('client.kicked', { cid: session.cid, commonName: hold.name, reason: 'hold' });
    void this.kicks.tell(session);
  }
}
