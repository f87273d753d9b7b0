import { NftError } from './nft-error.js';

/** Runs tasks one at a time, in the order of the calls. A task that fails does not disturb the next. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  /** Tasks that are under way or wait. */
  #accepted = 0;
  #isClosed = false;

  /**
   * Starts the task once all earlier ones are settled, at once when there are none: before this call returns, so that
   * what the caller does next does not delay it. An aborted signal withdraws a task up to its start.
   */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#isClosed) {
      throw new NftError('UNAVAILABLE', 'nftables is closed');
    }
    const previous = this.#tail;
    const isIdle = this.#accepted === 0;
    this.#accepted += 1;
    let release: (() => void) | undefined;
    this.#tail = new Promise<void>((resolve) => {
      release = resolve;
    });
    try {
      if (!isIdle) await waitFor(previous, signal);
      return await task();
    } finally {
      this.#accepted -= 1;
      // A withdrawn task must not let its successor overtake its predecessors.
      void previous.then(release);
    }
  }

  /** Refuses new tasks and waits for those that were accepted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#tail;
  }
}

async function waitFor(previous: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) {
    await previous;
    return;
  }
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([previous, aborted]);
  } finally {
    if (onAbort) {
      signal.removeEventListener('abort', onAbort);
    }
  }
  signal.throwIfAborted();
}
