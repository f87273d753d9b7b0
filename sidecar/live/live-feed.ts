import type { TextStream } from '../http/listener.js';
import type { StatusDocument } from '../status.js';
import { formatMessage, type LiveMessage, type Look, StatusDifference } from './message.js';

export interface LiveFeedOptions {
  /** The current status; must not throw. */
  readonly status: () => StatusDocument;
  /** Updates what the status says about the kernel; awaited before each look. */
  readonly refresh: () => Promise<void>;
  /** Called before each look: what OpenVPN counts is read only while there are viewers. */
  readonly onLook: () => void;
  /** Called with what a look threw; the next one tries again. */
  readonly onFault: (error: unknown) => void;
}

/** The pause between two looks, ms. */
const PAUSE_MS = 1000;
/** More than this many viewers are sent away. */
export const MAX_VIEWERS = 100;

/**
 * Sends the status to everybody who watches: all of it first, then what changed, every second. It looks once for all
 * viewers, and not at all while there are none. A viewer that does not read what it was sent gets nothing more until it
 * has, and then the whole status again: it costs memory for one message, and slows nothing.
 */
export class LiveFeed implements Disposable {
  readonly #options: LiveFeedOptions;
  readonly #viewers = new Set<Viewer>();
  #difference = new StatusDifference();
  /** The last look, for who begins to watch between two; null while nobody watches. */
  #last: Look | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isLooking = false;
  #isClosed = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#viewers.size >= MAX_VIEWERS;
  }

  /** Sends looks to a stream until it is closed. The stream is ended with the feed. */
  attach(stream: TextStream): void {
    if (this.#isClosed) {
      stream.end();
      return;
    }
    const viewer = new Viewer(stream);
    this.#viewers.add(viewer);
    stream.onClosed(() => {
      this.#viewers.delete(viewer);
      if (this.#viewers.size === 0) this.#rest();
    });
    stream.onDrained(() => {
      viewer.isBehind = false;
      if (viewer.hasMissed && this.#last !== null) viewer.send(snapshotOf(this.#last));
    });
    if (this.#last !== null) viewer.send(snapshotOf(this.#last));
    else if (!this.#isLooking) void this.#look();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#rest();
    for (const { stream } of this.#viewers) stream.end();
    this.#viewers.clear();
  }

  #rest(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#last = null;
    this.#difference = new StatusDifference();
  }

  async #look(): Promise<void> {
    const { status, refresh, onLook, onFault } = this.#options;
    this.#isLooking = true;
    try {
      onLook();
      await refresh();
      if (this.#viewers.size > 0) this.#send(status());
    } catch (error) {
      onFault(error);
    }
    this.#isLooking = false;
    if (this.#viewers.size === 0) return this.#rest();
    this.#timer = setTimeout(() => void this.#look(), PAUSE_MS);
  }

  #send(document: StatusDocument): void {
    this.#last = { atMs: Date.now(), document };
    const change = bytesOf({ kind: 'change', atMs: this.#last.atMs, ...this.#difference.take(document) });
    let snapshot: Buffer | undefined;
    for (const viewer of this.#viewers) {
      if (viewer.isBehind) viewer.hasMissed = true;
      else viewer.send(viewer.hasMissed ? (snapshot ??= snapshotOf(this.#last)) : change);
    }
  }
}

/** Who watches. */
class Viewer {
  readonly stream: TextStream;
  /** It has not read what it was sent. */
  isBehind = false;
  /** It needs the whole status. */
  hasMissed = true;

  constructor(stream: TextStream) {
    this.stream = stream;
  }

  send(message: Buffer): void {
    this.hasMissed = false;
    this.isBehind = !this.stream.write(message);
  }
}

function snapshotOf(look: Look): Buffer {
  return bytesOf({ kind: 'snapshot', ...look });
}

/** Encoded once for all viewers. */
function bytesOf(message: LiveMessage): Buffer {
  return Buffer.from(formatMessage(message));
}
