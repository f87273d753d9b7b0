/** A pending callback; disposing of it cancels it, and does nothing once it ran. */
export interface Timer {
  cancel(): void;
}

/** Time as this package uses it, so that tests can hold it still. */
export interface Clock {
  /** Monotonic milliseconds; the origin is arbitrary. */
  now(): number;
  /** Calls `callback` once after `delayMs`. */
  startTimer(delayMs: number, callback: () => void): Timer;
}

/** The machine's clock. Its timers keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  startTimer(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
