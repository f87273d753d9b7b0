export interface SnapshotScheduleOptions {
  /** Takes one snapshot. Its rejection is its own business: it must not reject. */
  readonly take: () => Promise<void>;
  /** Milliseconds to the next snapshot that nobody asked for; read after each. */
  readonly intervalMs: () => number;
}

/**
 * When snapshots are taken: on a timer, and soon after somebody asked. One at a time; whoever asks while one is under
 * way gets one that begins after it, together with everybody else who asked. After a snapshot that took long, the next
 * waits four times as long as that: a storm of connects then costs a fifth of the time and not all of it.
 */
export class SnapshotSchedule {
  readonly #options: SnapshotScheduleOptions;
  #timer: NodeJS.Timeout | null = null;
  #isWanted = false;
  #running: Promise<void> | null = null;
  #notBeforeMs = 0;
  #isStopped = true;

  constructor(options: SnapshotScheduleOptions) {
    this.#options = options;
  }

  /** Begins with the timer; a request before is kept. */
  start(): void {
    this.#isStopped = false;
    // One from before a stop goes on to the next by itself.
    if (this.#running !== null) return;
    if (this.#isWanted) this.request();
    else this.#wait(this.#options.intervalMs());
  }

  request(): void {
    this.#isWanted = true;
    if (this.#isStopped || this.#running !== null) return;
    this.#wait(Math.max(0, this.#notBeforeMs - performance.now()));
  }

  /** Takes no more snapshots until the next start; resolves when the one under way is done. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#isWanted = false;
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
    this.#isWanted = false;
    const startedMs = performance.now();
    await this.#options.take();
    const endedMs = performance.now();
    this.#notBeforeMs = endedMs + 4 * (endedMs - startedMs);
    this.#running = null;
    if (this.#isStopped) return;
    if (this.#isWanted) this.request();
    else this.#wait(this.#options.intervalMs());
  }
}
