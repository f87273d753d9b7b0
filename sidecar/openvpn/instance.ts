import {
  formatEndpoint,
  type ManagementClient,
  type Notification,
  type Origin,
  type Session as Connection,
  type State,
} from 'openvpn-management-client';
import { networksOf, transportsOf } from '../config/policy.js';
import type { Settings } from '../config/settings.js';
import type { Devices } from '../discovery/devices.js';
import { OpenVpnEvidence } from '../discovery/openvpn-evidence.js';
import type { Logger } from '../log/logger.js';
import { PassThrough } from '../pass-through/pass-through.js';
import type { OpenVpnRole, PassThroughStatus, ServerState } from '../status.js';
import { ClientRole } from './client-role.js';
import { ConnectionLog } from './connection-log.js';
import { EarlyMessages } from './early-messages.js';
import { releaseHold } from './hold-release.js';
import type { InstanceOptions } from './instance-options.js';
import { InstanceProblem } from './instance-problem.js';
import { makeManagementClient } from './management-client.js';
import { OpenVpnPlace } from './openvpn-place.js';
import { isRestart } from './openvpn-state.js';
import type { RoleStatus, StartEnd } from './role.js';
import { Roles } from './roles.js';
import { ServerRole } from './server-role.js';

/**
 * One OpenVPN process, followed through its management interface: whether it runs, since when, and over which tunnel
 * and transport. What it does as a server or as a client is its `Role`.
 *
 * Losing the management connection changes nothing in the kernel: the tunnel may continue. What happened meanwhile, the
 * snapshot of the next connection tells; when the tunnel device is gone, so are its clients.
 */
export class Instance implements AsyncDisposable {
  /** Its management endpoint, as text. */
  readonly name: string;
  /** Its tunnel device and its sockets. */
  readonly place: OpenVpnPlace;
  readonly #options: InstanceOptions;
  #settings: Settings;
  readonly #logger: Logger;
  readonly #client: ManagementClient;
  readonly #passThrough: PassThrough;
  readonly #problem: InstanceProblem;
  readonly #server: ServerRole;
  readonly #roles: Roles;
  readonly #early = new EarlyMessages();
  #state: ServerState = 'connecting';
  #connects = 0;
  #hasToldAtLogin = false;
  #epoch = 1;
  #pid: number | null = null;
  /** Unix time of the daemon's latest CONNECTED, by its own clock. */
  #connectedAt: number | null = null;
  /** Empty while OpenVPN has no tunnel. */
  #tunnelAddresses: readonly string[] = [];
  #settle: () => void = () => undefined;
  /** Resolves when it is known who is connected, or that this cannot be known for now. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(options: InstanceOptions) {
    const { endpoint, settings, clients } = options;
    this.name = formatEndpoint(endpoint);
    this.#options = options;
    this.#settings = settings;
    const logger = options.logger.child({ management: this.name });
    this.#logger = logger;
    const networks = { server: this.name, clients, onChanged: options.onClientChanged };
    this.#passThrough = new PassThrough({
      endpoint,
      settings: () => this.#settings,
      ownSwitches: () => (this.#roles.known === 'client' ? ['state', 'log'] : ['state']),
      isKeptOut: (names) => options.holds.list().length > 0 && options.holds.find(this.name, names()) !== null,
      logger,
    });
    const client = makeManagementClient(endpoint, () => this.#settings, this.#passThrough.onNotificationBytes);
    this.#client = client;
    this.#problem = new InstanceProblem(this.name, client, logger);
    const connectionLog = new ConnectionLog(client, logger);
    this.#server = new ServerRole({
      client,
      networks,
      holds: options.holds,
      settings: () => this.#settings,
      epoch: () => this.#epoch,
      onConnected: (state) => this.#connected(state),
      onStatus: (status) => connectionLog.seen(status),
      areLoginsAnswered: () => this.#passThrough.mayAnswerLogins,
      logger,
    });
    const vpnClient = new ClientRole({
      networks,
      configured: (device) => networksOf(this.#settings, device),
      logger,
      onRemoteChanged: () => void options.onServerChanged(),
    });
    this.#roles = new Roles({ client, server: this.#server, vpnClient, configured: settings.management.role, logger });
    this.place = new OpenVpnPlace(
      new OpenVpnEvidence({
        endpoint,
        configured: () => transportsOf(this.#settings, this.name),
        earlier: () => options.earlierTransports(this.name),
        logger,
      }),
      logger,
    );
    client.onMessage((message, origin) => this.#receive(message, origin));
    client.onConnected((connection) => this.#prepare(connection));
    this.#passThrough.follow(client);
    client.onDisconnected(() => this.#disconnected());
  }

  get state(): ServerState {
    return this.#state;
  }

  /** Null before it is known. */
  get role(): OpenVpnRole | null {
    return this.#roles.known;
  }

