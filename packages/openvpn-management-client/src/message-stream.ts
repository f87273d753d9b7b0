import { ManagementError } from './errors.js';
import type { Notification } from './messages.js';
import type { StreamPosition } from './reply.js';

/** Where a message is in the stream. */
export interface Origin extends StreamPosition {
  /** The clock's time of arrival, ms. */
  readonly receivedAtMs: number;
}

/** A message together with its place in the stream. */
export interface Delivery {
  readonly message: Notification;
  readonly origin: Origin;
}

export interface MessageStreamOptions {
  /** From so many unread messages on, those that can be missed are dropped, 1..1000000, default 1000. */
  readonly highWaterMark?: number;
  /**
   * With so many unread messages that cannot be missed, reading fails with MGMT_OVERFLOW; default 100 times the mark.
   */
  readonly limit?: number;
}

/** Missing one of these only costs a log line or a sample of a counter. */
const MISSABLE: ReadonlySet<Notification['kind']> = new Set<Notification['kind']>([
  'log',
  'echo',
  'bytecount',
  'client:bytecount',
  'infomsg',
]);

/**
 * Messages for a reader that takes its time. The socket is read on regardless: log lines and byte counts are dropped
 * and counted when the reader is behind, nothing else is; too far behind, the reader gets an error and must start over
 * from a snapshot.
 */
export class MessageStream implements AsyncIterableIterator<Delivery, undefined>, AsyncDisposable {
  readonly #highWaterMark: number;
  readonly #limit: number;
  /** Unread messages from `#head` on. */
  #queue: Delivery[] = [];
  #head = 0;
  #dropped = 0;
  #failure: ManagementError | undefined;
  #isEnded = false;
  #wake: (() => void) | undefined;
  #onEnd: () => void = () => undefined;

  constructor(options: MessageStreamOptions) {
    this.#highWaterMark = options.highWaterMark ?? 1000;
    this.#limit = options.limit ?? this.#highWaterMark * 100;
  }

  /** Messages dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Messages that wait for the reader. */
  get unread(): number {
    return this.#queue.length - this.#head;
  }

  /** Sets the function to call once, when reading ends. */
  onEnd(callback: () => void): void {
    this.#onEnd = callback;
  }

  /** Appends a message; never waits. */
  push(delivery: Delivery): void {
    if (this.#isEnded) return;
    if (this.unread >= this.#highWaterMark && MISSABLE.has(delivery.message.kind)) {
      this.#dropped += 1;
      return;
    }
    if (this.unread >= this.#limit) {
      this.#failure = new ManagementError(
        'MGMT_OVERFLOW',
        `read management messages: ${this.#limit} are unread, start over from a snapshot`,
      );
      this.#queue = [];
      this.#head = 0;
      this.end();
      return;
    }
    this.#queue.push(delivery);
    this.#wake?.();
  }

  /** No more messages will come; what is queued can still be read. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onEnd();
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<Delivery, undefined>> {
    for (;;) {
      const delivery = this.#queue[this.#head];
      if (delivery !== undefined) {
        this.#head += 1;
        // Cut the read part off in large pieces, so that reading stays constant time.
        if (this.#head >= 1024 || this.#head === this.#queue.length) {
          this.#queue = this.#queue.slice(this.#head);
          this.#head = 0;
        }
        return { done: false, value: delivery };
      }
      if (this.#failure !== undefined) {
        const failure = this.#failure;
        this.#failure = undefined;
        throw failure;
      }
      if (this.#isEnded) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  async return(): Promise<IteratorResult<Delivery, undefined>> {
    this.#queue = [];
    this.#head = 0;
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
