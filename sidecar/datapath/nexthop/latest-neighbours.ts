import type { NeighbourState } from '../datapath.js';

/**
 * Who was reported with an address for the first time, and was not taken yet as a possible router: the last of each
 * address. So it is as small as the kernel's table, and who another one followed meanwhile gets no id.
 */
export class LatestNeighbours {
  readonly #states = new Map<string, NeighbourState>();

  /** True if nothing waited before: the caller takes them when it can. */
  add(states: readonly NeighbourState[]): boolean {
    const isFirst = this.#states.size === 0;
    for (const state of states) {
      // One that is not resolved says nothing of where the address is.
      if (state.mac === null) continue;
      const key = `${state.device} ${state.address}`;
      this.#states.delete(key);
      this.#states.set(key, state);
    }
    return isFirst && this.#states.size > 0;
  }

  /** All, in the order of their last reports; none wait any more. */
  take(): readonly NeighbourState[] {
    const all = [...this.#states.values()];
    this.#states.clear();
    return all;
  }
}
