import { setTimeout as delay } from 'node:timers/promises';
import type { Nftables } from 'nftables-json';
import { monotonicUs } from './clock.js';

export interface SetReference {
  readonly family: 'inet';
  readonly table: string;
  readonly name: string;
}

/** How many elements the set has in the kernel now. */
export async function countElements(nftables: Nftables, set: SetReference): Promise<number> {
  const objects = await nftables.list({ set });
  return objects.reduce((sum, object) => sum + ('set' in object ? (object.set.elem?.length ?? 0) : 0), 0);
}

/**
 * Waits until a set has `wanted` elements and nobody changed the ruleset for a while.
 *
 * Between changes it costs a read of the ruleset's generation each 2 ms; the set itself is counted only when things
 * are quiet, so that watching takes nothing from those who work. A change later than the one that completed the set
 * counts as the completing one.
 *
 * @returns when the last change was seen, and how many were; several within 2 ms count as one
 */
export async function watchUntilComplete(
  nftables: Nftables,
  set: SetReference,
  wanted: number,
  timeoutMs: number,
): Promise<{ atUs: number; changes: number }> {
  const quietUs = 150_000;
  const deadlineUs = monotonicUs() + timeoutMs * 1000;
  let generation = await nftables.generation();
  let atUs = monotonicUs();
  let changes = 0;
  let isCounted = false;
  let count = 0;
  for (;;) {
    await delay(2);
    const now = await nftables.generation();
    const nowUs = monotonicUs();
    if (now !== generation) {
      generation = now;
      atUs = nowUs;
      changes += 1;
      isCounted = false;
    } else if (!isCounted && nowUs - atUs > quietUs) {
      count = await countElements(nftables, set);
      if (count === wanted) return { atUs, changes };
      isCounted = true;
    }
    if (nowUs > deadlineUs)
      throw new Error(
        `the set ${set.table} ${set.name} has ${count} elements after ${timeoutMs / 1000} s, not ${wanted}`,
      );
  }
}
