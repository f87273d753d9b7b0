/** Numbers that are the same for the same seed: xorshift32 (G. Marsaglia, Xorshift RNGs, 2003). */
export class Random {
  #state: number;

  /** @param seed any whole number */
  constructor(seed: number) {
    // Zero would stay zero.
    this.#state = seed >>> 0 || 0x9e3779b9;
    for (let round = 0; round < 8; round += 1) this.#next();
  }

  /** A whole number in 0..below - 1. */
  below(below: number): number {
    return Math.floor((this.#next() / 2 ** 32) * below);
  }

  /** One of the items, which must be some. */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  #next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state;
  }
}
