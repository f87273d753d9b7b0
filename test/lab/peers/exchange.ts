import { createHash, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';

import type { PeerOptions } from './options.js';

/** What came back, and how soon. */
export interface Exchanged {
  readonly bytes: number;
  readonly elapsedMs: number;
}

/**
 * Sends random bytes to an echo server and verifies what comes back.
 *
 * @throws Error in one sentence when not everything came back, as it was, within `timeoutMs`
 */
export async function exchange(options: PeerOptions): Promise<Exchanged> {
  const startedAt = performance.now();
  const bytes = await (options.protocol === 'tcp' ? exchangeStream(options) : exchangeDatagrams(options));
  return { bytes, elapsedMs: performance.now() - startedAt };
}

const DEFAULTS = { bytes: 1000, count: 10, timeoutMs: 5_000 } as const;

async function exchangeStream(options: PeerOptions): Promise<number> {
  const { address, port, source, bytes, timeoutMs } = { ...DEFAULTS, ...options };
  const sent = randomBytes(bytes);
  const chunks: Buffer[] = [];
  const socket = net.connect({ host: address, port, ...(source === undefined ? {} : { localAddress: source }) });
  await settled(
    timeoutMs,
    () => socket.destroy(),
    (resolve, reject) => {
      socket.on('error', reject);
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('connect', () => socket.end(sent));
      socket.on('close', resolve);
    },
  );
  const received = Buffer.concat(chunks);
  if (received.length !== bytes) throw new Error(`${received.length} of ${bytes} bytes came back`);
  if (sha256(received) !== sha256(sent)) throw new Error('the bytes that came back are not those that were sent');
  return bytes;
}

async function exchangeDatagrams(options: PeerOptions): Promise<number> {
  const { address, port, source, bytes, count, timeoutMs } = { ...DEFAULTS, ...options };
  const outstanding = new Set<string>();
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  await settled(
    timeoutMs,
    () => socket.close(),
    (resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', (message) => {
        if (!outstanding.delete(sha256(message)))
          reject(new Error('a datagram came back that was never sent, or twice'));
        if (outstanding.size === 0) resolve();
      });
      socket.bind({ address: source ?? (address.includes(':') ? '::' : '0.0.0.0') }, () => {
        for (const datagram of Array.from({ length: count }, () => randomBytes(bytes))) {
          outstanding.add(sha256(datagram));
          socket.send(datagram, port, address, (error) => {
            if (error !== null) reject(error);
          });
        }
      });
    },
  );
  return bytes * count;
}

/** Runs `start`, and `end` whatever becomes of it. */
async function settled(
  timeoutMs: number,
  end: () => void,
  start: (resolve: () => void, reject: (error: Error) => void) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no complete answer within ${timeoutMs} ms`)), timeoutMs);
      start(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
    end();
  }
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
