import {
  formatEndpoint,
  type ManagementClient,
  type Notification,
  type Origin,
  type PositionedStatus,
  type Session as Connection,
  type State,
} from 'openvpn-management-client';
import type { Settings } from '../config/settings.js';
import type { Devices } from '../discovery/devices.js';
import { OpenVpnEvidence } from '../discovery/openvpn-evidence.js';
import { passwordNow } from '../config/password.js';
import type { Logger } from '../log/logger.js';
import { SessionNetworks } from '../sessions/session-networks.js';
import { type Session, type SessionChange, SessionTable } from '../sessions/session-table.js';
import { HEALING_MS, SnapshotSchedule } from '../sessions/snapshot-schedule.js';
import { TunnelNetworks } from '../sessions/tunnel-networks.js';
import type { OpenVpnRole, ServerState } from '../status.js';
import { ConnectionLog } from './connection-log.js';
import { FollowedClient } from './followed-client.js';
import { LoginAnswers } from './logins.js';
import type { ManagedServerOptions } from './managed-server-options.js';
import {
  askIfConnected,
  type Heard,
  isClientState,
  isRestart,
  makeManagementClient,
  readStatus,
  releaseHold,
  unlessInHistory,
} from './openvpn-state.js';
import { OpenVpnPlace } from './openvpn-place.js';
import { networksOf, transportsOf } from '../config/policy.js';
import { ServerProblem } from './server-problem.js';

/**
 * One OpenVPN process, followed through its management interface: who is connected to a server, where a client's
 * tunnel leads to, and over which tunnel and transport. Which of the two it is, it tells itself.
 *
 * Losing the management connection changes nothing in the kernel: the tunnel may go on. What happened meanwhile, the
 * snapshot of the next connection tells; when the tunnel device is gone, so are its clients.
 */
export class ManagedServer implements AsyncDisposable {
  readonly name: string;
  /** Its tunnel device and its sockets. */
  readonly place: OpenVpnPlace;
  /** Since the start: connections that were made, and snapshots that corrected what events had told. */
  readonly counted = { connects: 0, resyncs: 0 };
  readonly #options: ManagedServerOptions;
  #settings: Settings;
  readonly #client: ManagementClient;
  readonly #sessions = new SessionTable();
  readonly networks: SessionNetworks;
  readonly #vpnClient: FollowedClient;
  readonly #logins: LoginAnswers;
  readonly #connectionLog: ConnectionLog;
  readonly #problem: ServerProblem;
  readonly #snapshots: SnapshotSchedule;
  readonly #logger: Logger;
  #state: ServerState = 'connecting';
  #role: OpenVpnRole | null;
  #epoch = 1;
  #pid: number | null = null;
  /** Unix time of the daemon's latest CONNECTED, by its own clock. */
  #connectedAt: number | null = null;
  /** Empty while OpenVPN has no tunnel. */
  #tunnelAddresses: readonly string[] = [];
  /** Deliveries that wait for the first snapshot of a connection; null after it. */
  #early: Heard[] | null = [];
  #hasClientAuth = false;
  #hasWarnedOfPolling = false;
  #hasHeardOfClients = false;
  #settle: () => void = () => undefined;
  /** Resolves when it is known who is connected, or that this cannot be known for now. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(options: ManagedServerOptions) {
    const {
      endpoint,
      settings,
      logger,
      clients,
      settings: { management },
    } = options;
    this.name = formatEndpoint(endpoint);
    this.#options = options;
    this.#settings = settings;
    this.#logger = logger.child({ management: this.name });
    this.networks = new SessionNetworks({
      server: this.name,
      clients,
      logger: this.#logger,
      onChanged: options.onClientChanged,
    });
    this.#role = management.role === 'auto' ? null : management.role;
    this.#vpnClient = new FollowedClient({
      networks: new TunnelNetworks({
        server: this.name,
        clients,
        logger: this.#logger,
        onChanged: options.onClientChanged,
      }),
      configured: (device) => networksOf(this.#settings, device),
      logger: this.#logger,
      onRemoteChanged: () => void options.onServerChanged(),
    });
    this.place = new OpenVpnPlace(
      new OpenVpnEvidence({
        endpoint,
        configured: () => transportsOf(this.#settings, this.name),
        earlier: () => options.earlierTransports(this.name),
        logger: this.#logger,
      }),
      this.#logger,
    );
    this.#snapshots = new SnapshotSchedule({
      take: () => this.#takeSnapshot(),
      intervalMs: () => this.#snapshotIntervalMs(),
    });
    this.#client = makeManagementClient(endpoint, management, () => passwordNow(this.#settings.management, endpoint));
    this.#problem = new ServerProblem(this.name, this.#client, this.#logger);
    this.#connectionLog = new ConnectionLog(this.#client, this.#logger);
    this.#logins = new LoginAnswers(this.#client, () => this.#settings.authorize === 'accept', this.#logger);
    this.#client.onMessage((message, origin) => this.#receive(message, origin));
    this.#client.onConnected((connection) => this.#prepare(connection));
    this.#client.onDisconnected(() => this.#disconnected());
  }

  get state(): ServerState {
    return this.#state;
  }

  /** Null before it is known. */
  get role(): OpenVpnRole | null {
    return this.#role;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** What is particular to a client; null for a server. */
  get vpnClient(): FollowedClient | null {
    return this.#role === 'client' ? this.#vpnClient : null;
  }

  /** A client that is not connected to its server. */
  get isSeeking(): boolean {
    return this.#role === 'client' && this.#connectedAt === null;
  }

  /** Why this server is not ready, in a sentence; null when it is. */
  get problem(): string | null {
    return this.#problem.describe(this.#state, this.place.problem(this.#role));
  }

  /** What OpenVPN asks for, and gwmark does not have: see {@link ServerProblem.question}. */
  get question(): string | null {
    return this.#problem.question;
  }

  sessions(): Iterable<Session> {
    return this.#sessions.list();
  }

  /** Follows the server until `close`, whatever it answers: a refused password is a problem of this server alone. */
  async run(): Promise<void> {
    this.#logger.debug('management.connecting');
    await this.#client.run();
  }

  /**
   * Puts changed settings into force, as far as they can change: answers to logins, `hold`, intervals; the password is
   * tried at once.
   */
  reconfigure(settings: Settings): void {
    this.#settings = settings;
    this.#client.retryNow();
    this.#snapshots.intervalChanged();
  }

  /** Ends the connection for good: this OpenVPN is no longer ours, and its clients go. */
  async retire(): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#apply(this.#sessions.clear('retired'));
    this.#vpnClient.resolve(null, []);
    this.place.leave();
  }

