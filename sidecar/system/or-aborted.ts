import { setMaxListeners } from 'node:events';

/**
 * Resolves when the promise does, or when the signal is aborted, whichever comes first. It leaves no listener at the
 * signal, which may live as long as the process. Any number may wait for the same signal.
 *
 * @throws what the promise rejects with
 */
export async function orAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  setMaxListeners(0, signal);
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then(() => resolve(), reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
