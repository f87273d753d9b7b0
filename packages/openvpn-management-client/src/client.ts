import type { Socket } from 'node:net';
import { backoffDelayMs } from './backoff.js';
import type { Capabilities } from './capabilities.js';
import { type CheckedOptions, checkOptions, type ManagementClientOptions } from './client-options.js';
import type { ExecuteOptions } from './command-queue.js';
import { CommandSet } from './command-set.js';
import type { Command } from './command.js';
import * as commands from './commands.js';
import { Connection } from './connection.js';
import { formatEndpoint } from './endpoint.js';
import { abortError, asManagementError, ManagementError, staleError } from './errors.js';
import type { ClientKey } from './ids.js';
import { Listeners } from './listeners.js';
import { OpenVpnListener } from './openvpn-listener.js';
import { MessageStream, type Delivery, type MessageStreamOptions, type Origin } from './message-stream.js';
import type { Notification } from './messages.js';
import { Session } from './session.js';

/** The end of a connection, or of an attempt to get one. */
export interface Disconnect {
  readonly cause: ManagementError;
  /** True if the hooks had all succeeded before. */
  readonly wasReady: boolean;
  /** Attempts in a row that did not become ready, this one included; 0 after a ready one. */
  readonly failedAttempts: number;
  /** The wait before the next attempt; undefined if there is none. */
  readonly retryInMs: number | undefined;
}

export type MessageListener = (message: Notification, origin: Origin) => void;
export type ConnectedHook = (session: Session) => Promise<void> | void;

export type ClientPhase = 'idle' | 'connecting' | 'preparing' | 'ready' | 'waiting' | 'closed';

const TERMINAL_CODES: ReadonlySet<string> = new Set(['MGMT_AUTH', 'MGMT_PASSWORD_REQUIRED', 'MGMT_ARGUMENT']);

/** The current connection and its state. */
interface Live {
  readonly connection: Connection;
  readonly session: Session;
}

/**
 * How one attempt ended. A cause from opening can be terminal; one from a hook is the hook's own and is tried again.
 */
interface Outcome {
  readonly cause: ManagementError;
  readonly wasOpened: boolean;
  readonly wasReady: boolean;
}

/**
 * Stays connected to one daemon: connects, or lets it connect, logs in, prepares, and comes back after every loss.
 *
 * Messages reach the listeners synchronously, one after the other, in wire order, from the banner on; also while hooks
 * run. Each has an epoch, which grows with every connection and with every restart inside the daemon (the message
 * `RECONNECTING` or `EXITING` has the new one already; that takes `state on`), and a sequence number, which grows by
 * one. A `status` reply carries the position where it began, so a snapshot can be put exactly between the events.
 *
 * What a listener throws is thrown again on the microtask queue: it reaches the process, never the decoder.
 */
export class ManagementClient extends CommandSet {
  readonly #options: CheckedOptions;
  readonly #messageListeners = new Listeners<[Notification, Origin]>();
  readonly #disconnectListeners = new Listeners<[Disconnect]>();
  readonly #readyListeners = new Listeners<[Session]>();
  readonly #endListeners = new Listeners<[ManagementError | undefined]>();
  readonly #hooks = new Set<ConnectedHook>();
  readonly #closing = new AbortController();
  #phase: ClientPhase = 'idle';
  #epoch = 0;
  #sequence = 0;
  #isHeld = false;
  #connection: Connection | undefined;
  #live: Live | undefined;
  #running: Promise<void> | undefined;
  #endPause: () => void = () => undefined;
  /** Where OpenVPN connects; null where it listens. */
  readonly #listener: OpenVpnListener | null;
  readonly #refusedListeners = new Listeners<[]>();

