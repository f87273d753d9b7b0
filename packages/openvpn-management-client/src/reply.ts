import { ManagementError } from './errors.js';
import type { ReplyLine } from './messages.js';

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
  /** Rows, without END. */
  readonly lines: readonly string[];
}

/** Collects one reply, line by line. */
export class ReplyCollector {
  readonly #grammar: ReplyGrammar;
  readonly #maxLines: number;
  readonly #statuses: { isSuccess: boolean; text: string }[] = [];
  readonly #lines: string[] = [];

  constructor(grammar: ReplyGrammar, maxLines: number) {
    this.#grammar = grammar;
    this.#maxLines = maxLines;
  }

  /** @param position where the reply began */
  reply(position: StreamPosition): Reply {
    return { position, statuses: this.#statuses, lines: this.#lines };
  }

  /**
   * Takes the next line.
   *
   * @returns `done` when the reply is whole, `more` when it is not, `stray` when the line is no part of it, `full` when it has too many lines
   */
  push(line: ReplyLine): 'done' | 'more' | 'stray' | 'full' {
    if (this.#lines.length + this.#statuses.length >= this.#maxLines) return 'full';
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
        if (!this.#status(line)) this.#lines.push(textOf(line));
        return 'more';
      default:
        return 'stray';
    }
  }

  /** Rows so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** The sentinel's answer came: is the reply whole as it stands? */
  isWholeAtSentinel(): boolean {
    if (this.#grammar === 'statuses') return this.#statuses.length > 0;
    return this.#grammar === 'optional' || this.#grammar === 'lines';
  }

  #row(line: ReplyLine, canFail: boolean): 'done' | 'more' {
    if (line.kind === 'end') return 'done';
    if (line.kind === 'error' && canFail && this.#lines.length === 0) {
      this.#status(line);
      return 'done';
    }
    // A row of `status 1` begins with a client's own words, `ERROR: ` among them.
    this.#lines.push(textOf(line));
    return 'more';
  }

  #status(line: ReplyLine): boolean {
    if (line.kind !== 'success' && line.kind !== 'error') return false;
    this.#statuses.push({ isSuccess: line.kind === 'success', text: line.text });
    return true;
  }
}

/** True for the answer of the sentinel, `SUCCESS: pid=123`. */
export function isSentinel(line: ReplyLine): boolean {
  return line.kind === 'success' && /^pid=\d{1,10}$/.test(line.text);
}

/**
 * Makes an error of the daemon's `ERROR:` text.
 *
 * @param label the command without its secrets
 * @see manage.c man_command_unsupported and man_dispatch_command: both texts are unchanged since 2.1, but for 2.7's `[name]` in the second
 */
export function commandError(label: string, text: string): ManagementError {
  const isUnsupported = text.includes('is not supported by the current daemon mode') || text.startsWith('unknown command');
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
