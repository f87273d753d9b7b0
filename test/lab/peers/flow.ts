// Keeps one flow to an echo server alive: numbered records at a steady pace until told to stop by a line on standard
// input. "report" prints a JSON line at once; "stop" sends no more, waits for what is outstanding (bounded), prints
// the line and ends.
import dgram from 'node:dgram';
import net from 'node:net';
import readline from 'node:readline';

import { fail, peerOptions, report } from './options.js';

const RECORD_BYTES = 64;

const options = peerOptions();
const { address, port } = options;
const intervalMs = options.intervalMs ?? 10;
let sent = 0;
let received = 0;
let expected = 0;
let disordered = 0;
let maxGapMs = 0;
let lastArrival = performance.now();
let whenDrained: (() => void) | undefined;

function record(number: number): Buffer {
  const buffer = Buffer.alloc(RECORD_BYTES);
  buffer.writeUInt32BE(number);
  return buffer;
}

function arrived(buffer: Buffer): void {
  const number = buffer.readUInt32BE(0);
  const now = performance.now();
  if (received > 0) maxGapMs = Math.max(maxGapMs, now - lastArrival);
  lastArrival = now;
  received += 1;
  if (number < expected) disordered += 1;
  expected = Math.max(expected, number + 1);
  if (received === 1) report('flowing');
  if (received === sent) whenDrained?.();
}

function summary(): object {
  return { sent, received, lost: sent - received, disordered, maxGapMs: Math.round(maxGapMs * 10) / 10 };
}

function run(send: (data: Buffer) => void): void {
  const timer = setInterval(() => {
    send(record(sent));
    sent += 1;
  }, intervalMs);
  readline.createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'report') report(summary());
    if (line !== 'stop') return;
    clearInterval(timer);
    const finish = (): void => {
      report(summary());
      process.exit(0);
    };
    if (received === sent) finish();
    whenDrained = finish;
    setTimeout(finish, options.timeoutMs ?? 3_000);
  });
}

if (options.protocol === 'tcp') {
  const socket = net.connect({
    host: address,
    port,
    ...(options.source === undefined ? {} : { localAddress: options.source }),
  });
  let rest: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the connection ended')));
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (; rest.length >= RECORD_BYTES; rest = rest.subarray(RECORD_BYTES)) arrived(rest);
  });
  socket.on('connect', () => run((data) => socket.write(data)));
} else {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', fail);
  socket.on('message', arrived);
  socket.bind({ address: options.source ?? (address.includes(':') ? '::' : '0.0.0.0') }, () => {
    // A refused send (no route for a moment) is a lost record, which the summary shows.
    run((data) => socket.send(data, port, address, () => undefined));
  });
}
