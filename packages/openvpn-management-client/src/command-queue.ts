import { systemClock, type Clock, type Timer } from './clock.js';
import { serializeCommand, type Command } from './command.js';
import { abortError, ManagementError } from './errors.js';
import type { Notification, ReplyLine } from './messages.js';
import { isSentinel, ReplyCollector, type RowReader, type SentinelName, type StreamPosition } from './reply.js';

/** How one command is to be run. */
export interface ExecuteOptions {
  /** Time for the whole reply from the moment of sending, 1..3600000 ms; default: the queue's. */
  readonly timeoutMs?: number;
  /** Cancels the command. If it was already sent, its reply is still awaited, and dropped. */
  readonly signal?: AbortSignal;
}

export interface CommandQueueOptions {
  /** Writes bytes to the daemon, in order. */
  readonly write: (bytes: Uint8Array) => void;
  readonly timeoutMs: number;
  readonly maxReplyLines: number;
  readonly clock?: Clock;
  /** Where the stream of notifications is now; asked once a reply, at its first line. */
  readonly position?: () => StreamPosition;
  /** The daemon and this client are permanently out of sync: the connection must end. Called once. */
  readonly onStuck: (error: ManagementError) => void;
}

/** Says why a command must not be sent (any more); looked at right before the bytes go out. */
export type Precondition = () => ManagementError | undefined;

interface Job {
  readonly command: Command<unknown>;
  readonly bytes: Uint8Array;
  readonly collector: ReplyCollector;
  readonly reader: RowReader<unknown> | undefined;
  readonly timeoutMs: number;
  readonly precondition: Precondition | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** The caller has its answer; the queue still has to get back in sync. */
  isSettled: boolean;
  sentinel: SentinelName;
  /** Answers of the sentinel still to come before the next command may go out. */
  sentinelsAwaited: number;
  /** A relayed command: a line came since its timer started. */
  hasProgress: boolean;
  answer: Notification | undefined;
  position: StreamPosition | undefined;
  timer: Timer | undefined;
}

/** Ends the body that a command of another program may have begun; where there is none, OpenVPN answers ERROR. */
const END_OF_BODY = 'END\n';

/**
 * Runs commands one at a time, because the protocol has no request ids.
 *
 * A command that is not answered by exactly one line is followed by the sentinel `pid` in the same write: its answer
 * proves that the daemon is done, so a missing END is an error at once (MGMT_TRUNCATED) and never a wait, and nothing
 * late reaches the next command. A timed-out or aborted command keeps its slot until its sentinel came back; if that
 * does not happen in another `timeoutMs`, the connection is given up.
 */
export class CommandQueue {
  readonly #options: CommandQueueOptions;
  readonly #clock: Clock;
  readonly #waiting: Job[] = [];
  #current: Job | undefined;
  #failure: ManagementError | undefined;
  #strayLines = 0;

  constructor(options: CommandQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Reply lines that no command was waiting for, since the beginning. */
  get strayLines(): number {
    return this.#strayLines;
  }

  /** Commands not yet answered, the one in flight included. */
  get size(): number {
    return this.#waiting.length + (this.#current === undefined ? 0 : 1);
  }

  /**
   * Appends a command; resolves with its parsed reply.
   *
   * @throws ManagementError MGMT_ARGUMENT, MGMT_COMMAND, MGMT_UNSUPPORTED, MGMT_TIMEOUT, MGMT_TRUNCATED,
   * MGMT_OVERFLOW, MGMT_ABORTED,
   *   what `precondition` returns, or what `fail` was called with
   */
  async execute<T>(command: Command<T>, options: ExecuteOptions = {}, precondition?: Precondition): Promise<T> {
    const { signal } = options;
    if (this.#failure !== undefined) throw this.#failure;
    if (signal?.aborted === true) throw abortError(signal, `command "${command.label}"`);
    const bytes = serializeCommand(command);
    const reader = command.readRows?.();
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        const job: Job = {
          command,
          bytes,
          collector: new ReplyCollector(command.grammar, this.#options.maxReplyLines, reader),
          reader,
          timeoutMs: options.timeoutMs ?? this.#options.timeoutMs,
          precondition,
          resolve: resolve as (value: unknown) => void, // only ever called with what this command's own parse or reader returned
          reject,
          isSettled: false,
          sentinel: command.relay?.sentinel ?? 'pid',
          sentinelsAwaited: 0,
          hasProgress: false,
          answer: undefined,
          position: undefined,
          timer: undefined,
        };
        onAbort = (): void => {
          if (signal !== undefined) this.#giveUp(job, abortError(signal, `command "${command.label}"`));
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        this.#waiting.push(job);
        this.#startNext();
      });
    } finally {
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Takes the next reply line of the stream.
   *
   * @param bytes the same with its CRLF, for a relayed command
   */
  push(line: ReplyLine, bytes?: Buffer): void {
    const job = this.#current;
    if (job === undefined) {
      this.#strayLines += 1;
      return;
    }
    job.position ??= this.#position();
    const isAnswerOfSentinel = job.sentinelsAwaited > 0 && isSentinel(line, job.sentinel);
    if (job.isSettled) {
      if (isAnswerOfSentinel) this.#sentinelCame(job);
      return;
    }
    if (isAnswerOfSentinel) {
      if (job.collector.isWholeAtSentinel()) this.#complete(job);
      else this.#settle(job, truncated(job));
      this.#sentinelCame(job);
      return;
    }
    if (job.command.relay !== undefined) {
      job.hasProgress = true;
      if (bytes !== undefined) job.command.relay.onLine(bytes);
      return;
    }
    switch (job.collector.push(line)) {
      case 'more':
        return;
      case 'stray':
        this.#strayLines += 1;
        return;
      case 'full':
        this.#giveUp(
          job,
          new ManagementError(
            'MGMT_OVERFLOW',
            `command "${job.command.label}": more than ${this.#options.maxReplyLines} reply lines`,
          ),
        );
        return;
      case 'done':
        this.#complete(job);
        if (job.sentinelsAwaited === 0) this.#finish(job);
        return;
      default:
    }
  }

  /** Passes a notification to the command in flight: a few commands are answered by one. */
  notice(notification: Notification): void {
    const job = this.#current;
    if (job?.command.isAnswer?.(notification) === true) job.answer ??= notification;
  }

  /** Ends the queue: everything in it, and everything later, rejects with `error`. */
  fail(error: ManagementError): void {
    this.#failure ??= error;
    const jobs = this.#current === undefined ? this.#waiting.splice(0) : [this.#current, ...this.#waiting.splice(0)];
    this.#current = undefined;
    for (const job of jobs) this.#settle(job, error);
  }

  #position(): StreamPosition {
    return this.#options.position?.() ?? { epoch: 0, sequence: 0 };
  }

  #startNext(): void {
    while (this.#current === undefined) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      const refusal = job.precondition?.();
      if (refusal === undefined) this.#send(job);
      else this.#settle(job, refusal);
    }
  }