  /** Grows whenever OpenVPN restarted, or a client reconnected. */
  get epoch(): number {
    return this.#epoch;
  }

  /** How often the management connection was made again, since the sidecar started. */
  get reconnects(): number {
    return Math.max(0, this.#connects - 1);
  }

  /** See {@link ServerRole.resyncs}. */
  get resyncs(): number {
    return this.#server.resyncs;
  }

  /**
   * Whether it needs a router to send its first packets to: null of one that answers, `seeking` while it is not
   * connected to its server.
   */
  get uplinkNeed(): 'seeking' | 'satisfied' | null {
    if (this.#roles.current.remotes === null) return null;
    return this.#connectedAt === null ? 'seeking' : 'satisfied';
  }

  /** Why this OpenVPN is not ready, in a sentence; null when it is. */
  get problem(): string | null {
    return this.#problem.describe(this.#state, this.#placeProblem);
  }

  /** Where other programs use this OpenVPN's management interface. */
  get passThrough(): readonly PassThroughStatus[] {
    return this.#passThrough.status();
  }

  /** What OpenVPN asks for, and gwmark does not have: see {@link InstanceProblem.question}. */
  get question(): string | null {
    return this.#problem.question;
  }

  get #placeProblem(): string | null {
    return this.place.problem(this.#roles.current);
  }

  /** How many clients are connected to it. */
  get clientCount(): number {
    return this.#roles.current.clientCount;
  }

  /** What its role tells: who is connected to a server, where a client's tunnel leads to. */
  roleStatus(): RoleStatus {
    return this.#roles.current.status();
  }

  /** Clients of a server, to be kicked; null of an OpenVPN client. */
  get clients(): Pick<ServerRole, 'sessions' | 'kicks'> | null {
    return this.#roles.known === 'client' ? null : this.#server;
  }

  /** See {@link ServerRole.count}. */
  count(): void {
    this.#server.count();
  }

  /** Follows OpenVPN until disposal, whatever it answers: a refused password is a problem of this one alone. */
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
    this.#server.reconfigured();
  }

  /** Ends the connection for good: this OpenVPN is no longer ours, and its clients go. */
  async retire(): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#roles.retire();
    this.place.leave();
  }

  /**
   * Ends the connection, then the snapshots, which one that is being prepared would start again. The kernel stays as
   * it is.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    await this.#passThrough[Symbol.asyncDispose]();
    await this.#server.stop();
  }

  /**
   * Finds the tunnel and the transports again.
   *
   * @returns true when they differ from before
   */
  async resolve(devices: Devices): Promise<boolean> {
    const hasChanged = await this.place.resolve({
      devices,
      isConnected: () => this.#client.session !== undefined && this.#connectedAt !== null,
      // A tunnel device may survive its process (data channel offload, `--mktun`); its sessions do not.
      isGone:
        this.#client.session === undefined && ((await this.place.evidence.hasEnded()) ?? this.#problem.isRefused),
      addresses: this.#tunnelAddresses,
      remotes: this.#roles.current.remotes,
    });
    this.#roles.resolve(this.place.tunnel, devices.links);
    this.#updateState();
    return hasChanged;
  }

