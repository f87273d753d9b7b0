import { GwmarkError } from '../errors.js';
import { parseStatus, type StatusDocument } from '../status.js';
import { type KickOrder, type KickReport, parseKickReport, type ReleaseOrder } from './kick-order.js';
import type { ForgetOrder } from './forget-order.js';
import type { MoveOrder } from './move-order.js';
import { codeOfStatus, NO_SUCH_PAGE } from './order-errors.js';
import { commandSocketOf } from './command-socket.js';

/** Not imported: an import reads every export, for one of which Node 22 and later load undici (40 ms at each start). */
const { request } = process.getBuiltinModule('node:http');

/** A status of 10,000 clients has about 3 MB. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** A sidecar answers within milliseconds, unless its machine is short of processor time. */
const DEFAULT_TIMEOUT_MS = 10_000;
/** The sidecar itself waits for the kernel and for OpenVPN, ten seconds in all. */
const KICK_TIMEOUT_MS = 20_000;

export interface FetchOptions {
  /** For the whole exchange. Default 5000. */
  readonly timeoutMs?: number;
}

/**
 * Asks a running sidecar for its status.
 *
 * @throws GwmarkError CONTROL_UNREACHABLE, CONTROL_DENIED, or CONTROL_PROTOCOL if the answer is no status document
 */
export async function fetchStatus(path: string, options: FetchOptions = {}): Promise<StatusDocument> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const { status, body } = await get(path, '/status', timeoutMs).catch((error: unknown) => {
    throw explainControl(error, path, timeoutMs);
  });
  if (status !== 200) throw new GwmarkError('CONTROL_PROTOCOL', `the sidecar at ${path} answered with HTTP ${status}`);

  const read = parseStatus(body);
  if (read.ok) return read.status;
  throw new GwmarkError('CONTROL_PROTOCOL', `the answer at ${path} is not a gwmark status: ${read.fault}`);
}

/**
 * Tells a running sidecar where a gateway's replies go, over the socket beside its control socket.
 *
 * @throws GwmarkError CONTROL_UNREACHABLE, CONTROL_DENIED, GATEWAY_UNKNOWN, CONTROL_PROTOCOL
 */
export async function orderMove(path: string, order: MoveOrder, options: FetchOptions = {}): Promise<void> {
  await sendOrder(path, '/move', order, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
}

/**
 * Tells a running sidecar to end clients.
 *
 * @throws GwmarkError CONTROL_UNREACHABLE, CONTROL_DENIED, CLIENT_UNKNOWN, CLIENT_AMBIGUOUS, HOLD_IMPOSSIBLE,
 * CONTROL_PROTOCOL
 */
export async function orderKick(path: string, order: KickOrder, options: FetchOptions = {}): Promise<KickReport> {
  const body = await sendOrder(path, '/kick', order, options.timeoutMs ?? KICK_TIMEOUT_MS);
  const report = parseKickReport(parseJson(body));
  if (report === null) throw new GwmarkError('CONTROL_PROTOCOL', `the answer at ${path} is no report of a kick`);
  return report;
}

/**
 * Tells a running sidecar to forget a gateway; resolves when it has.
 *
 * @throws GwmarkError CONTROL_UNREACHABLE, CONTROL_DENIED, GATEWAY_UNKNOWN, CONTROL_PROTOCOL
 */
export async function orderForget(path: string, order: ForgetOrder, options: FetchOptions = {}): Promise<void> {
  await sendOrder(path, '/forget', order, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
}

/**
 * Tells a running sidecar to let a client in again that it keeps out.
 *
 * @throws GwmarkError CONTROL_UNREACHABLE, CONTROL_DENIED, CLIENT_UNKNOWN, CONTROL_PROTOCOL
 */
export async function orderRelease(path: string, order: ReleaseOrder, options: FetchOptions = {}): Promise<void> {
  await sendOrder(path, '/release', order, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
}

/** @returns the body of the answer */
async function sendOrder(path: string, page: string, order: object, timeoutMs: number): Promise<string> {
  const socket = commandSocketOf(path);
  const { status, body } = await get(socket, page, timeoutMs, JSON.stringify(order)).catch((error: unknown) => {
    throw explainControl(error, socket, timeoutMs);
  });
  if (status === 200) return body;
  const code = body.startsWith(NO_SUCH_PAGE) ? null : codeOfStatus(page, status);
  if (code !== null) throw new GwmarkError(code, body.trim());
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

/**
 * Why a control socket gave no answer. Sorts by the codes of connect(2), of Node's HTTP parser (HPE_*) and of
 * AbortSignal.timeout.
 */
export function explainControl(error: unknown, path: string, timeoutMs: number): GwmarkError {
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
