import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openNftables } from 'nftables-json';
import type { FakeManagementServer } from 'openvpn-management-client/testing';
import { monotonicUs } from './clock.js';
import type { AppliedChange, ChangeResult, ConnectResult, StormResult, Task } from './messages.js';
import { clientAddress } from './network.js';
import { setRealTime } from './precedence.js';
import { PreparedStorm } from './prepared-storm.js';
import { countElements, watchUntilComplete } from './set-watch.js';
import { SET_OF, Subject } from './subject.js';

/** What every task works with; the driver owns it. */
export interface Bench {
  readonly server: FakeManagementServer;
  readonly socketPath: string;
  readonly directory: string;
  readonly profileDirectory: string | null;
}

type TaskOf<Kind extends Task['kind']> = Extract<Task, { kind: Kind }>;

const STORM_TIMEOUT_MS = 600_000;
/** What a snapshot of everybody takes, generously. */
const SNAPSHOT_MS = 1500;
const SETTLE_MS = 1500;
/** Enough for the optimizing compiler: else the first size is measured with slower code than the second. */
const WARM_UP_PAIRS = 100;

/**
 * Clients connect at a steady pace, and stay.
 *
 * A sample is the time from one client's ADDRESS and ESTABLISHED lying in the management socket, ready to be read,
 * until its address is in the kernel: gwmark tells when the promise of the transaction resolved, the rival when its
 * nft has ended. The clock starts when the write has returned. CONNECT is written half a tick before, as the login
 * takes a round trip in life too; answering it is nobody's task here.
 */
export async function measureConnect(bench: Bench, task: TaskOf<'connect'>): Promise<ConnectResult> {
  await using subject = await Subject.openTelling({ ...bench, side: task.side });
  await delay(SETTLE_MS);
  setRealTime([process.pid, subject.pid], true);
  const total = task.warmUp + task.connects;
  const startedUs = new Map<string, number>();
  const latenciesUs: number[] = [];
  const applied = appliedCount(subject, total, ({ address, atUs }) => {
    latenciesUs.push(atUs - (startedUs.get(address) ?? Number.NaN));
  });
  const logIn = (number: number): Promise<number> =>
    bench.server.connectClient({ addresses: [clientAddress(number)] }, { waitsForAuth: true });

  let waiting = await logIn(0);
  const beginMs = performance.now();
  for (let number = 0; number < total; number += 1) {
    await until(beginMs + number * task.paceMs);
    await bench.server.establish(waiting);
    startedUs.set(clientAddress(number), monotonicUs());
    await until(beginMs + (number + 0.5) * task.paceMs);
    waiting = await logIn(number + 1);
  }
  await Promise.race([applied, subject.failed]);
  await verifyCount(task, total);
  return { latenciesUs: latenciesUs.slice(task.warmUp) };
}

/**
 * All clients arrive at once. The time runs from before the first byte is written until the kernel's set has all of
 * them, as seen from outside of the process under measurement; its peak memory is read when the product has also taken
 * a snapshot of them all, as it does from time to time.
 */
export async function measureStorm(bench: Bench, task: TaskOf<'storm'>): Promise<StormResult> {
  const storm = await PreparedStorm.record(task.clients);
  await using subject = await openForStorm(bench, task);
  await delay(SETTLE_MS);
  const idleMb = subject.peakMemoryMb();
  await using nftables = await openNftables({ executor: 'library' });
  if (task.isWatched) setRealTime([process.pid, subject.pid], true);
  const longestTurnMs = task.isWatched ? subject.measureTurns() : async () => Number.NaN;
  const startUs = monotonicUs();
  const complete = watchUntilComplete(nftables, SET_OF[task.side], task.clients, STORM_TIMEOUT_MS);
  const written = storm.play(bench.server);
  const [{ atUs, changes }] = await Promise.race([Promise.all([complete, written]), subject.failed]);
  const turnMs = await Promise.race([longestTurnMs(), subject.failed]);
  if (task.isWatched) setRealTime([process.pid, subject.pid], false);
  if (task.side === 'gwmark') await oneMoreSnapshot(bench.server, subject);
  return {
    seconds: (atUs - startUs) / 1e6,
    idleMb,
    peakMb: subject.peakMemoryMb(),
    transactions: changes,
    longestTurnMs: turnMs,
  };
}

