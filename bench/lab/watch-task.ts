import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openNftables } from 'nftables-json';

import { fetchStatus } from '../../sidecar/control/client.js';
import { followStatus } from '../../sidecar/control/follow.js';
import type { Bench } from './driver-tasks.js';
import type { WatchResult, WatchTask } from './messages.js';
import { PreparedStorm } from './prepared-storm.js';
import { watchUntilComplete } from './set-watch.js';
import { SET_OF, Subject } from './subject.js';

const STORM_TIMEOUT_MS = 60_000;
/** The snapshot after the storm, the first look of viewers, and what the compiler does with them. */
const SETTLE_MS = 10_000;

/**
 * Clients are connected and send: what OpenVPN counts of each grows from one `status` to the next. Nobody comes and
 * nobody goes. The processor time of the product is read before and after, first without a viewer, then with viewers of
 * `/live`, then with as many programs that ask for `/status` every second.
 */
export async function measureWatch(bench: Bench, task: WatchTask): Promise<WatchResult> {
  const storm = await PreparedStorm.record(task.clients);
  const controlSocket = `${bench.directory}/control.sock`;
  await using subject = Subject.openProduct({ ...bench, side: task.side }, controlSocket);
  await subject.ready(controlSocket);
  await using nftables = await openNftables({ executor: 'library' });
  const complete = watchUntilComplete(nftables, SET_OF[task.side], task.clients, STORM_TIMEOUT_MS);
  await Promise.race([Promise.all([complete, storm.play(bench.server, { isBusy: true })]), subject.failed]);

  const unwatched = await measure(subject, task.seconds);
  const looks: number[] = [];
  const watched = await withEnd(async (signal) => {
    for (let viewer = 0; viewer < task.viewers; viewer += 1) void follow(controlSocket, signal, viewer, looks);
    return await measure(subject, task.seconds);
  });
  if (looks.length < task.viewers || looks.some((count) => count < task.seconds / 2))
    throw new Error(`viewers have had ${looks.join(', ')} looks in ${task.seconds} s`);
  const polled = await withEnd(async (signal) => {
    for (let viewer = 0; viewer < task.viewers; viewer += 1) void poll(controlSocket, signal);
    return await measure(subject, task.seconds);
  });
  return { unwatchedPercent: unwatched, watchedPercent: watched, polledPercent: polled };
}

/** Percent of one core that the subject takes, once it has settled. */
async function measure(subject: Subject, seconds: number): Promise<number> {
  await Promise.race([delay(SETTLE_MS), subject.failed]);
  const [beginNs, beginMs] = [processorNs(subject.pid), performance.now()];
  await Promise.race([delay(seconds * 1000), subject.failed]);
  return (processorNs(subject.pid) - beginNs) / 1e4 / (performance.now() - beginMs);
}

/** Of all its threads, proc(5): `/proc/pid/task/tid/schedstat`. */
function processorNs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce(
    (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    0,
  );
}

async function withEnd<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const end = new AbortController();
  try {
    return await work(end.signal);
  } finally {
    end.abort();
  }
}

async function follow(controlSocket: string, signal: AbortSignal, viewer: number, looks: number[]): Promise<void> {
  looks[viewer] = 0;
  for await (const { document } of followStatus(controlSocket, { signal }))
    if (document.clients.length > 0) looks[viewer] = (looks[viewer] ?? 0) + 1;
}

async function poll(controlSocket: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await fetchStatus(controlSocket);
    await delay(1000);
  }
}
