import type { Disconnect, Notification, Origin, PositionedStatus, Session as Connection, State } from 'openvpn-management-client';
import { ManagementClient, isManagementError } from 'openvpn-management-client';
import type { Transport, Tunnel } from '../../rules/index.js';
import { formatEndpoint } from '../config/endpoint.js';
import type { ManagementEndpoint, Settings } from '../config/settings.js';
import type { Devices } from '../discovery/devices.js';
import { tunnelWithAddress } from '../discovery/devices.js';
import type { TransportHint } from '../discovery/sockets.js';
import { readBoundSockets, socketInodesOf, transportsOf } from '../discovery/sockets.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import { SessionNetworks } from '../sessions/session-networks.js';
import type { Session, SessionChange } from '../sessions/session-table.js';
import { SessionTable } from '../sessions/session-table.js';
import { SnapshotSchedule } from '../sessions/snapshot-schedule.js';
import type { ServerState } from '../status.js';

/** How long after an ESTABLISHED of which the addresses are known the snapshot may come. */
const HEALING_MS = 2000;

type Login = Notification & { readonly kind: 'client:connect' | 'client:reauth' };

export interface ManagedServerOptions {
  readonly endpoint: ManagementEndpoint;
  readonly settings: Settings;
  readonly clients: ClientNetworks;
  readonly logger: Logger;
  /** A client network came, went or moved. */
  readonly onClientChanged: (key: string) => void;
  /** Tunnel device or transports may have changed: read the devices and call `resolve`. Resolves when that was done. */
  readonly onServerChanged: () => Promise<void>;
  /** Resolves when the kernel has everything that is wanted now: `hold` is released after that. */
  readonly whenApplied: () => Promise<void>;
}

/**
 * One OpenVPN process, followed through its management interface: who is connected, over which tunnel and transport.
 *
 * Losing the management connection changes nothing in the kernel: the tunnel may go on. What happened meanwhile, the
 * snapshot of the next connection tells; when the tunnel device is gone, so are its clients.
 */
export class ManagedServer implements AsyncDisposable {
  readonly name: string;
  readonly #options: ManagedServerOptions;
  #settings: Settings;
  readonly #client: ManagementClient;
  readonly #sessions = new SessionTable();
  readonly #networks: SessionNetworks;
  readonly #snapshots: SnapshotSchedule;
  readonly #logger: Logger;
  #state: ServerState = 'connecting';
  #epoch = 1;
  #pid: number | null = null;
  /** Unix time of the daemon's latest CONNECTED, by its own clock. */
  #connectedAt: number | null = null;
  /** Empty while OpenVPN has no tunnel. */
  #tunnelAddresses: readonly string[] = [];
  #hint: TransportHint;
  #tunnel: Tunnel | null = null;
  #transports: readonly Transport[] = [];
  /** Deliveries that wait for the first snapshot of a connection; null after it. */
  #early: { message: Notification; origin: Origin }[] | null = [];
  #earlyLogins: { message: Login; origin: Origin }[] = [];
  #hasClientAuth = false;
  readonly #warned = new Set<string>();
  #failure: string | null = null;
  #settle: () => void = () => undefined;
  /** Resolves when it is known who is connected, or that this cannot be known for now. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(options: ManagedServerOptions) {
    const { endpoint, settings, logger, clients } = options;
    const { management } = settings;
    this.name = formatEndpoint(endpoint);
    this.#options = options;
    this.#settings = settings;
    this.#logger = logger.child({ management: this.name });
    this.#networks = new SessionNetworks({ server: this.name, clients, logger: this.#logger, onChanged: options.onClientChanged });
    this.#hint = { port: null, protocol: null, managementPort: endpoint.kind === 'tcp' ? endpoint.port : null };
    this.#snapshots = new SnapshotSchedule({ take: () => this.#takeSnapshot(), intervalMs: () => this.#snapshotIntervalMs() });
    this.#client = new ManagementClient({
      endpoint,
      password: management.password ?? undefined,
      connectTimeoutMs: management.connectTimeoutMs,
      commandTimeoutMs: management.commandTimeoutMs,
      backoff: { baseMs: management.backoffMinMs, maxMs: management.backoffMaxMs },
    });
    this.#client.onMessage((message, origin) => this.#receive(message, origin));
    this.#client.onConnected((connection) => this.#prepare(connection));
    this.#client.onDisconnected((disconnect) => this.#disconnected(disconnect));
  }

  get state(): ServerState {
    return this.#state;
  }

  /** OpenVPN's own process id, in its PID namespace; null before it told. */
  get pid(): number | null {
    return this.#pid;
  }

