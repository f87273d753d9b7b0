import { once } from 'node:events';

import { formatEndpoint, ListenError, type Place } from 'openvpn-management-client';

import { parseNetwork } from '../../rules/index.js';
import { fetchStatus } from '../control/client.js';
import type { Finding } from '../doctor/finding.js';
import { GwmarkError } from '../errors.js';
import type { FlowSource } from '../flows/flow.js';
import { type Answer, HttpListener, plainText, type RequestFacts, type StreamPage } from '../http/listener.js';
import type { Trace, TraceQuery } from '../trace/trace.js';
import { type AccessRules, refuseHost, refuseToken } from './access.js';
import { connectedOf } from '../live/connected.js';
import { readFlowPage } from './flow-page.js';
import { relayLive } from './live-relay.js';
import { pageFile, secured } from './page-files.js';

export interface WebServerOptions {
  readonly address: Place;
  readonly access: AccessRules;
  readonly controlSocket: string;
  /** What the page asks of the kernel; each at most once at a time, for all viewers. */
  readonly openFlows: () => Promise<FlowSource>;
  readonly diagnose: () => Promise<readonly Finding[]>;
  readonly trace: (query: TraceQuery) => Promise<Trace>;
  readonly onFault: (url: string, error: unknown) => void;
}

/**
 * Serves the page and what it shows, until the signal is aborted. It only reads: there is no page that changes anything.
 * Files of the page are for everybody, data for who has the token.
 *
 * @param onListening called once browsers can open it
 * @throws GwmarkError WEB_UNAVAILABLE
 */
export async function serveWeb(
  options: WebServerOptions,
  onListening: () => void,
  signal: AbortSignal,
): Promise<void> {
  const server = await open(options);
  try {
    onListening();
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await server[Symbol.asyncDispose]();
  }
}

async function open(options: WebServerOptions): Promise<HttpListener> {
  const { access, address } = options;
  const shared = new SharedWork();
  try {
    return await HttpListener.open({
      address,
      onFault: options.onFault,
      answer: async (path, request) => {
        const refusal = refuseHost(request.headers.host, access);
        if (refusal !== null) return secured(plainText(refusal.status, refusal.text));
        const file = await pageFile(path);
        if (file !== null) return secured(file);
        const denial = refuseToken(request.headers, access);
        if (denial !== null) return secured(plainText(denial.status, denial.text));
        return secured(await dataOf(path, request, options, shared));
      },
    });
  } catch (error) {
    if (!(error instanceof ListenError)) throw error;
    const place = formatEndpoint(address);
    throw new GwmarkError('WEB_UNAVAILABLE', `cannot listen on ${place}: ${error.message}`, { cause: error });
  }
}

async function dataOf(
  path: string,
  { query }: RequestFacts,
  { controlSocket, openFlows, diagnose, trace }: WebServerOptions,
  shared: SharedWork,
): Promise<Answer | StreamPage> {
  switch (path) {
    case '/live':
      return await relayLive(controlSocket);
    case '/flows':
      return await json(() =>
        shared.join('flows', async () => {
          const status = await fetchStatus(controlSocket);
          return await readFlowPage(await openFlows(), connectedOf(status));
        }),
      );
    case '/doctor':
      return await json(() => shared.join('doctor', diagnose));
    case '/trace': {
      const wanted = parseQuery(query);
      if (wanted === null) return plainText(400, 'expected source, destination, and optionally protocol and ports\n');
      return await json(() => shared.join(`trace ${query.toString()}`, () => trace(wanted)));
    }
    default:
      return plainText(404, 'no such page\n');
  }
}

/** An error that has a message for users becomes an answer with it. */
async function json(work: () => Promise<unknown>): Promise<Answer> {
  try {
    return { status: 200, type: 'application/json', body: `${JSON.stringify(await work())}\n` };
  } catch (error) {
    if (error instanceof GwmarkError) return plainText(503, `${error.message}\n`);
    throw error;
  }
}

/** Who asks for work that is under way gets its result: a hundred viewers cost as much as one. */
class SharedWork {
  readonly #running = new Map<string, Promise<unknown>>();

  join(name: string, work: () => Promise<unknown>): Promise<unknown> {
    const running = this.#running.get(name);
    if (running !== undefined) return running;
    if (this.#running.size >= 8)
      return Promise.reject(new GwmarkError('CONTROL_UNREACHABLE', 'too much is asked at a time: try again'));
    const begun = work().finally(() => this.#running.delete(name));
    this.#running.set(name, begun);
    return begun;
  }
}

function parseQuery(query: URLSearchParams): TraceQuery | null {
  const [source, destination] = ['source', 'destination'].map((name) => parseNetwork(query.get(name) ?? ''));
  const protocol = query.get('protocol');
  const ports = ['sourcePort', 'destinationPort']
    .map((name) => query.get(name))
    .map((text) => (text === null ? null : Number(text)));
  if (source == null || destination == null || source.family !== destination.family) return null;
  if (protocol !== null && protocol !== 'udp' && protocol !== 'tcp' && protocol !== 'icmp') return null;
  if (ports.some((port) => port !== null && !(Number.isInteger(port) && port >= 1 && port <= 65535))) return null;
  const [sourcePort = null, destinationPort = null] = protocol === 'icmp' ? [] : ports;
  return { source: source.address, destination: destination.address, protocol, sourcePort, destinationPort };
}
