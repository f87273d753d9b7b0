import { once } from 'node:events';
import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';

import { GwmarkError } from '../errors.js';
import type { Logger } from '../log/logger.js';
import type { StatusDocument } from '../status.js';

export interface ControlServerOptions {
  /** Absolute path of the unix socket, at most 107 bytes. Its directory is made (0755) where missing. */
  readonly path: string;
  /** The status of this moment; called once a request, must not throw. */
  readonly status: () => StatusDocument;
  /** Brings up to date what the status says of the kernel's counters; awaited before `/status` is answered. */
  readonly refresh?: () => Promise<void>;
  readonly logger: Logger;
}

/** A client that sends nothing is dropped after this time. */
const REQUEST_TIMEOUT_MS = 5000;
/** How long requests under way may go on once the server closes. */
const DRAIN_MS = 1000;
const MAX_CONNECTIONS = 64;
const SOCKET_MODE = 0o660;
const DIRECTORY_MODE = 0o755;

interface Answer {
  readonly status: number;
  readonly type: 'application/json' | 'text/plain; charset=utf-8';
  readonly body: string;
}

/**
 * The control socket: HTTP/1.1 over a unix socket, for the commands of `gwmark` and for `curl --unix-socket`.
 *
 * GET `/status` gives the status document, `/livez` 200 while the process answers, `/readyz` 200 or 503 with the
 * problems, one a line.
 */
export class ControlServer implements AsyncDisposable {
  readonly path: string;
  readonly #http: Server;
  #closing: Promise<void> | undefined;

  private constructor(path: string, http: Server) {
    this.path = path;
    this.#http = http;
  }

  /**
   * Opens the socket (0660); the caller disposes of it. A socket file that nobody serves is replaced.
   *
   * @throws GwmarkError CONTROL_IN_USE where another sidecar answers there, CONTROL_UNAVAILABLE where no socket can be made
   */
  static async open(options: ControlServerOptions): Promise<ControlServer> {
    const { path, logger } = options;
    const http = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
    http.maxConnections = MAX_CONNECTIONS;
    http.on('request', (request, response) => void respond(request, response, options));

    try {
      await mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
      await listenOn(http, path);
      await chmod(path, SOCKET_MODE);
    } catch (error) {
      http.close();
      if (error instanceof GwmarkError) throw error;
      throw new GwmarkError('CONTROL_UNAVAILABLE', `cannot make the control socket ${path}: ${reasonOf(error)}`, { cause: error });
    }
    logger.debug('control.listening', { path });
    return new ControlServer(path, http);
  }

  /** Ends requests under way within a second, closes the socket and removes its file. Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= closeServer(this.#http);
    return this.#closing;
  }
}

async function listenOn(http: Server, path: string): Promise<void> {
  try {
    await listenOnce(http, path);
  } catch (error) {
    if (!hasCode(error, 'EADDRINUSE')) throw error;
    await removeStale(path);
    await listenOnce(http, path);
  }
}

async function listenOnce(http: Server, path: string): Promise<void> {
  http.listen(path);
  await once(http, 'listening');
}

/** Removes a socket file that no process serves; anything else in the way is an error. */
async function removeStale(path: string): Promise<void> {
  if (!(await lstat(path)).isSocket()) {
    throw new GwmarkError('CONTROL_UNAVAILABLE', `cannot make the control socket ${path}: a file that is no socket is in the way`);
  }
  if (await isServed(path)) throw new GwmarkError('CONTROL_IN_USE', `another gwmark already runs on ${path}`);
  await rm(path, { force: true });
}

/** A socket whose process is gone refuses (ECONNREFUSED); one that vanished meanwhile is as good as refused. */
async function isServed(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    if (hasCode(error, 'ECONNREFUSED') || hasCode(error, 'ENOENT')) return false;
    // EAGAIN: its queue is full, so there is a process.
    if (hasCode(error, 'EAGAIN')) return true;
    throw error;
  } finally {
    socket.destroy();
  }
}

async function closeServer(http: Server): Promise<void> {
  const closed = once(http, 'close');
  http.close();
  http.closeIdleConnections();
  const deadline = setTimeout(() => http.closeAllConnections(), DRAIN_MS);
  try {
    await closed;
  } finally {
    clearTimeout(deadline);
  }
}

async function respond(request: IncomingMessage, response: ServerResponse, options: ControlServerOptions): Promise<void> {
  const answer = await answerOrFault(request, options);
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    ...(answer.status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function answerOrFault(request: IncomingMessage, options: ControlServerOptions): Promise<Answer> {
  try {
    return await answerTo(request, options);
  } catch (error) {
    // The client sees 500, the operator the log.
    options.logger.error('control.failed', { url: request.url, error });
    return plainText(500, 'internal fault, see the log of the sidecar\n');
  }
}

async function answerTo(request: IncomingMessage, { status, refresh }: ControlServerOptions): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return plainText(405, 'only GET is understood\n');
  switch (request.url?.split('?', 1)[0]) {
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

function plainText(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
