/** A set of callbacks for one event. What one of them throws reaches the process, not the caller of `emit`. */
export class Listeners<A extends readonly unknown[]> {
  readonly #listeners = new Set<(...values: A) => void>();

  /** Adds a callback; dispose of the result to remove it. */
  add(listener: (...values: A) => void): Disposable {
    // A new function each time: a callback that is added twice is called twice, as with an EventEmitter.
    const entry = (...values: A): void => listener(...values);
    this.#listeners.add(entry);
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) };
  }

  /** Calls them in the order in which they were added. */
  emit(...values: A): void {
    for (const listener of this.#listeners) {
      try {
        listener(...values);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
