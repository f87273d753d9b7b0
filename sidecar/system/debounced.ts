import { setTimeout as delay } from 'node:timers/promises';

import type { Logger } from '../log/logger.js';

/**
 * Work that many may request and that is done once for all of them, never twice at a time.
 */
export class Debounced {
  readonly #delayMs: number;
  readonly #work: () => Promise<void>;
  readonly #logger: Logger;
  /** One timer for all times: to arm it again costs less than a new one. */
  #timer: NodeJS.Timeout | null = null;
  #isDue = false;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #isStopped = false;

  /** @param work what it throws is logged and not passed to the caller */
  constructor(delayMs: number, work: () => Promise<void>, logger: Logger) {
    this.#delayMs = delayMs;
    this.#work = work;
    this.#logger = logger;
  }

  /** Requests it within the delay. */
  soon(): void {
    if (this.#isDue || this.#isStopped) return;
    this.#isDue = true;
    if (this.#timer !== null) {
      this.#timer.refresh();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#isDue = false;
      void this.now();
    }, this.#delayMs);
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
      .catch((error: unknown) => this.#logger.warn('daemon.check_failed', { error }))
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }
}
