import { ListenError } from 'openvpn-management-client';
import { GwmarkError } from '../errors.js';
import { healthPage, type Readiness } from '../http/health.js';
import { type Answer, HttpListener, plainText, type StreamPage } from '../http/listener.js';
import { type LiveFeed, MAX_VIEWERS } from '../live/live-feed.js';
import type { Logger } from '../log/logger.js';
import type { StatusDocument } from '../status.js';
import { commandSocketOf } from './command-socket.js';
import { type CommandOrders, obey } from './orders.js';

export interface ControlServerOptions {
  /** Absolute path of the unix socket, at most 107 bytes. Its directory is made (0755) where missing. */
  readonly path: string;
  /** The current status; called once per request, must not throw. */
  readonly status: () => StatusDocument;
  /** For `/readyz`. */
  readonly readiness: Readiness;
  /** Updates what the status says about the kernel; awaited before `/status` is answered. */
  readonly refresh?: () => Promise<void>;
  /** For `/live`; borrowed. */
  readonly feed?: LiveFeed;
  /** Does what commands ask for; without it, none is taken. */
  readonly orders?: CommandOrders;
  readonly logger: Logger;
}

/** Only the owner of the process may give orders; group members may read. */
const COMMAND_SOCKET_MODE = 0o600;

/**
 * The control socket: HTTP/1.1 over a unix socket, for the commands of `gwmark` and for `curl --unix-socket`.
 *
 * GET `/status` gives the status document, `/live` the same and then its changes, as `text/event-stream`; `/livez` 200
 * while the process answers, `/readyz` 200 or 503 with the problems, one per line. Orders have a socket of their own beside it ({@link commandSocketOf}), mode 0600: see
 * {@link obey}.
 */
export class ControlServer implements AsyncDisposable {
  readonly path: string;
  readonly #listeners: readonly HttpListener[];

  private constructor(path: string, listeners: readonly HttpListener[]) {
    this.path = path;
    this.#listeners = listeners;
  }

  /**
   * Opens the socket (0660); the caller disposes of it. A socket file that nobody serves is replaced.
   *
   * @throws GwmarkError CONTROL_IN_USE if another sidecar answers there, CONTROL_UNAVAILABLE if no socket can be
   * made
   */
  static async open(options: ControlServerOptions): Promise<ControlServer> {
    const { path, logger } = options;
    try {
      const listener = await HttpListener.open({
        address: { kind: 'unix', path },
        answer: (page) => answerTo(page, options),
        onFault: (url, error) => logger.error('control.failed', { url, error }),
      });
      logger.debug('control.listening', { path });
      return new ControlServer(path, [listener, ...(await openCommands(options))]);
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      if (error.isInUse)
        throw new GwmarkError('CONTROL_IN_USE', `another gwmark already runs on ${path}`, { cause: error });
      throw new GwmarkError('CONTROL_UNAVAILABLE', `cannot create the control socket ${path}: ${error.message}`, {
        cause: error,
      });
    }
  }

  /** Ends requests under way within a second, closes the socket and removes its file. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener[Symbol.asyncDispose]()));
  }
}

/** Without it, everything except orders works, so the sidecar starts anyway. */
async function openCommands({ path, orders, logger }: ControlServerOptions): Promise<readonly HttpListener[]> {
  if (orders === undefined) return [];
  try {
    const listener = await HttpListener.open({
      address: { kind: 'unix', path: commandSocketOf(path) },
      mode: COMMAND_SOCKET_MODE,
      answer: () => plainText(404, 'no such page; expected a POST\n'),
      post: (page, body) => obey(page, body, orders),
      onFault: (url, error) => logger.error('control.failed', { url, error }),
    });
    return [listener];
  } catch (error) {
    logger.error('control.failed', { url: commandSocketOf(path), error });
    return [];
  }
}

async function answerTo(
  page: string,
  { status, refresh, readiness, feed }: ControlServerOptions,
): Promise<Answer | StreamPage> {
  if (page === '/status') {
    await refresh?.();
    return { status: 200, type: 'application/json', body: `${JSON.stringify(status())}\n` };
  }
  if (page === '/live' && feed !== undefined) {
    if (feed.isFull) return plainText(503, `${MAX_VIEWERS} viewers watch already\n`);
    return { type: 'text/event-stream; charset=utf-8', open: (stream) => feed.attach(stream) };
  }
  const health = await healthPage(page, readiness);
  return health ?? plainText(404, 'no such page; expected /status, /live, /livez or /readyz\n');
}
