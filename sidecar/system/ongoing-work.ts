/** Work in progress that nobody awaits until its owner closes. */
export class OngoingWork {
  readonly #running = new Set<Promise<unknown>>();

  /** Registers the work; resolves or rejects as it does. */
  add<T>(work: Promise<T>): Promise<T> {
    const noted = work.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(noted);
    void noted.then(() => this.#running.delete(noted));
    return work;
  }

  /** Resolves when nothing runs, what began in the meantime included. Never rejects. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
