import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/*
 * Both sides of a measurement, nft included, go before the other programs of a shared machine. A percentile of some
 * milliseconds is else that of other people's time slices.
 */

const NICE = -10;

/**
 * For this process and every one that it starts from now on: a better nice value, for the work that keeps processors
 * busy. This process leads a session of its own (whoever starts it sees to that), which the scheduler weighs as a
 * whole: sched(7), "The autogroup feature".
 */
export function preferThisSession(): void {
  try {
    setPriority(NICE);
    writeFileSync('/proc/self/autogroup', String(NICE));
  } catch {
    // Not root; or a kernel without autogroups, where nice values of all processes compare directly.
  }
}

/**
 * Puts processes, with all their threads and what they start from now on, under the real-time scheduler, or back. Only
 * for work that leaves the processors idle most of the time. Where it is not allowed, nothing changes.
 */
export function setRealTime(pids: readonly number[], isRealTime: boolean): void {
  const policy = isRealTime ? ['--rr', '--all-tasks', '--pid', '10'] : ['--other', '--all-tasks', '--pid', '0'];
  try {
    for (const pid of pids) execFileSync('chrt', [...policy, String(pid)], { stdio: 'ignore' });
  } catch {
    // No chrt, or a container whose control group has no real-time budget.
  }
}