  /**
   * Ends the connection, then the snapshots, which one that is being prepared would start again. The kernel stays as
   * it is.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#snapshots.stop();
  }

  /**
   * Finds the tunnel and the transports anew.
   *
   * @returns true when they differ from before
   */
  async resolve(devices: Devices): Promise<boolean> {
    const isClient = this.#role === 'client';
    const hadTunnel = this.place.tunnel !== null;
    const hasChanged = await this.place.resolve({
      devices,
      role: this.#role,
      isConnected: () => this.#client.session !== undefined && this.#connectedAt !== null,
      // A tunnel device may survive its process (data channel offload, `--mktun`); its sessions do not.
      isGone:
        this.#client.session === undefined && ((await this.place.evidence.hasEnded()) ?? this.#problem.isRefused),
      addresses: this.#tunnelAddresses,
      remotes: this.#vpnClient.transports,
    });
    const { tunnel } = this.place;
    if (tunnel === null && hadTunnel) this.#apply(this.#sessions.clear('epoch'));
    else if (tunnel !== null && !hadTunnel) this.#snapshots.request();
    this.networks.setTunnel(tunnel, devices.links);
    this.#vpnClient.resolve(isClient ? tunnel : null, devices.links);
    this.#updateState();
    return hasChanged;
  }

  async #prepare(connection: Connection): Promise<void> {
    // What came between the banner and now is kept.
    this.#early ??= [];
    this.#logins.answerEarly();
    await connection.envFilter(0);
    const { rows: states, position } = await connection.setStateWithHistory();
    this.#early = unlessInHistory(this.#early, position.sequence);
    const pid = await connection.pid();
    this.#logger.info('management.connected', { openvpn: connection.daemon.title, pid });
    this.counted.connects += 1;
    this.#sessions.forgetGone();
    this.#compareWithBefore(pid, states);
    await this.place.evidence.meet(connection, pid);
    this.#problem.connected();
    const latest = states.at(-1);
    if (states.some(isClientState)) this.#noteRole('client');
    // Without one it is not known who is connected: then this connection is given up and another one tried.
    const status = latest?.name === 'CONNECTED' && this.#role !== 'client' ? await readStatus(this.#client) : null;
    if (status !== null) this.#noteRole(status.daemonMode);
    if (this.#role === 'client') await this.#vpnClient.follow(connection);
    if (latest !== undefined) await this.#takeState(latest);
    if (status !== null && this.#role === 'server') this.#compareWithSnapshot(status);
    // Reading devices takes its time; the connection may be lost by now, and another one being prepared.
    if (connection.closeSignal.aborted) return;
    this.#deliverEarly();
    this.#snapshots.start();
    this.#updateState();
    this.#settle();
    // Only now is it known who is connected: what an earlier run left need not be kept for this server any more.
    await this.#options.onServerChanged();
    if (connection.closeSignal.aborted) return;
    if (connection.isHeld) await this.#releaseHold();
  }

  /**
   * While nobody listened, OpenVPN may have restarted, outside (another process) or inside (connected at another
   * time).
   */
  #compareWithBefore(pid: number, states: readonly State[]): void {
    // In the middle of a restart it is connected no more.
    const latest = states.findLast(({ name }) => name === 'CONNECTED' || isRestart(name));
    const connectedAt = latest?.name === 'CONNECTED' ? latest.timeSeconds : null;
    if (this.#pid !== null && this.#pid !== pid) {
      this.#hasClientAuth = false;
      this.#beginEpoch('another process');
      this.place.forget();
      this.#vpnClient.forget();
      if (this.#settings.management.role === 'auto') this.#role = null;
    } else if (this.#connectedAt !== null && connectedAt !== this.#connectedAt) {
      this.#beginEpoch('restarted while the management connection was lost');
      this.place.evidence.restarted();
    }
    this.#pid = pid;
    this.#connectedAt = connectedAt;
  }

  #disconnected(): void {
    this.#early = [];
    this.#logins.forget();
    void this.#snapshots.stop();
    this.#state = 'connecting';
    this.#settle();
    // OpenVPN may be gone, and its tunnel with it.
    void this.#options.onServerChanged();
  }