  get tunnel(): Tunnel | null {
    return this.#tunnel;
  }

  get transports(): readonly Transport[] {
    return this.#transports;
  }

  /** Why this server is not ready, in a sentence; null when it is. */
  get problem(): string | null {
    if (this.#state === 'ready') return null;
    return this.#failure ?? (this.#state === 'waiting' ? `${this.name}: OpenVPN has no tunnel yet` : `${this.name}: not connected yet`);
  }

  sessions(): Iterable<Session> {
    return this.#sessions.list();
  }

  /**
   * Follows the server until `close`.
   *
   * @throws ManagementError MGMT_AUTH, MGMT_PASSWORD_REQUIRED: no retry can cure these
   */
  async run(): Promise<void> {
    this.#logger.debug('management.connecting');
    await this.#client.run();
  }

  /** Puts changed settings into force, as far as they can change: answers to logins, `hold`, intervals. */
  reconfigure(settings: Settings): void {
    this.#settings = settings;
    this.#snapshots.intervalChanged();
  }

  /** Ends the connection for good: this OpenVPN is no longer ours, and its clients go. */
  async retire(): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#apply(this.#sessions.clear('retired'));
    this.#tunnel = null;
    this.#transports = [];
  }

  /** Ends the connection. The kernel stays as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#snapshots.stop();
    await this.#client.close();
  }

  /**
   * Finds the tunnel and the transports anew.
   *
   * @returns true when they differ from before
   */
  async resolve(devices: Devices): Promise<boolean> {
    const tunnel = tunnelWithAddress(devices, this.#tunnelAddresses);
    const transports = this.#tunnelAddresses.length === 0 ? [] : await this.#findTransports();
    const before = JSON.stringify([this.#tunnel, this.#transports]);
    const hadTunnel = this.#tunnel !== null;
    // During a restart inside OpenVPN its socket is closed for a moment; clients that come back need its rules at once.
    const isProcessGone = tunnel === null && this.#client.session === undefined;
    if (transports.length > 0 || isProcessGone) this.#transports = transports;
    this.#tunnel = tunnel;
    if (tunnel === null && hadTunnel) this.#apply(this.#sessions.clear('epoch'));
    else if (tunnel !== null && !hadTunnel) this.#snapshots.request();
    this.#networks.setDevice(tunnel?.device ?? null);
    this.#updateState();
    return JSON.stringify([this.#tunnel, this.#transports]) !== before;
  }

  async #findTransports(): Promise<readonly Transport[]> {
    const inodes = this.#pid === null ? null : await socketInodesOf(this.#pid);
    return transportsOf(await readBoundSockets(), inodes, this.#hint);
  }

  async #prepare(connection: Connection): Promise<void> {
    // What came between the banner and now is kept.
    this.#early ??= [];
    this.#answerEarlyLogins();
    await connection.envFilter(0);
    const states = await connection.setStateWithHistory();
    const pid = await connection.pid();
    this.#logger.info('management.connected', { openvpn: connection.daemon.title, pid });
    this.#sessions.forgetGone();
    this.#compareWithBefore(pid, states);
    this.#failure = null;
    this.#warned.delete('lost');
    const latest = states.at(-1);
    if (latest !== undefined) await this.#takeState(latest);
    // Without one it is not known who is connected: then this connection is given up and another one tried.
    if (latest?.name === 'CONNECTED') await this.#compareWithSnapshot();
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

  /** While nobody listened, OpenVPN may have restarted, outside (another process) or inside (connected at another time). */
  #compareWithBefore(pid: number, states: readonly State[]): void {
    // In the middle of a restart it is connected no more.
    const latest = states.findLast(({ name }) => name === 'CONNECTED' || isRestart(name));
    const connectedAt = latest?.name === 'CONNECTED' ? latest.timeSeconds : null;
    if (this.#pid !== null && this.#pid !== pid) {
      this.#hasClientAuth = false;
      this.#beginEpoch('another process');
    } else if (this.#connectedAt !== null && connectedAt !== this.#connectedAt) this.#beginEpoch('restarted while the management connection was lost');
    this.#pid = pid;
    this.#connectedAt = connectedAt;
  }

  #disconnected({ cause, wasReady, retryInMs }: Disconnect): void {
    this.#early = [];
    this.#earlyLogins = [];
    void this.#snapshots.stop();
    this.#state = 'connecting';
    this.#failure = `${this.name}: ${cause.message}`;
    const fields = { reason: cause.message, code: cause.code, retryInMs };
    if (retryInMs === undefined) this.#logger.error('management.auth_failed', fields);
    else if (wasReady || !this.#warned.has(cause.code)) this.#logDisconnect(cause.code, fields);
    this.#warned.add(cause.code);
    this.#settle();
    // OpenVPN may be gone, and its tunnel with it.
    void this.#options.onServerChanged();
  }

  #logDisconnect(code: string, fields: Record<string, unknown>): void {
    if (code === 'MGMT_BUSY') this.#logger.warn('management.busy', fields);
    else if (code === 'MGMT_PROTOCOL' || code === 'MGMT_OVERFLOW') this.#logger.warn('management.protocol_error', fields);
    else this.#logger.warn('management.lost', fields);
  }

  #receive(message: Notification, origin: Origin): void {
    switch (message.kind) {
      case 'client:connect':
      case 'client:reauth':
        this.#hasClientAuth = true;
        this.#answerLogin(message, origin);
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
    if (message.kind === 'state') this.#stateChanged(message);
    this.#apply(this.#sessions.handle(message, { epoch: this.#epoch, seq: sequence }, new Date()));
    if (message.kind === 'client:established') this.#established(message);
  }

  #established(message: Notification & { kind: 'client:established' }): void {
    if (!this.#hasClientAuth) this.#warnOnce('no_client_auth', () => this.#logger.warn('management.no_client_auth', { pollIntervalMs: this.#settings.management.pollIntervalMs }));
    const port = Number(message.env.get('local_port_1') ?? message.env.get('local_port'));
    const protocol = message.env.get('proto_1') ?? message.env.get('proto');
    const of = protocol?.startsWith('tcp') === true ? 'tcp' : 'udp';
    if (port > 0 && protocol !== undefined && (port !== this.#hint.port || of !== this.#hint.protocol)) {
      this.#hint = { ...this.#hint, port, protocol: of };
      void this.#options.onServerChanged();
    }
    // Under client-auth ADDRESS has said everything; then the snapshot only heals, and one does for many.
    this.#snapshots.request(this.#hasClientAuth ? HEALING_MS : 0);
  }

  #answerLogin(message: Login, origin: Origin): void {
    if (this.#settings.authorize === 'accept') {
      if (this.#client.session === undefined) {
        this.#earlyLogins.push({ message, origin });
        return;
      }
      this.#client.clientAuthNt({ epoch: origin.epoch, cid: message.cid }, message.kid).catch((error: unknown) => {
        this.#logger.warn('client.authorize_failed', { cid: message.cid, error });
      });
      return;
    }
    this.#warnOnce('unanswered', () => this.#logger.warn('management.logins_unanswered', { cid: message.cid }));
  }

  /** A login may come with the banner, before anything can be sent. */
  #answerEarlyLogins(): void {
    const logins = this.#earlyLogins;
    this.#earlyLogins = [];
    for (const { message, origin } of logins) this.#answerLogin(message, origin);
  }

  #stateChanged(state: State): void {
    if (isRestart(state.name)) {
      this.#connectedAt = null;
      this.#beginEpoch(state.description);
      void this.#options.onServerChanged();
    } else if (state.name === 'CONNECTED') {
      void this.#takeState(state).then(() => this.#snapshots.request());
    }
  }

