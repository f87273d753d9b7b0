const NOTHING: readonly LineRun[] = [];
/** The end of a line that is followed by a line which is no notification. */
const BEFORE_REPLY = /\r\n(?!>|$)/g;

/** Whole lines of one kind that follow each other in the stream. */
export interface LineRun {
  /** Lines that answer a command; others are of notifications, and begin with `>`. */
  readonly isReply: boolean;
  /** With their CRLFs. */
  readonly bytes: Buffer;
}

/** Cuts the bytes of the management interface, after the banner, into runs of whole lines. */
export class LineRuns {
  #rest: Buffer = Buffer.alloc(0);

  /** How many bytes of an incomplete line are kept; it has no limit of its own. */
  get pending(): Buffer {
    return this.#rest;
  }

  /** @param chunk may be kept in part until the next call */
  push(chunk: Buffer): readonly LineRun[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.lastIndexOf('\r\n') + 1;
    // A copy: a few bytes must not keep the chunk that they came in.
    this.#rest = Buffer.from(end === 0 ? bytes : bytes.subarray(end + 1));
    if (end === 0) return NOTHING;
    const text = bytes.toString('latin1', 0, end + 1);
    const runs: LineRun[] = [];
    for (let at = 0; at < text.length;) {
      const isReply = !text.startsWith('>', at);
      const next = isReply ? endOfReplies(text, at) : endOfNotifications(text, at);
      runs.push({ isReply, bytes: bytes.subarray(at, next) });
      at = next;
    }
    return runs;
  }
}

/** The lines of a run, each with its CRLF. */
export function linesOf(bytes: Buffer): readonly Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf('\r\n', at);
    const next = end === -1 ? bytes.length : end + 2;
    lines.push(bytes.subarray(at, next));
    at = next;
  }
  return lines;
}

function endOfReplies(text: string, at: number): number {
  const end = text.indexOf('\r\n>', at);
  return end === -1 ? text.length : end + 2;
}

function endOfNotifications(text: string, at: number): number {
  BEFORE_REPLY.lastIndex = at;
  const match = BEFORE_REPLY.exec(text);
  return match === null ? text.length : match.index + 2;
}