/**
 * One client comes and goes repeatedly, while `sizes` other addresses are installed. A sample is both times added
 * up: ADDRESS written to address in the kernel, and DISCONNECT written to address out of the kernel, as in {@link
 * measureConnect}.
 */
export async function measureChange(bench: Bench, task: TaskOf<'change'>): Promise<ChangeResult> {
  await using subject = await Subject.openTelling({ ...bench, side: task.side });
  const latenciesUs: number[][] = [];
  let installed = 0;
  for (const size of task.sizes) {
    await fill(bench, subject, task, installed, size);
    installed = size;
    await delay(SETTLE_MS);
    setRealTime([process.pid, subject.pid], true);
    const samples: number[] = [];
    for (let sample = -WARM_UP_PAIRS; sample < task.samples; sample += 1) {
      const sumUs = await comeAndGo(bench, subject, size);
      if (sample >= 0) samples.push(sumUs);
      await delay(task.paceMs);
    }
    setRealTime([process.pid, subject.pid], false);
    latenciesUs.push(samples);
  }
  return { latenciesUs };
}

async function comeAndGo({ server }: Bench, subject: Subject, number: number): Promise<number> {
  const addresses = [clientAddress(number)];
  const cid = await server.connectClient({ addresses }, { waitsForAuth: true });
  const steps = [() => server.establish(cid), () => server.disconnectClient(cid)];
  let sumUs = 0;
  for (const step of steps) {
    let atUs = 0;
    const applied = appliedCount(subject, 1, (change) => {
      atUs = change.atUs;
    });
    await step();
    const startUs = monotonicUs();
    await Promise.race([applied, subject.failed]);
    sumUs += atUs - startUs;
  }
  return sumUs;
}

/**
 * The rival's set is filled in one transaction: only the change is measured, and a hundred thousand spawns take ten
 * minutes.
 */
async function fill(
  { server }: Bench,
  subject: Subject,
  task: TaskOf<'change'>,
  from: number,
  to: number,
): Promise<void> {
  const addresses = Array.from({ length: to - from }, (_, index) => clientAddress(from + index));
  if (task.side === 'gwmark') {
    const applied = appliedCount(subject, addresses.length, () => undefined);
    await server.storm(addresses.length, (index) => ({ addresses: [addresses[index] ?? ''] }));
    await Promise.race([applied, subject.failed]);
  } else {
    await using nftables = await openNftables({ executor: 'library' });
    await nftables.run([{ add: { element: { ...SET_OF[task.side], elem: addresses } } }]);
  }
  await verifyCount(task, to);
}

/** Resolves when so many changes were told from now on. */
function appliedCount(subject: Subject, wanted: number, take: (change: AppliedChange) => void): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    subject.onApplied((changes) => {
      for (const change of changes) take(change);
      count += changes.length;
      if (count >= wanted) resolve();
    });
  });
}

async function oneMoreSnapshot(server: FakeManagementServer, subject: Subject): Promise<void> {
  const snapshots = (): number => server.commands.filter((command) => command.startsWith('status')).length;
  const before = snapshots();
  while (snapshots() === before) await Promise.race([delay(50), subject.failed]);
  await delay(SNAPSHOT_MS);
}

async function until(timeMs: number): Promise<void> {
  await delay(Math.max(0, timeMs - performance.now()));
}

/** A subject that says it is done and is not has not been measured. */
async function verifyCount({ side }: Task, wanted: number): Promise<void> {
  await using nftables = await openNftables({ executor: 'library' });
  const count = await countElements(nftables, SET_OF[side]);
  if (count !== wanted) throw new Error(`${side} has ${count} addresses in the kernel, not ${wanted}`);
}

async function openForStorm(bench: Bench, task: TaskOf<'storm'>): Promise<Subject> {
  if (task.side === 'spawned-nft') return Subject.openTelling({ ...bench, side: task.side, hasProbe: task.isWatched });
  const controlSocket = join(bench.directory, 'control.sock');
  // The snapshot after the storm comes sooner than by default: it is waited for.
  const snapshots = ['--management-snapshot-interval-ms', '4000'];
  const options = { ...bench, side: task.side, hasProbe: task.isWatched };
  const subject = Subject.openProduct(options, controlSocket, ...snapshots);
  await subject.ready(controlSocket);
  return subject;
}
