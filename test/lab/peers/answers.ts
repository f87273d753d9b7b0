import { createSocket, type Socket } from 'node:dgram';

/**
 * One end of flows that only answer. `ask ADDRESS PORT OWN FLOWS`: sends one datagram from each of FLOWS ports, until an
 * answer came to it, then counts what comes. `answer ADDRESS PORT MS`: sends an answer every MS milliseconds to those
 * who asked, one after the other, twenty at once to many; for ten minutes at most. Prints `ready`, `count N` for every
 * tenth answer, and `all` once every flow has one.
 */
const [role = '', address = '', port = '', ...more] = process.argv.slice(2);
const type = address.includes(':') ? 'udp6' : 'udp4';
const LONGEST_MS = 600_000;
/** A question may be lost while queues are full. */
const ASK_AGAIN_MS = 2000;
/** So many questions at once, and the pause between them. */
const QUESTIONS = 100;
const PAUSE_MS = 10;

if (role === 'answer') answer(Number(more[0]));
else await ask(more[0] ?? '', Number(more[1]));

function answer(intervalMs: number): void {
  const socket = createSocket(type);
  const askers: { readonly address: string; readonly port: number }[] = [];
  const known = new Set<number>();
  let next = 0;
  socket.on('message', (_, from) => {
    if (known.has(from.port)) return;
    known.add(from.port);
    askers.push(from);
    if (askers.length > 1) return;
    const timer = setInterval(() => {
      for (let count = Math.min(askers.length, 20); count > 0; count -= 1) {
        const asker = askers[next % askers.length];
        next += 1;
        if (asker !== undefined) socket.send('answer', asker.port, asker.address, () => undefined);
      }
    }, intervalMs);
    setTimeout(() => clearInterval(timer), LONGEST_MS);
  });
  // A router that went away may cause ICMP errors.
  socket.on('error', () => undefined).bind(Number(port), address, () => console.log('ready'));
}

async function ask(own: string, flows: number): Promise<void> {
  let count = 0;
  const open = new Set<Socket>();
  for (let flow = 0; flow < flows; flow += 1) {
    const socket = createSocket(type);
    await new Promise<void>((resolve) => socket.bind(0, own, resolve));
    open.add(socket);
    socket.on('message', () => {
      count += 1;
      if (count % 10 === 0) console.log(`count ${count}`);
      if (open.delete(socket) && open.size === 0) console.log('all');
    });
  }
  console.log('ready');
  while (open.size > 0) {
    let sent = 0;
    for (const socket of open) {
      socket.send('question', Number(port), address);
      sent += 1;
      if (sent % QUESTIONS === 0) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}
