import { setTimeout as delay } from 'node:timers/promises';

/** How many times slower than this machine the present one is allowed to be: an emulated one sets LAB_PATIENCE. */
const PATIENCE = Number(process.env['LAB_PATIENCE'] ?? 1);

/** Only a failure ever waits to the end of a bound, so it has room for a machine that does much else. */
const SPARE = 3;

/** A bound on waiting, in milliseconds, as long as the machine needs it. It bounds; it never makes anybody wait. */
export function patient(timeoutMs: number): number {
  return timeoutMs * Math.max(PATIENCE, SPARE);
}

/**
 * A wait that passes in full where all is well, because nothing is to come: in milliseconds or seconds, longer on a
 * slow machine alone.
 */
export function slowed(wait: number): number {
  return wait * PATIENCE;
}

/** How long {@link eventually} keeps trying. */
export interface WaitOptions {
  /** Bound on the whole wait, milliseconds. Default 10000. */
  readonly timeoutMs?: number;
  /** Pause between two tries, milliseconds; longer where a try took longer. Default 20. */
  readonly intervalMs?: number;
  /** What is waited for, as a noun phrase; it opens the error message. */
  readonly what: string;
}

/**
 * Calls `probe` until it returns something other than `undefined`, `null` or `false`, and resolves with that value.
 * An exception of the probe counts as "not yet"; the last one becomes the `cause` of the final error.
 *
 * @throws Error after `timeoutMs`, naming what was waited for.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, undefined | null | false>> {
  const timeoutMs = patient(options.timeoutMs ?? 10_000);
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    const startedMs = performance.now();
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) {
        // The three excluded values were just ruled out; TypeScript does not narrow a bare type parameter.
        return value as Exclude<T, undefined | null | false>;
      }
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() >= deadline) {
      const reason = lastError instanceof Error ? `: ${lastError.message}` : '';
      throw new Error(`${options.what}: not within ${timeoutMs} ms${reason}`, { cause: lastError });
    }
    // Half of the time at most: on a slow machine, looking would be all that it does, and nothing would happen.
    await delay(Math.max(options.intervalMs ?? 20, performance.now() - startedMs));
  }
}

/**
 * Resolves with how much a counter of the sidecar grew by `action`, once that is `expected` or more. The sidecar looks at
 * the kernel when it is asked, but answers after a second with what it knew: a busy machine needs longer.
 */
export async function growth(
  read: () => Promise<number>,
  action: () => Promise<void>,
  expected: number,
  what: string,
): Promise<number> {
  let last: number | undefined;
  const before = await eventually(
    async () => {
      const previous = last;
      last = await read();
      return last === previous && last;
    },
    { what: `${what} so far, twice the same` },
  );
  await action();
  return await eventually(
    async () => {
      const grown = (await read()) - before;
      return grown >= expected && grown;
    },
    { what: `${expected} more: ${what}` },
  );
}
