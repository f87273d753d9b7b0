import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../log/logger.js';

/**
 * Runs `work` repeatedly until the signal is aborted; what it throws is logged and does not end it.
 *
 * @param intervalMs read before each pause, which comes before the work
 */
export async function repeat(
  intervalMs: () => number,
  work: () => Promise<void>,
  signal: AbortSignal,
  logger: Logger,
): Promise<void> {
  while (!signal.aborted) {
    await delay(intervalMs(), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await work().catch((error: unknown) => {
      // The signal may also have ended a program that the work had started.
      if (!signal.aborted) logger.warn('daemon.check_failed', { error });
    });
  }
}
