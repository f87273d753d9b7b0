/** Clients whose counts are remembered for one program. */
const MAX_CLIENTS = 100_000;

/** Which byte counts one program gets, when OpenVPN counts for several. */
export class ByteCounts {
  /** Seconds, 0 for none: what the program asked for. */
  readonly interval: number;
  /** When a client's counts were last passed on, ms. */
  readonly #last = new Map<string, number>();

  constructor(interval: number) {
    this.interval = interval;
  }

  /**
   * Whether the counts that came now are due, and if so, notes that they are passed on.
   *
   * @param client its CID; empty for the counts of an OpenVPN client
   * @param common how often OpenVPN counts, in seconds
   */
  isDue(client: string, nowMs: number, common: number): boolean {
    if (this.interval === 0) return false;
    if (this.interval === common) return true;
    const last = this.#last.get(client);
    // Half of OpenVPN's interval early: its own timers are late, not early.
    if (last !== undefined && nowMs - last < this.interval * 1000 - common * 500) return false;
    if (this.#last.size >= MAX_CLIENTS) this.#last.clear();
    this.#last.set(client, nowMs);
    return true;
  }
}

/** The longest interval that each of these is a multiple of; 0 for none. */
export function commonInterval(intervals: readonly number[]): number {
  return intervals.reduce((common, interval) => greatestCommonDivisor(common, interval), 0);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
