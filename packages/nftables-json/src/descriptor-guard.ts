/**
 * Who may still use a file descriptor that this process opened itself. The kernel gives the number of a closed one to
 * the next file or socket of the process, so a call after the end would reach that one.
 */
export class DescriptorGuard {
  readonly #close: () => void;
  #isClosed = false;
  #calls = 0;

  /** @param close closes the descriptor; called once, when no call on a thread uses it any more */
  constructor(close: () => void) {
    this.#close = close;
  }

  /** From now on, nothing may be called with the descriptor. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Runs a call on a thread, which keeps the descriptor open until the promise is settled. */
  async hold<T>(call: () => Promise<T>): Promise<T> {
    this.#calls += 1;
    try {
      return await call();
    } finally {
      this.#calls -= 1;
      this.#closeIfUnused();
    }
  }

  /** Idempotent. */
  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeIfUnused();
  }

  #closeIfUnused(): void {
    if (this.#isClosed && this.#calls === 0) this.#close();
  }
}