  async #prepare(connection: Connection): Promise<void> {
    this.#early.hold();
    await connection.envFilter(0);
    const { rows: states, position } = await connection.setStateWithHistory();
    this.#early.dropTold(position.sequence);
    const pid = await connection.pid();
    this.#logger.info('management.connected', { openvpn: connection.daemon.title, pid });
    this.#connects += 1;
    this.#compareWithBefore(pid, states);
    await this.place.evidence.meet(connection, pid);
    this.#problem.connected();
    // Without an answer, the clients are unknown: then this connection is dropped and another one tried.
    const status = await this.#roles.find(states);
    await this.#roles.current.follow(connection);
    const latest = states.at(-1);
    if (latest !== undefined) await this.#takeState(latest);
    // Reading devices takes its time; the connection may be lost by now, and another one being prepared.
    if (connection.closeSignal.aborted) return;
    // The status knows what came before it: a restart in between ends nobody whom it has.
    if (status !== null)
      for (const { message, origin } of this.#early.takeUpTo(status.position.sequence)) this.#take(message, origin);
    this.#roles.current.begin(status);
    for (const { message, origin } of this.#early.release()) this.#take(message, origin);
    this.#updateState();
    this.#settle();
    // Only now is it known who is connected: what an earlier run left need not be kept for this OpenVPN any more.
    await this.#options.onServerChanged();
    if (connection.closeSignal.aborted) return;
    if (connection.isHeld) await this.#releaseHold();
  }

  /**
   * While nobody listened, OpenVPN may have restarted, outside (another process) or inside (connected at another
   * time).
   */
  #compareWithBefore(pid: number, states: readonly State[]): void {
    // During a restart it is not connected.
    const latest = states.findLast(({ name }) => name === 'CONNECTED' || isRestart(name));
    const connectedAt = latest?.name === 'CONNECTED' ? latest.timeSeconds : null;
    if (this.#pid !== null && this.#pid !== pid) {
      this.#startEnded('another process', 'another process');
      this.place.forget();
      this.#roles.forget();
    } else if (this.#connectedAt !== null && connectedAt !== this.#connectedAt) {
      this.#startEnded('unheard', 'restarted while the management connection was lost');
      this.place.evidence.restarted();
    }
    this.#pid = pid;
    this.#connectedAt = connectedAt;
  }

  #disconnected(): void {
    this.#early.reset();
    this.#hasToldAtLogin = false;
    this.#state = 'connecting';
    this.#settle();
    // OpenVPN may be gone, with its tunnel.
    void this.#options.onServerChanged();
  }

  #receive(message: Notification, origin: Origin): void {
    if (message.kind === 'hold') {
      // During preparation: hold is released at its end.
      if (!this.#early.isHolding) void this.#releaseHold();
      return;
    }
    if (!this.#early.keep(message, origin)) this.#take(message, origin);
  }

  #take(message: Notification, { sequence }: Origin): void {
    if ('env' in message && this.#isTelling(message) && this.place.evidence.note(message.env))
      void this.#options.onServerChanged();
    if (message.kind === 'state') this.#stateChanged(message);
    this.#roles.current.take(message, sequence);
  }

  /** ESTABLISHED repeats what the login of the same client has told, where OpenVPN asks about logins. */
  #isTelling({ kind }: Notification): boolean {
    if (kind === 'client:connect') this.#hasToldAtLogin = true;
    return kind !== 'client:established' || !this.#hasToldAtLogin;
  }

  #stateChanged(state: State): void {
    if (this.#roles.isNews(state)) void this.#becomeClient();
    if (isRestart(state.name)) {
      this.#startEnded('by state', state.description);
      this.#connectedAt = null;
      this.place.evidence.restarted();
      void this.#options.onServerChanged();
    } else if (state.name === 'CONNECTED') void this.#connected(state);
  }

  /** The first state of a client came while it was not known what this OpenVPN is: it had been in hold. */
  async #becomeClient(): Promise<void> {
    this.#roles.note('client');
    const { session } = this.#client;
    if (session === undefined) return;
    await this.#roles.current
      .follow(session)
      .catch((error: unknown) => this.#logger.debug('session.snapshot_failed', { error }));
    await this.#options.onServerChanged();
  }

  async #connected(state: State): Promise<void> {
    // One that was in hold, and had no state before that only a client has.
    if (this.#roles.known === null)
      await this.#roles
        .find([state])
        .catch((error: unknown) => this.#logger.debug('session.snapshot_failed', { error }));
    await this.#takeState(state);
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
    this.#roles.current.connected(state);
    await this.#options.onServerChanged();
  }

  #startEnded(end: StartEnd, reason: string): void {
    if (!this.#roles.current.ended(end)) return;
    this.#epoch += 1;
    this.#logger.info('server.restarted', { epoch: this.#epoch, reason });
  }

  async #releaseHold(): Promise<void> {
    if (this.#settings.hold === 'release') await releaseHold(this.#client, this.#options.whenApplied, this.#logger);
  }

  #updateState(): void {
    // Before the first snapshot of a connection, nothing is known.
    if (this.#early.isHolding || (this.#client.phase !== 'ready' && this.#client.phase !== 'preparing')) return;
    const reason = this.#placeProblem;
    const state = reason === null ? 'ready' : 'waiting';
    if (state === this.#state) return;
    this.#state = state;
    if (reason === null)
      this.#logger.info('server.ready', { device: this.place.tunnel?.device, transports: this.place.transports });
    else this.#logger.info('server.waiting', { reason });
  }
}
