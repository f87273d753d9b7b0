import { connect, type Socket } from 'node:net';
import { systemClock, type Clock, type Timer } from './clock.js';
import { CommandQueue, type ExecuteOptions, type Precondition } from './command-queue.js';
import type { Command } from './command.js';
import { Decoder, type DecoderOptions } from './decoder.js';
import { formatEndpoint, type Endpoint } from './endpoint.js';
import { abortError, isManagementError, ManagementError, type ManagementErrorCode } from './errors.js';
import { LineRuns, linesOf } from './line-runs.js';
import { isNotification, type Message, type Notification } from './messages.js';
import type { StreamPosition } from './reply.js';
import type { Secret } from './secret.js';
import { deliverUnread, descriptorOf } from './unread.js';

export interface ConnectionOptions {
  readonly endpoint: Endpoint;
  /** A connection that OpenVPN made, paused, which this one owns from now on. Default: connect to `endpoint`. */
  readonly socket?: Socket | undefined;
  readonly password?: Secret | undefined;
  /** Time from the first packet to the banner, ms. */
  readonly connectTimeoutMs: number;
  /** Time for the reply of a command, ms. */
  readonly commandTimeoutMs: number;
  readonly maxReplyLines: number;
  readonly decoder?: DecoderOptions;
  readonly clock?: Clock;
  /** What to stamp on replies: see {@link StreamPosition}. */
  readonly position?: () => StreamPosition;
  /** Called for each notification in wire order, the banner first. It must not throw. */
  readonly onNotification: (notification: Notification) => void;
  /**
   * Called with the bytes of notifications, whole lines, in wire order, those after the banner; with the lines of a
   * relayed command in their place between them. The memory may be kept. It must not throw.
   */
  readonly onNotificationBytes?: ((bytes: Buffer) => void) | undefined;
  /** Called once, after a successful open only, when the connection is gone. It must not throw. */
  readonly onClosed: (cause: ManagementError) => void;
  /** Cancels opening; afterwards, close the connection instead. */
  readonly signal?: AbortSignal | undefined;
}

/** silent: connected, no byte yet; greeting: bytes, but no banner yet. */
type Phase = 'connecting' | 'silent' | 'greeting' | 'authenticating' | 'ready' | 'closed';

/** The time for a closing socket to flush before it is destroyed. */
const CLOSE_TIMEOUT_MS = 1000;
/**
 * As much as libuv reads at once (uv__alloc_cb's suggestion, src/unix/stream.c): then more is waiting, and it reads up
 * to 32 times before anything else of the process has its turn.
 */
const FULL_READ_BYTES = 64 * 1024;
/** More than any line that the decoder takes. */
const MAX_PENDING_BYTES = 1 << 21;

