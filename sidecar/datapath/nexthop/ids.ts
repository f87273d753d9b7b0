/** Gives out gateway ids in rotation, because those of gateways that are gone may still be in conntrack marks. */
export class Ids {
  readonly #max: number;
  readonly #isTaken: (id: number) => boolean;
  #last = 0;
  #lastVacant = 1;

  /** @param max highest id */
  constructor(max: number, isTaken: (id: number) => boolean) {
    this.#max = max;
    this.#isTaken = isTaken;
  }

  /** For a gateway; null if all are taken. */
  next(): number | null {
    for (let step = 1; step <= this.#max; step += 1) {
      const id = ((this.#last + step - 1) % this.#max) + 1;
      if (this.#isTaken(id)) continue;
      this.#last = id;
      return id;
    }
    return null;
  }

  /** For a vacancy: from the highest one down, so that routers that are known first have low ids; in rotation, too. */
  nextVacant(): number | null {
    for (let step = 1; step <= this.#max; step += 1) {
      const id = ((this.#lastVacant - 1 - step + 2 * this.#max) % this.#max) + 1;
      if (this.#isTaken(id)) continue;
      this.#lastVacant = id;
      return id;
    }
    return null;
  }

  /** An id of a gateway of an earlier run. */
  adopt(id: number): void {
    this.#last = Math.max(this.#last, id);
  }

  /** An id of a vacancy of an earlier run. */
  adoptVacant(id: number): void {
    this.#lastVacant = id;
  }
}
