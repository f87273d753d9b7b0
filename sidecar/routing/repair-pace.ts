/** This many repairs are made immediately. */
const BURST = 5;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** The burst starts again after this time without a repair, or after twice the pause if that is longer. */
const CALM_MS = 10_000;

/**
 * How fast to repair what another program breaks repeatedly: a burst, then ever slower, so that two programs do
 * not race each other for the machine.
 */
export class RepairPace {
  #count = 0;
  #lastMs = -Infinity;

  /**
   * Something was repaired.
   *
   * @param nowMs monotonic milliseconds
   * @returns whether the other program is known to insist from now on
   */
  repaired(nowMs: number): boolean {
    this.#count = this.#isCalm(nowMs) ? 1 : this.#count + 1;
    this.#lastMs = nowMs;
    return this.#count === BURST + 1;
  }

  /** The other program has undone more than a burst of repairs, the last one recently. */
  isContested(nowMs: number): boolean {
    return this.#count > BURST && !this.#isCalm(nowMs);
  }

  /** Milliseconds until the next repair may be made. */
  pauseMs(nowMs: number): number {
    if (!this.isContested(nowMs)) return 0;
    return Math.max(0, this.#lastMs + this.#pauseMs - nowMs);
  }

  get #pauseMs(): number {
    return this.#count > BURST ? Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#count - BURST - 1)) : 0;
  }

  #isCalm(nowMs: number): boolean {
    return nowMs - this.#lastMs > Math.max(CALM_MS, 2 * this.#pauseMs);
  }
}
