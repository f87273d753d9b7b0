export interface SnapshotScheduleOptions {
  /** Takes one snapshot. Must not reject. */
  readonly take: () => Promise<void>;
  /** Milliseconds to the next unrequested snapshot; read after each. */
  readonly intervalMs: () => number;
}

/** How long after an ESTABLISHED of which the addresses are known the snapshot may come, ms. */
export const HEALING_MS = 2000;

/** The longest pause after a snapshot that took long. */
const LONGEST_REST_MS = 1000;

/**
 * When snapshots are taken: on a timer, and soon after a request. One at a time; who asks while one is under
 * way gets one that begins after it, together with everybody else who asked. After a snapshot that took long, the next
 * waits four times as long as that, a second at most: a storm of connects then costs a fifth of the time and not all
 * of it, and one slow answer of OpenVPN holds nobody up.
 */
export class SnapshotSchedule {
  readonly #options: SnapshotScheduleOptions;
  #timer: NodeJS.Timeout | null = null;
  /** When one is requested, in monotonic milliseconds; null if none is. */
  #wantedByMs: number | null = null;
  #running: Promise<void> | null = null;
  #notBeforeMs = 0;
  #isStopped = true;

  constructor(options: SnapshotScheduleOptions) {
    this.#options = options;
  }

  /** Starts the timer; an earlier request is kept. */
  start(): void {
    this.#isStopped = false;
    // One from before a stop continues to the next by itself.
    if (this.#running !== null) return;
    this.#waitForNext();
  }

  /**
   * Asks for a snapshot.
   *
   * @param withinMs when it need not be at once; a request that is more urgent is served first, and serves this one
   * too
   */
  request(withinMs = 0): void {
    const dueMs = performance.now() + withinMs;
    if (this.#wantedByMs !== null && this.#wantedByMs <= dueMs) return;
    this.#wantedByMs = dueMs;
    if (!this.#isStopped && this.#running === null) this.#waitForWanted(dueMs);
  }

  /** The interval has changed: restarts the wait for the next unrequested snapshot. */
  intervalChanged(): void {
    if (!this.#isStopped && this.#running === null) this.#waitForNext();
  }

  /** Takes no more snapshots until the next start; resolves when the one under way is done. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wantedByMs = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#running;
  }

  #wait(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#running = this.#take();
    }, delayMs);
  }

  async #take(): Promise<void> {
    this.#wantedByMs = null;
    const startedMs = performance.now();
    await this.#options.take();
    const endedMs = performance.now();
    this.#notBeforeMs = endedMs + Math.min(LONGEST_REST_MS, 4 * (endedMs - startedMs));
    this.#running = null;
    if (!this.#isStopped) this.#waitForNext();
  }

  #waitForNext(): void {
    if (this.#wantedByMs === null) this.#wait(this.#options.intervalMs());
    else this.#waitForWanted(this.#wantedByMs);
  }

  #waitForWanted(dueMs: number): void {
    this.#wait(Math.max(0, Math.max(dueMs, this.#notBeforeMs) - performance.now()));
  }
}
