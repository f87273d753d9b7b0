import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from './clock.js';
import { formatEndpoint, type Endpoint } from './endpoint.js';
import { abortError, ManagementError } from './errors.js';
import { listenAt } from './server-socket.js';

/** Only its owner may connect, which root always may. */
const DEFAULT_MODE = 0o600;

/** The file of a unix socket at which OpenVPN connects. */
export interface ListenFileOptions {
  /** 0..0o777, default 0600. */
  readonly mode?: number;
  /** Called when the file is there, before anybody is accepted: to give it another owner. */
  readonly onListening?: (path: string) => Promise<void>;
}

export interface OpenVpnListenerOptions extends ListenFileOptions {
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  /** A connection was refused, because one is in use: one OpenVPN a socket. */
  readonly onRefused: () => void;
}

/**
 * Listens where an OpenVPN with `--management-client` connects, and gives out one connection at a time. It listens
 * from the first `accept` until it is disposed of, also while nobody accepts: an OpenVPN that finds nobody ends.
 */
export class OpenVpnListener implements Disposable {
  readonly #options: OpenVpnListenerOptions;
  #server: Server | null = null;
  /** The one in use, or the one that waits to be accepted. */
  #current: Socket | null = null;
  #isAccepted = false;
  #onConnection: () => void = () => undefined;

  constructor(options: OpenVpnListenerOptions) {
    this.#options = options;
  }

  /**
   * The next connection, paused; the caller owns it. At most one call at a time, and after the connection before is
   * closed.
   *
   * @param timeoutMs how long to wait; the listener goes on after that
   * @throws ManagementError MGMT_LISTEN, MGMT_NOBODY, MGMT_ABORTED
   */
  async accept(timeoutMs: number, signal: AbortSignal): Promise<Socket> {
    await this.#listen();
    if (!this.#isWaiting) await this.#next(timeoutMs, signal);
    signal.throwIfAborted();
    const socket = this.#current;
    if (socket === null || this.#isAccepted) throw this.#nobody(timeoutMs);
    this.#isAccepted = true;
    return socket;
  }

  /** Stops listening, and removes the file of its socket. A connection that was accepted is not touched. */
  [Symbol.dispose](): void {
    if (this.#isWaiting) this.#current?.destroy();
    // Its `close` waits for connections that are open, which are their owners' to close.
    this.#server?.close();
    this.#server = null;
  }

  get #isWaiting(): boolean {
    return this.#current !== null && !this.#isAccepted;
  }

  async #listen(): Promise<void> {
    if (this.#server !== null) return;
    const { endpoint, mode = DEFAULT_MODE, onListening } = this.#options;
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#connected(socket));
    try {
      await listenAt(server, endpoint, mode);
      if (endpoint.kind === 'unix') await onListening?.(endpoint.path);
    } catch (error) {
      server.close();
      const reason = error instanceof Error ? error.message : String(error);
      throw new ManagementError('MGMT_LISTEN', `listen at ${this.#name}: ${reason}`, {
        cause: error,
        context: { endpoint: this.#name },
      });
    }
    // Running out of descriptors (EMFILE) refuses one connection, and the next may be served.
    server.on('error', () => undefined);
    this.#server = server;
  }

  #connected(socket: Socket): void {
    if (this.#current !== null) {
      socket.destroy();
      this.#options.onRefused();
      return;
    }
    this.#current = socket;
    this.#isAccepted = false;
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (this.#current === socket) this.#current = null;
    });
    this.#onConnection();
  }

  async #next(timeoutMs: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const finish = (failure?: ManagementError): void => {
        this.#onConnection = () => undefined;
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        if (failure === undefined) resolve();
        else reject(failure);
      };
      const onAbort = (): void => finish(abortError(signal, `wait for OpenVPN at ${this.#name}`));
      const timer = this.#options.clock.startTimer(timeoutMs, () => finish(this.#nobody(timeoutMs)));
      this.#onConnection = () => finish();
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }

  get #name(): string {
    return formatEndpoint(this.#options.endpoint);
  }

  #nobody(timeoutMs: number): ManagementError {
    return new ManagementError(
      'MGMT_NOBODY',
      `listen at ${this.#name}: no OpenVPN has connected within ${timeoutMs} ms`,
      {
        context: { endpoint: this.#name },
      },
    );
  }
}
