import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

import { listenAt, type Place } from 'openvpn-management-client';

/** Not imported, as in `control/client.ts`. */
const { createServer } = process.getBuiltinModule('node:http');

/** The answer of a page. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** Further headers, names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a page may want to know besides its path. */
export interface RequestFacts {
  /** Names in lower case. */
  readonly headers: IncomingMessage['headers'];
  readonly query: URLSearchParams;
}

/** An answer that goes on: text, as long as its reader stays. */
export interface TextStream {
  /**
   * Text, or its bytes in UTF-8, which is less work where many readers get the same. False if it is kept in memory,
   * because what was written before is not read yet.
   */
  write(text: string | Uint8Array): boolean;
  /** Calls the listener each time that everything was read. */
  onDrained(listener: () => void): void;
  /** Calls the listener once, when the reader is gone or the stream ended. */
  onClosed(listener: () => void): void;
  end(): void;
}

/** A page whose answer goes on. */
export interface StreamPage {
  readonly type: string;
  /** Further headers, names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Called with each new stream; the listener ends those that are open when it closes. */
  readonly open: (stream: TextStream) => void;
}

export interface HttpListenerOptions {
  /** The directory of a unix socket is made (0755) where missing. */
  readonly address: Place;
  /** Answers a GET for a path without its query. What it throws becomes 500. */
  readonly answer: (path: string, request: RequestFacts) => Answer | StreamPage | Promise<Answer | StreamPage>;
  /** Answers a POST for a path with its body, of 4 KB at most. Default: there is none. What it throws becomes 500. */
  readonly post?: (path: string, body: string) => Answer | Promise<Answer>;
  /** File mode of a unix socket. Default 0660. */
  readonly mode?: number;
  /** Called with what `answer` threw. */
  readonly onFault: (url: string, error: unknown) => void;
}

/**
 * A client that sends nothing is dropped after this time, or a little later: a starving machine may be slow to read
 * what was sent.
 */
const REQUEST_TIMEOUT_MS = 10_000;
const TIMEOUT_CHECK_MS = 5000;
/** How long requests under way may continue once the listener closes. */
const DRAIN_MS = 1000;
const MAX_CONNECTIONS = 192;
const MAX_HEADER_BYTES = 8192;
const MAX_BODY_BYTES = 4096;
const SOCKET_MODE = 0o660;

/**
 * A small HTTP/1.1 server on a unix socket or a TCP port: GET and HEAD, and POST if it is asked for, bounded in
 * time, header and connections.
 */
export class HttpListener implements AsyncDisposable {
  readonly #http: Server;
  readonly #streams: Set<ServerResponse>;
  #closing: Promise<void> | undefined;

  private constructor(http: Server, streams: Set<ServerResponse>) {
    this.#http = http;
    this.#streams = streams;
  }

  /**
   * Opens it; the caller disposes of it. A unix socket gets mode 0660, and the file of one that nobody serves is
   * replaced.
   *
   * @throws ListenError
   */
  static async open(options: HttpListenerOptions): Promise<HttpListener> {
    const http = createServer({
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    });
    http.maxConnections = MAX_CONNECTIONS;
    const streams = new Set<ServerResponse>();
    http.on('request', (request, response) => void respond(request, response, options, streams));
    try {
      await listenAt(http, options.address, options.mode ?? SOCKET_MODE);
    } catch (error) {
      http.close();
      throw error;
    }
    return new HttpListener(http, streams);
  }

  /** Ends requests under way within a second, closes the listener and removes the file of its socket. Idempotent. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= closeServer(this.#http);
    for (const response of this.#streams) response.end();
    return this.#closing;
  }
}

/** A page of plain text. */
export function plainText(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
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

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpListenerOptions,
  streams: Set<ServerResponse>,
): Promise<void> {
  const answer = await answerOrFault(request, options);
  if ('open' in answer) {
    response.writeHead(200, { ...answer.headers, 'content-type': answer.type, 'cache-control': 'no-store' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    streams.add(response);
    response.once('close', () => streams.delete(response));
    answer.open(streamOf(response));
    return;
  }
  response.writeHead(answer.status, {
    ...answer.headers,
    'content-type': answer.type,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    ...(answer.status === 405 ? { allow: options.post === undefined ? 'GET, HEAD' : 'GET, HEAD, POST' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

function streamOf(response: ServerResponse): TextStream {
  // A reader that is gone is told by `close`.
  response.on('error', () => undefined);
  response.flushHeaders();
  return {
    write: (text) => response.write(text),
    onDrained: (listener) => void response.on('drain', listener),
    onClosed: (listener) => void response.once('close', listener),
    end: () => void response.end(),
  };
}

async function answerOrFault(
  request: IncomingMessage,
  { answer, post, onFault }: HttpListenerOptions,
): Promise<Answer | StreamPage> {
  const { method, url = '' } = request;
  const isPost = method === 'POST' && post !== undefined;
  if (method !== 'GET' && method !== 'HEAD' && !isPost)
    return plainText(405, post === undefined ? 'only GET is allowed\n' : 'only GET and POST are allowed\n');
  const [path = '', query = ''] = url.split('?', 2);
  try {
    if (!isPost) return await answer(path, { headers: request.headers, query: new URLSearchParams(query) });
    const body = await bodyOf(request);
    return body === null ? plainText(413, `more than ${MAX_BODY_BYTES} bytes\n`) : await post(path, body);
  } catch (error) {
    // The client sees 500, the operator the log.
    onFault(url, error);
    return plainText(500, 'internal error, see the log of the sidecar\n');
  }
}

/** Null for one that is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return size > MAX_BODY_BYTES ? null : Buffer.concat(chunks).toString('utf8');
}