  #receive(message: Notification, origin: Origin): void {
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
      case 'hold':
        // During preparation, hold is released at its end.
        if (this.#early === null) void this.#releaseHold();
        return;
      default:
        break;
    }
    if (this.#early !== null) this.#early.push({ message, origin });
    else this.#take(message, origin);
  }

  #deliverEarly(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const { message, origin } of early) this.#take(message, origin);
  }

  #take(message: Notification, { sequence }: Origin): void {
    if ('env' in message && this.place.evidence.note(message.env)) void this.#options.onServerChanged();
    if (message.kind === 'log') this.#vpnClient.log(message, sequence);
    if (message.kind === 'state') this.#stateChanged(message);
    this.#apply(this.#sessions.handle(message, { epoch: this.#epoch, seq: sequence }, new Date()));
    this.#hasHeardOfClients ||= message.kind.startsWith('client:');
    if (message.kind === 'client:established') this.#established();
  }

  #established(): void {
    if (!this.#hasClientAuth && !this.#hasWarnedOfPolling) {
      this.#hasWarnedOfPolling = true;
      this.#logger.warn('management.no_client_auth', { pollIntervalMs: this.#settings.management.pollIntervalMs });
    }
    // Under client-auth ADDRESS has said everything; then the snapshot only heals, and one does for many.
    this.#snapshots.request(this.#hasClientAuth ? HEALING_MS : 0);
  }

  #stateChanged(state: State): void {
    if (isClientState(state) && this.#role === null) void this.#becomeClient();
    if (isRestart(state.name)) {
      // A client that cannot connect says so at every attempt.
      const isNew = this.#role !== 'client' || this.#connectedAt !== null;
      this.#connectedAt = null;
      this.place.evidence.restarted();
      this.#vpnClient.lost();
      if (isNew) this.#beginEpoch(state.description);
      void this.#options.onServerChanged();
    } else if (state.name === 'CONNECTED') void this.#connected(state);
  }

  /** The first state of a client came while it was not known what this OpenVPN is: it had been in hold. */
  async #becomeClient(): Promise<void> {
    this.#noteRole('client');
    const { session } = this.#client;
    if (session === undefined) return;
    await this.#vpnClient
      .follow(session)
      .catch((error: unknown) => this.#logger.debug('session.snapshot_failed', { error }));
    await this.#options.onServerChanged();
  }

  async #connected(state: State): Promise<void> {
    // One that was in hold, and had no state before that only a client has.
    if (this.#role === null)
      await readStatus(this.#client).then(
        ({ daemonMode }) => this.#noteRole(daemonMode),
        (error: unknown) => this.#logger.debug('session.snapshot_failed', { error }),
      );
    await this.#takeState(state);
    this.#snapshots.request();
  }

  async #takeState(state: State): Promise<void> {
    if (state.name !== 'CONNECTED') return;
    const { session } = this.#client;
    if (session === undefined) return;
    await this.place.evidence.read(session);
    if (session.closeSignal.aborted) return;
    this.place.decideAnew();
    this.#connectedAt = state.timeSeconds;
    this.#tunnelAddresses = [state.tunnelAddress, state.tunnelAddress6].filter((address) => address !== undefined);
    if (this.#role === 'client') this.#vpnClient.connected(state);
    await this.#options.onServerChanged();
  }

  #noteRole(role: OpenVpnRole): void {
    if (this.#role !== null) return;
    this.#role = role;
    this.#logger.info('server.role', { role });
  }

  #beginEpoch(reason: string): void {
    this.#epoch += 1;
    this.#apply(this.#sessions.clear('epoch'));
    this.#logger.info('server.restarted', { epoch: this.#epoch, reason });
  }

  async #releaseHold(): Promise<void> {
    if (this.#settings.hold === 'release') await releaseHold(this.#client, this.#options.whenApplied, this.#logger);
  }

  async #takeSnapshot(): Promise<void> {
    if (this.#role === 'client') return;
    if (this.#connectedAt === null) await askIfConnected(this.#client, (state) => this.#connected(state));
    if (this.#connectedAt === null) return;
    await readStatus(this.#client).then(
      (status) => this.#compareWithSnapshot(status),
      (error: unknown) => {
        // The next one, or the next connection, tells the same. Between SIGUSR1 and the new start there is no status.
        this.#logger.debug('session.snapshot_failed', { error });
      },
    );
  }

  #compareWithSnapshot(status: PositionedStatus): void {
    if (status.position.epoch !== this.#client.epoch) return;
    const changes = this.#sessions.snapshot(status, { epoch: this.#epoch, seq: status.position.sequence }, new Date());
    this.#apply(changes);
    void this.#logins.answerMissed(status);
    this.#connectionLog.seen(status);
    const corrected = changes.filter(({ kind }) => kind === 'connected' || kind === 'gone').length;
    if (corrected === 0 || !this.#hasClientAuth) return;
    this.counted.resyncs += 1;
    this.#logger.info('session.resynced', { changes: corrected });
  }

  /** A program between us and OpenVPN may keep events of clients for itself: until one was seen, only asking tells. */
  #snapshotIntervalMs(): number {
    const { snapshotIntervalMs, pollIntervalMs } = this.#settings.management;
    const [anybody] = this.#sessions.list();
    return this.#hasClientAuth || (anybody === undefined && this.#hasHeardOfClients)
      ? snapshotIntervalMs
      : Math.min(pollIntervalMs, snapshotIntervalMs);
  }

  #apply(changes: readonly SessionChange[]): void {
    for (const change of changes) this.networks.apply(change);
  }

  #updateState(): void {
    // Before the first snapshot of a connection nothing is known yet.
    if (this.#early !== null || (this.#client.phase !== 'ready' && this.#client.phase !== 'preparing')) return;
    const state = this.place.problem(this.#role) === null ? 'ready' : 'waiting';
    if (state === this.#state) return;
    this.#state = state;
    if (state === 'ready')
      this.#logger.info('server.ready', { device: this.place.tunnel?.device, transports: this.place.transports });
    else this.#logger.info('server.waiting', { reason: this.place.problem(this.#role) });
  }
}
