import { GwmarkError } from '../errors.js';
import { type Answer, HttpListener, ListenError, plainText } from '../http/listener.js';
import type { Logger } from '../log/logger.js';
import type { StatusDocument } from '../status.js';

export interface ControlServerOptions {
  /** Absolute path of the unix socket, at most 107 bytes. Its directory is made (0755) where missing. */
  readonly path: string;
  /** The status of this moment; called once a request, must not throw. */
  readonly status: () => StatusDocument;
  /** Brings up to date what the status says of the kernel; awaited before `/status` is answered. */
  readonly refresh?: () => Promise<void>;
  readonly logger: Logger;
}

/**
 * The control socket: HTTP/1.1 over a unix socket, for the commands of `gwmark` and for `curl --unix-socket`.
 *
 * GET `/status` gives the status document, `/livez` 200 while the process answers, `/readyz` 200 or 503 with the
 * problems, one a line.
 */
export class ControlServer implements AsyncDisposable {
  readonly path: string;
  readonly #listener: HttpListener;

  private constructor(path: string, listener: HttpListener) {
    this.path = path;
    this.#listener = listener;
  }

  /**
   * Opens the socket (0660); the caller disposes of it. A socket file that nobody serves is replaced.
   *
   * @throws GwmarkError CONTROL_IN_USE where another sidecar answers there, CONTROL_UNAVAILABLE where no socket can be made
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
      return new ControlServer(path, listener);
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      if (error.isInUse) throw new GwmarkError('CONTROL_IN_USE', `another gwmark already runs on ${path}`, { cause: error });
      throw new GwmarkError('CONTROL_UNAVAILABLE', `cannot make the control socket ${path}: ${error.message}`, { cause: error });
    }
  }

  /** Ends requests under way within a second, closes the socket and removes its file. Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#listener[Symbol.asyncDispose]();
  }
}

async function answerTo(page: string, { status, refresh }: ControlServerOptions): Promise<Answer> {
  switch (page) {
    case '/status':
      await refresh?.();
      return { status: 200, type: 'application/json', body: `${JSON.stringify(status())}\n` };
    case '/livez':
      return plainText(200, 'ok\n');
    case '/readyz':
      return readiness(status());
    default:
      return plainText(404, 'no such page; there are /status, /livez and /readyz\n');
  }
}

function readiness(document: StatusDocument): Answer {
  if (document.ready) return plainText(200, 'ready\n');
  const problems = document.problems.length > 0 ? document.problems : ['not ready'];
  return plainText(503, problems.map((problem) => `${problem}\n`).join(''));
}
