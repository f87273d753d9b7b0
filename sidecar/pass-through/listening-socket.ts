import { createServer, type Server, type Socket } from 'node:net';
import { formatEndpoint, listenAt } from 'openvpn-management-client';
import type { PassThroughPlace } from '../config/settings.js';
import type { Logger } from '../log/logger.js';
import { chown } from '../system/chown.js';

/** Only its owner may connect, which root always may. */
const DEFAULT_MODE = 0o600;
/** A machine that is gone without a word is noticed (TCP only), and a program may close one direction. */
const SOCKET_OPTIONS = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 } as const;
/** The pause before a place that is in use is tried again. */
const RETRY_MS = 5000;

/** One entry of `passThrough`, which is open while OpenVPN can be reached. */
export class ListeningSocket {
  readonly place: PassThroughPlace;
  /** As in the settings, without its details. */
  readonly name: string;
  /** How many programs were dropped here. */
  dropped = 0;
  readonly #onConnection: (socket: Socket) => void;
  readonly #logger: Logger;
  #server: Server | null = null;
  #isWanted = false;
  #problem: string | null = null;
  #retry: NodeJS.Timeout | undefined;
  /** Opening and closing, one after the other. */
  #last: Promise<void> = Promise.resolve();

  /** @param onConnection owns the socket that it is given */
  constructor(place: PassThroughPlace, onConnection: (socket: Socket) => void, logger: Logger) {
    this.place = place;
    this.name = formatEndpoint(place);
    this.#onConnection = onConnection;
    this.#logger = logger;
  }

  /** Why nobody can attach there; null if it is open, or not wanted now. */
  get problem(): string | null {
    return this.#problem;
  }

  get isOpen(): boolean {
    return this.#server !== null;
  }

  /** Opens it, and tries again as long as that fails. Resolves after the first attempt. */
  async open(): Promise<void> {
    this.#isWanted = true;
    await this.#inTurn(() => this.#listen());
  }

  /** Closes it, and removes the file of its socket. Connections are their owners' to close. */
  async close(): Promise<void> {
    this.#isWanted = false;
    clearTimeout(this.#retry);
    await this.#inTurn(() => {
      this.#server?.close();
      this.#server = null;
      this.#problem = null;
      return Promise.resolve();
    });
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(work);
    await this.#last;
  }

  async #listen(): Promise<void> {
    if (!this.#isWanted || this.#server !== null) return;
    const { place } = this;
    const server = createServer(SOCKET_OPTIONS, (socket) => this.#onConnection(socket));
    try {
      await listenAt(server, place, place.mode ?? DEFAULT_MODE);
      if (place.kind === 'unix' && place.owner !== undefined) await chown(place.path, place.owner);
    } catch (error) {
      server.close();
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#problem) this.#logger.error('pass_through.listen_failed', { socket: this.name, reason });
      this.#problem = reason;
      this.#retry = setTimeout(() => void this.open(), RETRY_MS).unref();
      return;
    }
    // Running out of descriptors (EMFILE) refuses one connection, and the next may be served.
    server.on('error', () => undefined);
    this.#server = server;
    this.#problem = null;
    this.#logger.debug('pass_through.listening', { socket: this.name });
  }
}
