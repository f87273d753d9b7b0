import { setTimeout as delay } from 'node:timers/promises';

import type { Logger } from '../log/logger.js';

/**
 * Work that many may request and that is done once for all of them, never twice at a time.
 */
export class Debounced {
  readonly #delayMs: number;
  readonly #work: () => Promise<void>;
  readonly #logger: Logger;
  readonly #restMs: number;
  #timer: NodeJS.Timeout | null = null;
  #endedMs = -Infinity;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #isStopped = false;

  /**
   * @param work what it throws is logged and not passed to the caller
   * @param restMs the least pause between the end of a run and one that `soon` requests
   */
  constructor(delayMs: number, work: () => Promise<void>, logger: Logger, restMs = 0) {
    this.#restMs = restMs;
    this.#delayMs = delayMs;
    this.#work = work;
    this.#logger = logger;
  }

  /** Requests it within the delay, or after the rest. */
  soon(): void {
    if (this.#timer !== null || this.#isStopped) return;
    const restMs = this.#restMs === 0 ? 0 : this.#endedMs + this.#restMs - performance.now();
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        void this.now();
      },
      Math.max(this.#delayMs, restMs),
    );
  }

  /** Resolves when a run that began after this call is done. */
  now(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    if (this.#running === null) return this.#run();
    this.#next ??= this.#running.then(() => {
      this.#next = null;
      return this.now();
    });
    return this.#next;
  }

  /** As `now`, but resolves after so many milliseconds at the latest: a status request gets an answer. */
  async within(limitMs: number): Promise<void> {
    const limit = new AbortController();
    await Promise.race([
      this.now(),
      delay(limitMs, undefined, { signal: limit.signal, ref: false }).catch(() => undefined),
    ]);
    limit.abort();
  }

  /** No further run begins. */
  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #run(): Promise<void> {
    this.#running = this.#work()
      .catch((error: unknown) => {
        // What it works with may be closed already.
        if (!this.#isStopped) this.#logger.warn('daemon.check_failed', { error });
      })
      .finally(() => {
        this.#running = null;
        this.#endedMs = performance.now();
      });
    return this.#running;
  }
}
