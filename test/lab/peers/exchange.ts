// Sends a known amount of random bytes to an echo server, verifies what comes back, and prints one JSON line.
import { createHash, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';

import { fail, peerOptions, report } from './options.js';

const options = peerOptions();
const { address, port } = options;
const bytes = options.bytes ?? 1000;
const timeoutMs = options.timeoutMs ?? 5_000;
const startedAt = performance.now();
setTimeout(() => fail(new Error(`no complete answer within ${timeoutMs} ms`)), timeoutMs).unref();

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

if (options.protocol === 'tcp') {
  const sent = randomBytes(bytes);
  const chunks: Buffer[] = [];
  const socket = net.connect({ host: address, port, ...(options.source === undefined ? {} : { localAddress: options.source }) });
  socket.on('error', fail);
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('connect', () => socket.end(sent));
  socket.on('close', () => {
    const received = Buffer.concat(chunks);
    if (received.length !== bytes) fail(new Error(`${received.length} of ${bytes} bytes came back`));
    if (sha256(received) !== sha256(sent)) fail(new Error('the bytes that came back are not those that were sent'));
    report({ bytes, elapsedMs: performance.now() - startedAt });
    process.exit(0);
  });
} else {
  const count = options.count ?? 10;
  const outstanding = new Set<string>();
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', fail);
  socket.on('message', (message) => {
    if (!outstanding.delete(sha256(message))) fail(new Error('a datagram came back that was never sent, or twice'));
    if (outstanding.size > 0) return;
    report({ bytes: bytes * count, elapsedMs: performance.now() - startedAt });
    process.exit(0);
  });
  socket.bind({ address: options.source ?? (address.includes(':') ? '::' : '0.0.0.0') }, () => {
    for (const datagram of Array.from({ length: count }, () => randomBytes(bytes))) {
      outstanding.add(sha256(datagram));
      socket.send(datagram, port, address);
    }
  });
}
