import { request } from 'node:http';

import { z } from 'zod';

import { GwmarkError } from '../errors.js';
import type { StatusDocument } from '../status.js';
import type { MoveOrder } from './move-order.js';
import { commandSocketOf } from './server.js';

/** A status of 10,000 clients has about 3 MB. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 5000;

const COUNT = z.looseObject({ packets: z.number(), bytes: z.number() });
const COUNTERS = z.record(z.string(), z.number());

/** What a reader relies on; fields that are added later pass through. */
const STATUS: z.ZodType<StatusDocument> = z.looseObject({
  version: z.string(),
  datapath: z.enum(['nexthop', 'module']),
  firewall: z.enum(['nftables', 'iptables-nft', 'iptables-legacy']),
  ready: z.boolean(),
  problems: z.array(z.string()),
  servers: z.array(
    z.looseObject({
      management: z.string(),
      state: z.enum(['connecting', 'waiting', 'ready']),
      device: z.string().nullable(),
      transport: z.array(z.looseObject({ protocol: z.enum(['udp', 'tcp']), address: z.string(), port: z.int() })),
      reconnects: z.int(),
      resyncs: z.int(),
    }),
  ),
  clients: z.array(
    z.looseObject({
      cid: z.string(),
      epoch: z.int(),
      commonName: z.string(),
      realAddress: z.string().nullable(),
      addresses: z.array(z.string()),
      since: z.string(),
    }),
  ),
  gateways: z.array(
    z.looseObject({
      id: z.int(),
      device: z.string(),
      mac: z.string(),
      addresses: z.array(z.string()),
      state: z.enum(['active', 'known', 'moved', 'down']),
      received: COUNT.nullable(),
      sent: COUNT.nullable(),
      learnedFlows: z.number().nullable(),
      moves: z.int(),
      idleMs: z.number().nullable(),
    }),
  ),
  uplink: z.int().nullable(),
  startedAt: z.string(),
  repairs: z.looseObject({ firewall: z.int(), routing: z.int() }),
  fallThrough: COUNTERS,
  moduleCounters: COUNTERS.nullable(),
  elements: z.int(),
  markMask: z.int(),
  networkNamespace: z.string().nullable(),
});

export interface FetchOptions {
  /** For the whole exchange. Default 5000. */
  readonly timeoutMs?: number;
}

/**
 * Asks a running sidecar for its status.
 *
 * @throws GwmarkError CONTROL_UNREACHABLE, CONTROL_DENIED, or CONTROL_PROTOCOL where the answer is no status document
 */
export async function fetchStatus(path: string, options: FetchOptions = {}): Promise<StatusDocument> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const { status, body } = await get(path, '/status', timeoutMs).catch((error: unknown) => {
    throw explain(error, path, timeoutMs);
  });
  if (status !== 200) throw new GwmarkError('CONTROL_PROTOCOL', `the sidecar at ${path} answered with HTTP ${status}`);

  const parsed = STATUS.safeParse(parseJson(body, path));
  if (parsed.success) return parsed.data;
  const fault = parsed.error.issues[0];
  throw new GwmarkError(
    'CONTROL_PROTOCOL',
    `the answer at ${path} is no status of gwmark: ${fault?.path.join('.')}: ${fault?.message}`,
  );
}

/**
 * Gives a running sidecar an order over the socket beside its control socket.
 *
 * @throws GwmarkError CONTROL_UNREACHABLE, CONTROL_DENIED, GATEWAY_UNKNOWN, CONTROL_PROTOCOL
 */
export async function orderMove(path: string, order: MoveOrder, options: FetchOptions = {}): Promise<void> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const { status, body } = await get(commandSocketOf(path), '/move', timeoutMs, JSON.stringify(order)).catch(
    (error: unknown) => {
      throw explain(error, commandSocketOf(path), timeoutMs);
    },
  );
  if (status === 404) throw new GwmarkError('GATEWAY_UNKNOWN', `${body.trim()}: see "gwmark gateways"`);
  if (status !== 200)
    throw new GwmarkError('CONTROL_PROTOCOL', `the sidecar at ${path} answered with HTTP ${status}: ${body.trim()}`);
}

/** @param body of a POST; none: a GET */
function get(
  path: string,
  url: string,
  timeoutMs: number,
  body?: string,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: path,
      path: url,
      method: body === undefined ? 'GET' : 'POST',
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BODY_BYTES) response.destroy(new Error(`an answer of more than ${MAX_BODY_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    outgoing.end(body);
  });
}

function parseJson(body: string, path: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch (error) {
    throw new GwmarkError('CONTROL_PROTOCOL', `the answer at ${path} is no status of gwmark: it is not JSON`, {
      cause: error,
    });
  }
}

/** Sorts by the codes of connect(2), of Node's HTTP parser (HPE_*) and of AbortSignal.timeout. */
function explain(error: unknown, path: string, timeoutMs: number): GwmarkError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTDIR':
      return new GwmarkError('CONTROL_UNREACHABLE', `cannot reach the sidecar at ${path}: is "gwmark run" running?`, {
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new GwmarkError(
        'CONTROL_DENIED',
        `cannot open ${path}: permission denied; run as root${path.endsWith(commandSocketOf('')) ? '' : ' or as a member of its group'}`,
        {
          cause: error,
        },
      );
    case 'ABORT_ERR':
      return new GwmarkError('CONTROL_UNREACHABLE', `the sidecar at ${path} did not answer within ${timeoutMs} ms`, {
        cause: error,
      });
    default: {
      const reason = error instanceof Error ? error.message : String(error);
      const kind = code.startsWith('HPE_') ? 'CONTROL_PROTOCOL' : 'CONTROL_UNREACHABLE';
      return new GwmarkError(kind, `cannot talk to the sidecar at ${path}: ${reason}`, { cause: error });
    }
  }
}