/**
 * One connection to a management interface: socket, password, decoder and command queue.
 *
 * The socket is never paused for longer than a turn of the event loop: a daemon whose output nobody reads keeps it in
 * memory without bound, and cannot restart (`state on`, SIGUSR1) until it is read. Whoever cannot keep up must drop
 * messages above this layer.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #endpointText: string;
  readonly #socket: Socket;
  readonly #decoder: Decoder;
  readonly #runs = new LineRuns();
  readonly #queue: CommandQueue;
  readonly #gone: Promise<void>;
  #phase: Phase = 'connecting';
  #managementVersion = 0;
  #onOpened: (outcome: ManagementError | undefined) => void = () => undefined;
  /** Why the connection ends, where that is known before the socket closes. */
  #cause: ManagementError | undefined;

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#endpointText = formatEndpoint(options.endpoint);
    this.#decoder = new Decoder(options.decoder);
    this.#socket = options.socket ?? connectTo(options.endpoint);
    if (options.socket !== undefined) this.#phase = 'silent';
    this.#queue = new CommandQueue({
      write: (bytes) => {
        this.#socket.write(bytes);
      },
      timeoutMs: options.commandTimeoutMs,
      maxReplyLines: options.maxReplyLines,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.position === undefined ? {} : { position: options.position }),
      onStuck: (error) => this.#destroy(error),
    });
    this.#gone = new Promise((resolve) => {
      this.#socket.once('close', () => {
        this.#socketClosed();
        resolve();
      });
    });
    this.#socket.once('connect', () => {
      if (this.#phase === 'connecting') this.#phase = 'silent';
    });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
      if (chunk.length >= FULL_READ_BYTES) this.#giveWay();
    });
    deliverUnread(this.#socket, (chunk) => this.#receive(chunk));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#cause ??= this.#socketError(error);
    });
    this.#socket.resume();
  }

  /**
   * Connects, logs in and waits for the banner. Notifications of the same moment (HOLD) may come before this resolves.
   *
   * @throws ManagementError MGMT_NOT_FOUND, MGMT_REFUSED, MGMT_REJECTED, MGMT_BUSY, MGMT_AUTH, MGMT_PASSWORD_REQUIRED,
   * MGMT_CONNECT,
   *   MGMT_PROTOCOL, MGMT_OVERFLOW, MGMT_TIMEOUT, MGMT_ABORTED
   */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const { signal } = options;
    const action = `connect to ${formatEndpoint(options.endpoint)}`;
    if (signal?.aborted === true) throw abortError(signal, action);
    const connection = new Connection(options);
    const onAbort = (): void => {
      if (signal !== undefined) connection.#destroy(abortError(signal, action));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const timer = (options.clock ?? systemClock).startTimer(options.connectTimeoutMs, () =>
      connection.#destroy(connection.#openTimeout()),
    );
    try {
      const failure = await new Promise<ManagementError | undefined>((resolve) => {
        connection.#onOpened = resolve;
      });
      if (failure !== undefined) throw failure;
      return connection;
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /**
   * The file descriptor of the socket, for getsockopt(2) (SO_PEERCRED); undefined once it is closed, and where Node
   * keeps none. Borrowed: not to be read, written or closed.
   */
  get descriptor(): number | undefined {
    return descriptorOf(this.#socket);
  }

  /** The number in the banner. */
  get managementVersion(): number {
    return this.#managementVersion;
  }

  /** Runs one command; see {@link CommandQueue.execute}. */
  async execute<T>(command: Command<T>, options?: ExecuteOptions, precondition?: Precondition): Promise<T> {
    return this.#queue.execute(command, options, precondition);
  }

  /**
   * Ends the connection; commands in it reject with `cause`. Resolves when the socket is gone, within about a second.
   */
  async close(cause: ManagementError): Promise<void> {
    if (this.#phase !== 'closed' && this.#cause === undefined) {
      this.#cause = cause;
      this.#queue.fail(cause);
      this.#socket.end();
      const timer: Timer = (this.#options.clock ?? systemClock).startTimer(CLOSE_TIMEOUT_MS, () =>
        this.#socket.destroy(),
      );
      await this.#gone;
      timer.cancel();
    }
    await this.#gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(new ManagementError('MGMT_CLOSED', `connection to ${this.#endpointText}: closed`));
  }

  /** In a flood, timers and other sockets have their turn after each read. */
  #giveWay(): void {
    this.#socket.pause();
    setImmediate(() => this.#socket.resume());
  }

  #receive(chunk: Buffer): void {
    // After close(), the rest is read and dropped, so that the daemon can flush.
    if (this.#cause !== undefined) return;
    if (this.#phase === 'silent') this.#phase = 'greeting';
    try {
      if (this.#options.onNotificationBytes === undefined) this.#decode(chunk);
      else this.#decodeRuns(chunk, this.#options.onNotificationBytes);
    } catch (error) {
      if (!isManagementError(error)) throw error;
      this.#destroy(error);
      return;
    }
    if (this.#decoder.failure !== undefined) this.#destroy(this.#decoder.failure);
  }

  /** @param lines those of the chunk, if it has nothing but lines of replies */
  #decode(chunk: Buffer, lines: readonly Buffer[] = []): void {
    let index = 0;
    for (const message of this.#decoder.push(chunk)) {
      this.#dispatch(message, lines[index]);
      index += 1;
      if (this.#cause !== undefined) return;
    }
  }

  #decodeRuns(chunk: Buffer, onNotificationBytes: (bytes: Buffer) => void): void {
    let from = 0;
    // Line by line up to the banner: what comes after it counts, and may be in the same chunk.
    while (this.#phase !== 'ready' && from < chunk.length && this.#cause === undefined) {
      const lineEnd = chunk.indexOf('\n', from);
      const next = lineEnd === -1 ? chunk.length : lineEnd + 1;
      this.#decode(chunk.subarray(from, next));
      from = next;
    }
    if (from === chunk.length) return;
    for (const { isReply, bytes } of this.#runs.push(chunk.subarray(from))) {
      if (this.#cause !== undefined) return;
      this.#decode(bytes, isReply ? linesOf(bytes) : []);
      if (!isReply) onNotificationBytes(bytes);
    }
    // Too long for the decoder: it says so.
    if (this.#runs.pending.length > MAX_PENDING_BYTES) this.#decode(this.#runs.pending);
  }

  #dispatch(message: Message, bytes?: Buffer): void {
    if (message.kind === 'password-prompt') {
      this.#answerPrompt();
    } else if (isNotification(message)) {
      if (this.#phase !== 'ready' && message.kind === 'info' && message.managementVersion !== undefined) {
        this.#phase = 'ready';
        this.#managementVersion = message.managementVersion;
        this.#onOpened(undefined);
      }
      this.#queue.notice(message);
      this.#options.onNotification(message);
    } else if (this.#phase === 'ready') {
      this.#queue.push(message, bytes);
    } else if (this.#phase !== 'authenticating' || message.kind !== 'success') {
      this.#destroy(
        this.#error('MGMT_PROTOCOL', "the first line is not the banner of OpenVPN's management interface"),
      );
    }
  }

  #answerPrompt(): void {
    const { password } = this.#options;
    if (this.#phase === 'authenticating') {
      // A refusal has no text of its own: the daemon just asks again (manage.c man_check_password, v2.6).
      this.#destroy(this.#error('MGMT_AUTH', 'the daemon refused the management password'));
    } else if (password === undefined) {
      this.#destroy(
        this.#error('MGMT_PASSWORD_REQUIRED', 'the daemon asks for a management password, and none is configured'),
      );
    } else if (/[\0\r\n]/.test(password.reveal())) {
      this.#destroy(this.#error('MGMT_ARGUMENT', 'the management password holds a line end or NUL'));
    } else {
      this.#phase = 'authenticating';
      this.#socket.write(`${password.reveal()}\n`);
    }
  }

  #openTimeout(): ManagementError {
    const within = `within ${this.#options.connectTimeoutMs} ms`;
    if (this.#phase === 'connecting') return this.#error('MGMT_TIMEOUT', `no connection ${within}`);
    if (this.#phase === 'silent')
      return this.#error(
        'MGMT_BUSY',
        `connected, but not a byte ${within}: another program holds the only management slot`,
      );
    if (this.#phase === 'greeting')
      return this.#error('MGMT_PROTOCOL', `no banner of OpenVPN's management interface ${within}`);
    return this.#error('MGMT_TIMEOUT', `no banner ${within} after the password`);
  }

  #socketClosed(): void {
    const previous = this.#phase;
    this.#phase = 'closed';
    const cause = this.#cause ?? this.#endOfStream(previous);
    this.#cause = cause;
    this.#queue.fail(cause);
    if (previous === 'ready') this.#options.onClosed(cause);
    else this.#onOpened(cause);
  }

  #endOfStream(phase: Phase): ManagementError {
    if (phase === 'authenticating') return this.#error('MGMT_AUTH', 'the daemon hung up on the management password');
    if (phase === 'silent')
      return this.#error(
        'MGMT_REJECTED',
        'accepted and hung up without a byte: see --management-client-user and --management-client-group',
      );
    return this.#error(
      'MGMT_LOST',
      this.#decoder.isMidMessage || this.#runs.pending.length > 0
        ? 'the daemon hung up in the middle of a message, which is dropped'
        : 'the daemon hung up',
    );
  }

  #socketError(error: NodeJS.ErrnoException): ManagementError {
    if (error.code === 'EPIPE') return this.#endOfStream(this.#phase);
    if (this.#phase !== 'connecting') return this.#error('MGMT_LOST', error.message, error);
    switch (error.code) {
      case 'ENOENT':
        return this.#error('MGMT_NOT_FOUND', 'there is no such socket', error);
      case 'ECONNREFUSED':
        return this.#error('MGMT_REFUSED', 'nothing listens there', error);
      case 'EAGAIN':
        // A unix listener with a full backlog of one: one program has the slot, and another waits for it.
        return this.#error(
          'MGMT_BUSY',
          'another program holds the only management slot, and others wait for it',
          error,
        );
      default:
        return this.#error('MGMT_CONNECT', error.message, error);
    }
  }

  #error(code: ManagementErrorCode, message: string, cause?: Error): ManagementError {
    const action = this.#phase === 'ready' || this.#phase === 'closed' ? 'connection to' : 'connect to';
    return new ManagementError(code, `${action} ${this.#endpointText}: ${message}`, {
      ...(cause === undefined ? {} : { cause }),
      context: { endpoint: this.#endpointText },
    });
  }

  #destroy(cause: ManagementError): void {
    this.#cause ??= cause;
    this.#socket.destroy();
  }
}

function connectTo(endpoint: Endpoint): Socket {
  return endpoint.kind === 'unix'
    ? connect({ path: endpoint.path })
    : connect({ host: endpoint.host, port: endpoint.port, noDelay: true });
}
