/** Runs works one after the other, in the order in which they were given. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Settles as the work does; one that fails does not hold up the next. */
  async take(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    await turn;
  }
}