  #send(job: Job): void {
    this.#current = job;
    this.#startTimer(job);
    if (job.command.grammar === 'single') this.#options.write(job.bytes);
    else {
      job.sentinelsAwaited = 1;
      this.#options.write(Buffer.concat([job.bytes, Buffer.from(`${job.sentinel}\n`)]));
    }
  }

  #startTimer(job: Job): void {
    job.timer = this.#clock.startTimer(job.timeoutMs, () => {
      if (job.hasProgress) {
        job.hasProgress = false;
        this.#startTimer(job);
        return;
      }
      this.#giveUp(
        job,
        new ManagementError(
          'MGMT_TIMEOUT',
          `command "${job.command.label}": no whole reply within ${job.timeoutMs} ms`,
          context(job),
        ),
      );
    });
  }

  /** Ends the caller's wait; the slot stays taken until the daemon is known to be done with the command. */
  #giveUp(job: Job, error: ManagementError): void {
    if (job.isSettled) return;
    this.#settle(job, error);
    if (this.#current !== job) {
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      return;
    }
    const { relay } = job.command;
    if (relay !== undefined) {
      // It may have a body that nobody knows of, and the sentinel be a line of it. The other one proves the end: what
      // comes before its answer is late.
      job.sentinel = job.sentinel === 'pid' ? 'load-stats' : 'pid';
      job.sentinelsAwaited = relay.name === job.sentinel ? 2 : 1;
      this.#options.write(Buffer.from(`${END_OF_BODY}${job.sentinel}\n`));
    } else if (job.sentinelsAwaited === 0) {
      // A late answer of `pid` itself looks like the sentinel's: then there are two to wait for.
      job.sentinelsAwaited = job.command.line === 'pid' ? 2 : 1;
      this.#options.write(Buffer.from(`${job.sentinel}\n`));
    }
    this.#awaitSentinel(job);
  }

  #complete(job: Job): void {
    try {
      const reply = job.collector.reply(job.position ?? this.#position());
      this.#settleWith(
        job,
        job.reader === undefined ? job.command.parse(reply, job.answer) : job.reader.finish(reply),
      );
    } catch (error) {
      this.#settle(job, error);
    }
    if (job.sentinelsAwaited > 0) this.#awaitSentinel(job);
  }

  #awaitSentinel(job: Job): void {
    job.timer = this.#clock.startTimer(job.timeoutMs, () => {
      const error = new ManagementError(
        'MGMT_TIMEOUT',
        `get back in step after command "${job.command.label}": no answer within ${job.timeoutMs} ms`,
        context(job),
      );
      this.fail(error);
      this.#options.onStuck(error);
    });
  }

  #sentinelCame(job: Job): void {
    job.sentinelsAwaited -= 1;
    if (job.sentinelsAwaited === 0) this.#finish(job);
  }

  #finish(job: Job): void {
    job.timer?.cancel();
    this.#current = undefined;
    this.#startNext();
  }

  #settleWith(job: Job, value: unknown): void {
    job.timer?.cancel();
    job.isSettled = true;
    job.resolve(value);
  }

  #settle(job: Job, error: unknown): void {
    job.timer?.cancel();
    if (job.isSettled) return;
    job.isSettled = true;
    job.reject(error);
  }
}

function truncated(job: Job): ManagementError {
  return new ManagementError(
    'MGMT_TRUNCATED',
    `command "${job.command.label}": the daemon broke the reply off after ${job.collector.rowCount} lines`,
    {
      context: { command: job.command.label, lines: job.collector.lastRows() },
    },
  );
}

function context(job: Job): { readonly context: { readonly command: string } } {
  return { context: { command: job.command.label } };
}
