import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';

import winston from 'winston';

import { LOG_LEVELS, type LogEventAt, type LogEvent, type LogLevel } from './events.js';
import { toLogData } from './redact.js';
import { type LogEntry, renderJson, renderPretty } from './render.js';

export type { LogEvent, LogLevel } from './events.js';

/**
 * Data of one event, with units in the names (`delayMs`). Secrets are redacted by key, errors and bigints are
 * understood.
 */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * What the sidecar logs to. An event has one level (`events.ts`), and only the method of that level takes it.
 * Logging never throws and never waits. The line is made at the end of the current turn of the event loop, after what
 * the event is about: until then, the caller must not change what the fields have.
 */
export interface Logger {
  error(event: LogEventAt<'error'>, fields?: LogFields): void;
  warn(event: LogEventAt<'warn'>, fields?: LogFields): void;
  info(event: LogEventAt<'info'>, fields?: LogFields): void;
  debug(event: LogEventAt<'debug'>, fields?: LogFields): void;
  /** A logger that adds these fields to every event; fields of the event win. Shares the output, owns nothing. */
  child(fields: LogFields): Logger;
}

/** The logger that owns the output. */
export interface RootLogger extends Logger, AsyncDisposable {
  /** From now on the least urgent events that are logged, by this logger and by its children. */
  setLevel(level: LogLevel): void;
  /** Resolves when every event logged so far has been handed to the output; later events are dropped. Idempotent. */
  close(): Promise<void>;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `auto`: pretty where the output is a terminal, else json. */
  readonly format: 'auto' | 'json' | 'pretty';
  /** Where lines go, in the product standard error. Never ended by the logger; its errors are its owner's. */
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Colours are used in the pretty format on a terminal, unless this says no (`NO_COLOR`). Default true. */
  readonly allowColours?: boolean;
  /** The clock of the entries. Default: the system's. */
  readonly now?: () => Date;
}

/** Makes the logger of a process: winston, one line an event. The caller closes it before the process exits. */
export function createLogger(options: LoggerOptions): RootLogger {
  const isTerminal = options.output.isTTY === true;
  const isPretty = options.format === 'pretty' || (options.format === 'auto' && isTerminal);
  const hasColours = isPretty && isTerminal && options.allowColours !== false;
  const render = isPretty ? (entry: LogEntry) => renderPretty(entry, hasColours) : renderJson;

  const sink = new Writable({
    decodeStrings: false,
    // A terminal or pipe that went away must not stop the daemon: the error is the stream owner's.
    write: (line: string, _encoding, done) => void options.output.write(line, () => done()),
  });
  const output = openOutput(sink, options.level, (entry) => render(entry), options.now);
  output.isPatient = true;
  // A fault of ours ends the process within a turn: what led to it must not be lost.
  process.once('exit', output.onExit);
  return new BoundLogger(output, {});
}

/**
 * Makes a logger that writes to a stream of its own choice, at once: rendered lines, or in object mode winston's
 * records, whose property `entries` has the {@link LogEntry} items. The logger ends the stream on close.
 */
export function createLoggerOn(sink: Writable, level: LogLevel, render: (entry: LogEntry) => string): RootLogger {
  return new BoundLogger(openOutput(sink, level, render), {});
}

function openOutput(
  sink: Writable,
  level: LogLevel,
  render: (entry: LogEntry) => string,
  now: () => Date = () => new Date(),
): LogOutput {
  const log = winston.createLogger({
    // BoundLogger.#write drops what is below the level.
    level: 'lines',
    levels: { lines: 0 },
    // `entries` is put there by `flush` alone.
    format: winston.format.printf((record) =>
      (record['entries'] as readonly LogEntry[]).map((entry) => render(entry)).join('\n'),
    ),
    transports: [new winston.transports.Stream({ stream: sink, eol: '\n' })],
    exitOnError: false,
  });
  const output: LogOutput = {
    log,
    sink,
    now,
    maxRank: LOG_LEVELS.indexOf(level),
    isPatient: false,
    pending: [],
    onExit: () => flush(output),
    closed: undefined,
  };
  return output;
}

/** An event with its fields as they were given. */
interface PendingEntry {
  readonly time: Date;
  readonly level: LogLevel;
  readonly event: LogEvent;
  readonly fields: LogFields;
}

interface LogOutput {
  readonly log: winston.Logger;
  readonly sink: Writable;
  readonly now: () => Date;
  maxRank: number;
  /** Events wait for the end of the turn, and are written together. */
  isPatient: boolean;
  /** Those of this turn, not rendered yet. */
  pending: PendingEntry[];
  readonly onExit: () => void;
  closed: Promise<void> | undefined;
}

class BoundLogger implements RootLogger {
  readonly #output: LogOutput;
  readonly #fields: LogFields;

  constructor(output: LogOutput, fields: LogFields) {
    this.#output = output;
    this.#fields = fields;
  }

  error(event: LogEventAt<'error'>, fields: LogFields = {}): void {
    this.#write('error', event, fields);
  }

  warn(event: LogEventAt<'warn'>, fields: LogFields = {}): void {
    this.#write('warn', event, fields);
  }

  info(event: LogEventAt<'info'>, fields: LogFields = {}): void {
    this.#write('info', event, fields);
  }

  debug(event: LogEventAt<'debug'>, fields: LogFields = {}): void {
    this.#write('debug', event, fields);
  }

  setLevel(level: LogLevel): void {
    this.#output.maxRank = LOG_LEVELS.indexOf(level);
  }

  child(fields: LogFields): Logger {
    return new BoundLogger(this.#output, { ...this.#fields, ...fields });
  }

  close(): Promise<void> {
    this.#output.closed ??= drain(this.#output);
    return this.#output.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #write(level: LogLevel, event: LogEvent, fields: LogFields): void {
    const output = this.#output;
    if (LOG_LEVELS.indexOf(level) > output.maxRank || output.closed !== undefined) return;
    // Events lie on the path from a client's connect to its rule: redacting, rendering and writing wait.
    const length = output.pending.push({ time: output.now(), level, event, fields: { ...this.#fields, ...fields } });
    if (!output.isPatient) flush(output);
    else if (length === 1) setImmediate(flush, output);
  }
}

/** Writes what is pending. */
function flush(output: LogOutput): void {
  if (output.pending.length === 0) return;
  const entries = output.pending.map(({ time, level, event, fields }): LogEntry => ({
    time: time.toISOString(),
    level,
    event,
    // toLogData makes a plain object of a plain object.
    fields: toLogData(fields) as Record<string, unknown>,
  }));
  output.pending = [];
  output.log.log({ level: 'lines', message: '', entries });
}

async function drain(output: LogOutput): Promise<void> {
  flush(output);
  process.off('exit', output.onExit);
  const winstonDone = finished(output.log, { readable: false });
  output.log.end();
  await winstonDone;
  output.sink.end();
  await finished(output.sink);
}