  async #takeState(state: State): Promise<void> {
    if (state.name !== 'CONNECTED') return;
    this.#connectedAt = state.timeSeconds;
    this.#tunnelAddresses = [state.tunnelAddress, state.tunnelAddress6].filter((address) => address !== undefined);
    if (state.localPort !== undefined) this.#hint = { ...this.#hint, port: state.localPort };
    await this.#options.onServerChanged();
  }

  #beginEpoch(reason: string): void {
    this.#epoch += 1;
    this.#apply(this.#sessions.clear('epoch'));
    this.#logger.info('server.restarted', { epoch: this.#epoch, reason });
  }

  async #releaseHold(): Promise<void> {
    if (this.#settings.hold !== 'release') return;
    const { session } = this.#client;
    await this.#options.whenApplied();
    // A later connection asks by itself, if OpenVPN still holds.
    if (this.#client.session !== session) return;
    await this.#client.holdRelease().catch((error: unknown) => {
      // Whoever else released it was quicker, or the connection is lost: then it is asked for again.
      this.#logger.debug('management.hold_failed', { error });
    });
  }

  async #takeSnapshot(): Promise<void> {
    if (this.#tunnelAddresses.length === 0) return;
    await this.#compareWithSnapshot().catch((error: unknown) => {
      // The next one, or the next connection, tells the same. Between SIGUSR1 and the new start there is no status.
      this.#logger.debug('session.snapshot_failed', { error });
    });
  }

  async #compareWithSnapshot(): Promise<void> {
    const status = await this.#readStatus();
    if (status.position.epoch !== this.#client.epoch) return;
    const changes = this.#sessions.snapshot(status, { epoch: this.#epoch, seq: status.position.sequence }, new Date());
    this.#apply(changes);
    const corrected = changes.filter(({ kind }) => kind === 'connected' || kind === 'gone').length;
    if (corrected > 0 && this.#hasClientAuth) this.#logger.info('session.resynced', { changes: corrected });
  }

  /** A user name of 450 characters and more breaks `status 3`, not `status 1`. */
  async #readStatus(): Promise<PositionedStatus> {
    try {
      return await this.#client.status();
    } catch (error) {
      if (isManagementError(error) && error.code === 'MGMT_TRUNCATED') return this.#client.status({ format: 1 });
      throw error;
    }
  }

  #snapshotIntervalMs(): number {
    const { snapshotIntervalMs, pollIntervalMs } = this.#settings.management;
    const [anybody] = this.#sessions.list();
    return this.#hasClientAuth || anybody === undefined ? snapshotIntervalMs : Math.min(pollIntervalMs, snapshotIntervalMs);
  }

  #apply(changes: readonly SessionChange[]): void {
    for (const change of changes) this.#networks.apply(change);
  }

  #updateState(): void {
    // Before the first snapshot of a connection nothing is known yet.
    if (this.#early !== null || (this.#client.phase !== 'ready' && this.#client.phase !== 'preparing')) return;
    const state = this.#tunnel === null ? 'waiting' : 'ready';
    if (state === this.#state) return;
    this.#state = state;
    if (state === 'ready') this.#logger.info('server.ready', { device: this.#tunnel?.device, transports: this.#transports });
    else this.#logger.info('server.waiting');
  }

  #warnOnce(what: string, warn: () => void): void {
    if (this.#warned.has(what)) return;
    this.#warned.add(what);
    warn();
  }
}

/** OpenVPN begins anew, or ends: nobody is connected any more. */
function isRestart(name: string): boolean {
  return name === 'RECONNECTING' || name === 'EXITING';
}
