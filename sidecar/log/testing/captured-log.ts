import { Writable } from 'node:stream';

import { createLoggerOn, type RootLogger } from '../logger.js';
import type { LogEvent } from '../events.js';
import { type LogEntry, renderJson } from '../render.js';

/** A real logger whose entries are kept in memory, redacted as they would be printed. */
export interface CapturedLog {
  readonly logger: RootLogger;
  /** In the order of logging; grows. */
  readonly entries: readonly LogEntry[];
  /** The entries of one event. */
  readonly of: (event: LogEvent) => readonly LogEntry[];
  /** The entries as JSON lines, for the message of a failing test. */
  readonly text: () => string;
}

/** Captures every level. Nothing needs to be closed. */
export function captureLog(): CapturedLog {
  const entries: LogEntry[] = [];
  const sink = new Writable({
    objectMode: true,
    write: (record: { readonly entries: readonly LogEntry[] }, _encoding, done) => {
      entries.push(...record.entries);
      done();
    },
  });
  return {
    logger: createLoggerOn(sink, 'debug', renderJson),
    entries,
    of: (event) => entries.filter((entry) => entry.event === event),
    text: () => entries.map((entry) => renderJson(entry)).join('\n'),
  };
}
