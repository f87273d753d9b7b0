/**
 * A subject: what a sidecar does that was written without gwmark. It reads the management socket with {@link
 * SplitReader}, and for each address that comes or goes it spawns `nft`, one at a time and in the order of the events,
 * since the same address may go and come back.
 *
 * It is kept lean in favour of the rival: no log, no snapshots, no routes, no retries, and nothing in the ruleset but
 * one set.
 */
import { execFile, execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { monotonicUs } from '../lab/clock.js';
import { stopSignal, tellDriver } from '../lab/subject-process.js';
import { SplitReader } from './split-reader.js';

interface Change {
  readonly op: 'add' | 'delete';
  readonly address: string;
}

const [path = ''] = process.argv.slice(2);
execFileSync('nft', ['add', 'table', 'inet', 'rival']);
execFileSync('nft', ['add', 'set', 'inet', 'rival', 'clients', '{ type ipv4_addr; }']);

const addressesOf = new Map<string, string[]>();
let queue: Change[] = [];
let isWorking = false;

/**
 * The call that everybody writes: it keeps what nft says, since whoever cannot tell why a rule was refused is of no
 * use.
 */
const run = promisify(execFile);

async function spawnNft({ op, address }: Change): Promise<void> {
  await run('nft', [op, 'element', 'inet', 'rival', 'clients', `{ ${address} }`]);
  tellDriver({ kind: 'applied', changes: [{ op, address, atUs: monotonicUs() }] });
}

async function work(): Promise<void> {
  isWorking = true;
  while (queue.length > 0) {
    const changes = queue;
    queue = [];
    for (const change of changes) await spawnNft(change);
  }
  isWorking = false;
}

function enqueue(change: Change): void {
  queue.push(change);
  if (!isWorking) void work();
}

const reader = new SplitReader();
const socket = connect(path);
socket.on('data', (chunk) => {
  for (const event of reader.push(chunk)) {
    if (event.kind === 'address') {
      addressesOf.set(event.cid, [...(addressesOf.get(event.cid) ?? []), event.address]);
      enqueue({ op: 'add', address: event.address });
    } else if (event.event === 'DISCONNECT') {
      for (const address of addressesOf.get(event.cid) ?? []) enqueue({ op: 'delete', address });
      addressesOf.delete(event.cid);
    }
  }
});
socket.once('connect', () => tellDriver({ kind: 'ready' }));
stopSignal().addEventListener('abort', () => process.exit(0), { once: true });
