import { ManagementError } from './errors.js';
import type { ReplyLine } from './messages.js';
import { detach } from './text.js';

/**
 * How a command is answered. Only `single` ends by itself; every other is followed by the sentinel `pid`, whose
 * answer proves that the daemon is done, even where END is missing.
 *
 * - `single`: one SUCCESS or ERROR.
 * - `multi`: rows and END, or one ERROR.
 * - `single-multi`: SUCCESS, then rows and END; or one ERROR.
 * - `statuses`: one or more SUCCESS and ERROR lines, other lines between them.
 * - `optional`: like `statuses`, or nothing at all.
 * - `lines`: rows without END.
 */
export type ReplyGrammar = 'single' | 'multi' | 'single-multi' | 'statuses' | 'optional' | 'lines';

/** A place in the stream of notifications. */
export interface StreamPosition {
  readonly epoch: number;
  /** The number of the last notification before this place; 0 before the first. */
  readonly sequence: number;
}

/** A whole reply. */
export interface Reply {
  /** Where the reply began: notifications up to there came before the daemon made it, all others after. */
  readonly position: StreamPosition;
  readonly statuses: readonly { readonly isSuccess: boolean; readonly text: string }[];
  /** Rows, without END; none if a reader took them. */
  readonly lines: readonly string[];
}

/** Reads the rows of one reply as they come, so that they are not kept as text. */
export interface RowReader<T> {
  /** Takes the next row. It must not throw: what is wrong with a row is for `finish` to say. */
  push(row: string): void;
  /**
   * Called once, when the reply is whole; never, if it does not become that.
   *
   * @param reply without the rows
   * @throws ManagementError
   */
  finish(reply: Reply): T;
}

/** How many of the rows that a reader took are kept for errors. */
const LAST_ROWS = 8;

/** Collects one reply, line by line. */
export class ReplyCollector {
  readonly #grammar: ReplyGrammar;
  readonly #maxLines: number;
  readonly #reader: Pick<RowReader<unknown>, 'push'> | undefined;
  readonly #statuses: { isSuccess: boolean; text: string }[] = [];
  /** All rows; with a reader, the last few in a ring. */
  readonly #lines: string[] = [];
  #rowCount = 0;

  /** @param reader takes the rows, which are not kept then */
  constructor(grammar: ReplyGrammar, maxLines: number, reader?: Pick<RowReader<unknown>, 'push'>) {
    this.#grammar = grammar;
    this.#maxLines = maxLines;
    this.#reader = reader;
  }

  /** @param position where the reply began */
  reply(position: StreamPosition): Reply {
    return { position, statuses: this.#statuses, lines: this.#reader === undefined ? this.#lines : [] };
  }

  /**
   * Takes the next line.
   *
   * @returns `done` when the reply is whole, `more` when it is not, `stray` when the line is no part of it, `full`
   * when it has too many lines
   */
  push(line: ReplyLine): 'done' | 'more' | 'stray' | 'full' {
    if (this.#rowCount + this.#statuses.length >= this.#maxLines) return 'full';
    switch (this.#grammar) {
      case 'single':
        return this.#status(line) ? 'done' : 'stray';
      case 'multi':
        return this.#row(line, true);
      case 'single-multi':
        if (this.#statuses.length > 0) return this.#row(line, false);
        if (!this.#status(line)) return 'stray';
        return line.kind === 'error' ? 'done' : 'more';
      case 'statuses':
      case 'optional':
      case 'lines':
        if (!this.#status(line)) this.#take(textOf(line));
        return 'more';
      default:
        return 'stray';
    }
  }

  /** How many rows came so far. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Rows so far, in order; with a reader only the last few. */
  lastRows(): readonly string[] {
    if (this.#reader === undefined) return this.#lines;
    const oldest = this.#rowCount % LAST_ROWS;
    return [...this.#lines.slice(oldest), ...this.#lines.slice(0, oldest)].map((row) => detach(row));
  }

  /** The sentinel's answer came: is the reply complete as it is? */
  isWholeAtSentinel(): boolean {
    if (this.#grammar === 'statuses') return this.#statuses.length > 0;
    return this.#grammar === 'optional' || this.#grammar === 'lines';
  }

  #row(line: ReplyLine, canFail: boolean): 'done' | 'more' {
    if (line.kind === 'end') return 'done';
    if (line.kind === 'error' && canFail && this.#rowCount === 0) {
      this.#status(line);
      return 'done';
    }
    // A row of `status 1` starts with the client's name, which may be `ERROR: `.
    this.#take(textOf(line));
    return 'more';
  }

  #take(row: string): void {
    if (this.#reader === undefined) this.#lines.push(row);
    else {
      this.#lines[this.#rowCount % LAST_ROWS] = row;
      this.#reader.push(row);
    }
    this.#rowCount += 1;
  }

  #status(line: ReplyLine): boolean {
    if (line.kind !== 'success' && line.kind !== 'error') return false;
    this.#statuses.push({ isSuccess: line.kind === 'success', text: line.text });
    return true;
  }
}

/** A command whose answer shows that OpenVPN is done with the one before. */
export type SentinelName = 'pid' | 'load-stats';

const SENTINEL_ANSWERS: Readonly<Record<SentinelName, RegExp>> = {
  pid: /^pid=\d{1,10}$/,
  'load-stats': /^nclients=\d+,bytesin=\d+,bytesout=\d+$/,
};

/** True for the answer of the sentinel, `SUCCESS: pid=123`. */
export function isSentinel(line: ReplyLine, name: SentinelName = 'pid'): boolean {
  return line.kind === 'success' && SENTINEL_ANSWERS[name].test(line.text);
}

/**
 * Makes an error of the daemon's `ERROR:` text.
 *
 * @param label the command without its secrets
 * @see manage.c man_command_unsupported and man_dispatch_command: both texts are unchanged since 2.1, except 2.7's
 * `[name]` in the second
 */
export function commandError(label: string, text: string): ManagementError {
  const isUnsupported =
    text.includes('is not supported by the current daemon mode') || text.startsWith('unknown command');
  return new ManagementError(isUnsupported ? 'MGMT_UNSUPPORTED' : 'MGMT_COMMAND', `command "${label}": ${text}`, {
    context: { command: label, reply: text },
  });
}

function textOf(line: ReplyLine): string {
  switch (line.kind) {
    case 'success':
      return `SUCCESS: ${line.text}`;
    case 'error':
      return `ERROR: ${line.text}`;
    case 'end':
      return 'END';
    case 'line':
      return line.text;
    default:
      return '';
  }
}