  /** Starts nothing. @throws ManagementError MGMT_ARGUMENT for an option out of its range */
  constructor(options: ManagementClientOptions) {
    super();
    this.#options = checkOptions(options);
    const { endpoint, listenFile, clock } = this.#options;
    this.#listener =
      endpoint.listen === true
        ? new OpenVpnListener({ endpoint, clock, ...listenFile, onRefused: () => this.#refusedListeners.emit() })
        : null;
  }

  get phase(): ClientPhase {
    return this.#phase;
  }

  /** The epoch of now: 0 before the first connection. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The number of the last message. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The session in use, undefined without one. */
  get session(): Session | undefined {
    return this.#live?.session;
  }

  override get capabilities(): Capabilities {
    if (this.#live === undefined) throw this.#notConnected('capabilities');
    return this.#live.session.capabilities;
  }

  /** Every notification from now on, in wire order. Dispose of the result to stop. */
  onMessage(listener: MessageListener): Disposable {
    return this.#messageListeners.add(listener);
  }

  /**
   * Runs on every new connection, after `version` and before `ready`. If a hook rejects, the connection is given up
   * and tried again later; on closing, nobody waits for it (its commands reject, and its session's `closeSignal`
   * fires).
   */
  onConnected(hook: ConnectedHook): Disposable {
    this.#hooks.add(hook);
    return { [Symbol.dispose]: () => void this.#hooks.delete(hook) };
  }

  /** Every end of a connection or of an attempt, with its cause. */
  onDisconnected(listener: (disconnect: Disconnect) => void): Disposable {
    return this.#disconnectListeners.add(listener);
  }

  /** Another OpenVPN connected to an endpoint at which one is connected already (`listen:`), and was refused. */
  onRefused(listener: () => void): Disposable {
    return this.#refusedListeners.add(listener);
  }

  /**
   * Connects and stays connected.
   *
   * @returns a promise that resolves when the client is closed, and without `authRetryMs` rejects with a cause that a
   * retry
   *   alone cannot cure (MGMT_AUTH, MGMT_PASSWORD_REQUIRED, MGMT_ARGUMENT). Calling again returns the same promise.
   */
  async run(): Promise<void> {
    if (this.#phase === 'closed' && this.#running === undefined) throw this.#closedError();
    this.#running ??= this.#loop();
    return this.#running;
  }

  /**
   * Resolves with the session as soon as one is ready; rejects when the client ends first. Does not start the client.
   */
  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<Session> {
    const { signal } = options;
    if (this.#phase === 'ready' && this.#live !== undefined) return this.#live.session;
    if (this.#phase === 'closed') throw this.#closedError();
    if (signal?.aborted === true) throw abortError(signal, 'wait for the management connection');
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        readyListener[Symbol.dispose]();
        endListener[Symbol.dispose]();
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        finish();
        if (signal !== undefined) reject(abortError(signal, 'wait for the management connection'));
      };
      const readyListener = this.#readyListeners.add((session) => {
        finish();
        resolve(session);
      });
      const endListener = this.#endListeners.add((cause) => {
        finish();
        reject(cause ?? this.#closedError());
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Notifications as an async iterable with a bounded queue; it ends with the client. */
  messages(options: MessageStreamOptions = {}): MessageStream {
    const stream = new MessageStream(options);
    const listener = this.#messageListeners.add((message, origin) =>
      stream.push({ message, origin } satisfies Delivery),
    );
    const endListener = this.#endListeners.add(() => stream.end());
    stream.onEnd(() => {
      listener[Symbol.dispose]();
      endListener[Symbol.dispose]();
    });
    if (this.#phase === 'closed') stream.end();
    return stream;
  }

  override async execute<T>(command: Command<T>, options?: ExecuteOptions, key?: ClientKey): Promise<T> {
    const connection = this.#connection;
    if (connection === undefined)
      throw this.#phase === 'closed' ? this.#closedError() : this.#notConnected(command.label);
    return this.#executeOn(connection, command, options, key);
  }

  /** Ends the current pause before the next attempt, if any. */
  retryNow(): void {
    this.#endPause();
  }

  /** Ends the client permanently. Resolves within about a second, whatever the daemon does; idempotent. */
  async close(): Promise<void> {
    const running = this.#running;
    this.#closing.abort(this.#closedError());
    if (running === undefined) this.#end(undefined);
    await this.#connection?.close(this.#closedError());
    // The caller of run() already has the terminal failure.
    await running?.catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #loop(): Promise<void> {
    const { signal } = this.#options;
    const onAbort = (): void => void this.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) this.#closing.abort(this.#closedError());
    let failedAttempts = 0;
    try {
      while (!this.#closing.signal.aborted) {
        const { cause, wasOpened, wasReady } = await this.#connectOnce();
        if (this.#closing.signal.aborted) break;
        failedAttempts = wasReady ? 0 : failedAttempts + 1;
        const isRefused = !wasOpened && TERMINAL_CODES.has(cause.code);
        const retryInMs = isRefused ? this.#options.authRetryMs : this.#pauseMs(cause, failedAttempts);
        this.#phase = 'waiting';
        this.#disconnectListeners.emit({ cause, wasReady, failedAttempts, retryInMs });
        if (retryInMs === undefined) {
          this.#end(cause);
          throw cause;
        }
        await this.#wait(retryInMs);
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#listener?.[Symbol.dispose]();
      this.#end(undefined);
    }
  }

  /** Nobody is waited for between two connections of OpenVPN, but after a failure to listen. */
  #pauseMs(cause: ManagementError, failedAttempts: number): number {
    if (this.#listener !== null && cause.code !== 'MGMT_LISTEN') return 0;
    return backoffDelayMs(this.#options.backoff, Math.max(1, failedAttempts), this.#options.random());
  }

  /** The lifetime of one connection. */
  async #connectOnce(): Promise<Outcome> {
    this.#phase = 'connecting';
    const ended = new AbortController();
    const gone = new Promise<ManagementError>((resolve) => {
      ended.signal.addEventListener('abort', () => resolve(asManagementError(ended.signal.reason)), { once: true });
    });
    let isFirst = true;
    let wasOpened = false;
    let wasReady = false;
    let socket: Socket | undefined;
    try {
      const { endpoint, password, connectTimeoutMs, commandTimeoutMs, maxReplyLines, decoder, clock } = this.#options;
      const { onNotificationBytes } = this.#options;
      socket = await this.#listener?.accept(connectTimeoutMs, this.#closing.signal);
      const connection = await Connection.open({
        endpoint,
        socket,
        password: typeof password === 'function' ? await password() : password,
        connectTimeoutMs,
        commandTimeoutMs,
        maxReplyLines,
        decoder,
        clock,
        signal: this.#closing.signal,
        position: () => ({ epoch: this.#epoch, sequence: this.#sequence }),
        onNotification: (message) => {
          if (isFirst) this.#epoch += 1;
          isFirst = false;
          this.#deliver(message);
        },
        onNotificationBytes,
        onClosed: (cause) => ended.abort(cause),
      });
      wasOpened = true;
      this.#connection = connection;
      this.#phase = 'preparing';
      await Promise.race([this.#prepare(connection, ended.signal), gone]);
      if (ended.signal.aborted) return { cause: await gone, wasOpened, wasReady };
      this.#phase = 'ready';
      wasReady = true;
      if (this.#live !== undefined) this.#readyListeners.emit(this.#live.session);
      return { cause: await gone, wasOpened, wasReady };
    } catch (error) {
      // From opening, or from a hook: the first has no connection to end.
      const cause = asManagementError(error);
      await this.#connection?.close(cause);
      socket?.destroy();
      return { cause, wasOpened, wasReady };
    } finally {
      this.#connection = undefined;
      this.#live = undefined;
      this.#isHeld = false;
    }
  }

  async #prepare(connection: Connection, signal: AbortSignal): Promise<void> {
    const session = new Session({
      version: await connection.execute(commands.version()),
      epoch: this.#epoch,
      signal,
      isHeld: () => this.#isHeld && !signal.aborted,
      descriptor: () => connection.descriptor,
      execute: async (command, options, key) => this.#executeOn(connection, command, options, key),
    });
    this.#live = { connection, session };
    for (const hook of this.#hooks) {
      if (!signal.aborted) await hook(session);
    }
  }

  async #executeOn<T>(
    connection: Connection,
    command: Command<T>,
    options?: ExecuteOptions,
    key?: ClientKey,
  ): Promise<T> {
    const precondition =
      key === undefined
        ? undefined
        : (): ManagementError | undefined =>
            key.epoch === this.#epoch ? undefined : staleError(command.label, key, this.#epoch);
    const value = await connection.execute(command, options, precondition);
    if (command.line === 'hold release') this.#isHeld = false;
    return value;
  }

  #deliver(message: Notification): void {
    if (message.kind === 'hold') this.#isHeld = true;
    // CIDs start at 0 again inside, while this connection stays open.
    if (message.kind === 'state' && (message.name === 'RECONNECTING' || message.name === 'EXITING')) this.#epoch += 1;
    this.#sequence += 1;
    this.#messageListeners.emit(message, {
      epoch: this.#epoch,
      sequence: this.#sequence,
      receivedAtMs: this.#options.clock.now(),
    });
  }

  async #wait(delayMs: number): Promise<void> {
    const { signal } = this.#closing;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.startTimer(delayMs, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      this.#endPause = onAbort;
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #end(cause: ManagementError | undefined): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#endListeners.emit(cause);
  }

  #closedError(): ManagementError {
    return new ManagementError(
      'MGMT_CLOSED',
      `management client of ${formatEndpoint(this.#options.endpoint)}: closed`,
    );
  }

  #notConnected(what: string): ManagementError {
    return new ManagementError(
      'MGMT_NOT_CONNECTED',
      `command "${what}": not connected to ${formatEndpoint(this.#options.endpoint)} now`,
      {
        context: { command: what, endpoint: formatEndpoint(this.#options.endpoint) },
      },
    );
  }
}
