import { request, type IncomingMessage } from 'node:http';

import { GwmarkError } from '../errors.js';
import { EventStream } from '../live/event-stream.js';
import { afterMessage, type Look } from '../live/message.js';
import { faultOfStatus } from '../status.js';
import { explainControl } from './client.js';

/** The sidecar looks every second; a busy one later. */
const DEFAULT_SILENCE_MS = 10_000;

export interface FollowOptions {
  /** Ends the following without an error. */
  readonly signal: AbortSignal;
  /** A sidecar that says nothing for this long is gone, ms. Default 10000. */
  readonly silenceMs?: number;
}

/**
 * Follows the status of a running sidecar: what it is now, and what it is after each look of the sidecar, one a second.
 * Who takes the looks slowly does not slow the sidecar, which leaves out what was not read.
 *
 * @throws GwmarkError CONTROL_UNREACHABLE also when the sidecar ends, CONTROL_DENIED, CONTROL_PROTOCOL
 */
export async function* followStatus(path: string, options: FollowOptions): AsyncGenerator<Look, void> {
  const { signal, silenceMs = DEFAULT_SILENCE_MS } = options;
  if (signal.aborted) return;
  try {
    const response = await open(path, silenceMs, signal);
    const { statusCode = 0 } = response;
    if (statusCode !== 200) throw refused(path, statusCode);
    response.setEncoding('utf8');
    const stream = new EventStream();
    let look: Look | null = null;
    for await (const piece of response as AsyncIterable<string>) {
      for (const message of stream.take(piece)) {
        if (message.kind === 'snapshot') check(path, message.document);
        look = afterMessage(look, message);
        if (look !== null) yield look;
      }
    }
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof GwmarkError ? error : explainFault(path, error, silenceMs);
  }
  if (!signal.aborted) throw new GwmarkError('CONTROL_UNREACHABLE', `the sidecar at ${path} has ended`);
}

function open(path: string, silenceMs: number, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: path, path: '/live', agent: false, signal, timeout: silenceMs });
    let reader: { destroy(error: Error): unknown } = outgoing;
    // As AbortSignal.timeout would say it.
    outgoing.on('timeout', () => reader.destroy(Object.assign(new Error('silent'), { code: 'ABORT_ERR' })));
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      reader = response;
      resolve(response);
    });
    outgoing.end();
  });
}

function check(path: string, document: unknown): void {
  const fault = faultOfStatus(document);
  if (fault !== null) throw notAStatus(path, fault);
}

function refused(path: string, status: number): GwmarkError {
  if (status === 503) return new GwmarkError('CONTROL_UNREACHABLE', `too many viewers watch the sidecar at ${path}`);
  return new GwmarkError(
    'CONTROL_PROTOCOL',
    status === 404
      ? `the sidecar at ${path} is older than this command: restart it`
      : `the sidecar at ${path} answered with HTTP ${status}`,
  );
}

function notAStatus(path: string, fault: string): GwmarkError {
  return new GwmarkError('CONTROL_PROTOCOL', `the answer at ${path} is not a gwmark status: ${fault}`);
}

function explainFault(path: string, error: unknown, silenceMs: number): GwmarkError {
  return error instanceof SyntaxError ? notAStatus(path, error.message) : explainControl(error, path, silenceMs);
}
