import type { SubjectMessage } from './messages.js';

/** Sends to the driver that started this process. */
export function tellDriver(message: SubjectMessage): void {
  process.send?.(message);
}

/** Aborted when the driver wants this process to stop, or is gone. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  process.once('disconnect', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  return stop.signal;
}
