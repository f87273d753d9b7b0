import { IptablesError } from './iptables-error.js';

/** Runs tasks one at a time, in the order of the calls. A task that fails does not disturb the next. */
export class SerialQueue {
  readonly #what: string;
  readonly #waiting: (() => Promise<void>)[] = [];
  #isClosed = false;
  #running: Promise<void> | undefined;

  /** @param what the name of the owner, for the refusal of a call after its end */
  constructor(what: string) {
    this.#what = what;
  }

  /** Starts the task once all earlier ones are settled; an aborted signal withdraws it up to that moment. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw new IptablesError('UNAVAILABLE', `${this.#what} is closed`);
    return new Promise<T>((resolve, reject) => {
      const start = async (): Promise<void> => {
        signal?.removeEventListener('abort', withdraw);
        await task().then(resolve, reject);
      };
      const withdraw = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', withdraw, { once: true });
      this.#waiting.push(start);
      this.#running ??= this.#drain();
    });
  }

  /** Refuses new tasks and waits for those that were accepted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #drain(): Promise<void> {
    // Never in the caller's own turn, so that a signal aborted there still withdraws its call.
    await Promise.resolve();
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) await next();
    this.#running = undefined;
  }
}
