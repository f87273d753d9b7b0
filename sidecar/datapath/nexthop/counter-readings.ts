import type { PacketPath, RuleCounters } from '../../firewall/firewall.js';

/**
 * Readings of the counters that many wait for at a time, as when a machine claims the addresses of many routers: one
 * is under way at most, and everybody gets one that began after asking.
 */
export class CounterReadings {
  readonly #firewall: Pick<PacketPath, 'readCounters'>;
  #running: Promise<RuleCounters | null> | null = null;
  #next: Promise<RuleCounters | null> | null = null;

  /** @param firewall borrowed */
  constructor(firewall: Pick<PacketPath, 'readCounters'>) {
    this.#firewall = firewall;
  }

  /**
   * The result of a reading that begins after this call.
   *
   * @throws what the reading throws
   */
  next(): Promise<RuleCounters | null> {
    if (this.#running === null) {
      this.#running = this.#firewall.readCounters().finally(() => {
        this.#running = null;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        return this.next();
      });
    return this.#next;
  }
}
