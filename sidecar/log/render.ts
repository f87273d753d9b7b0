import type { LogEvent, LogLevel } from './events.js';
import { printable } from './printable.js';

/** One event as it is printed: its fields are plain data already (`toLogData`). */
export interface LogEntry {
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string;
  readonly level: LogLevel;
  readonly event: LogEvent;
  readonly fields: Readonly<Record<string, unknown>>;
}

const RESERVED: ReadonlySet<string> = new Set(['time', 'level', 'event']);
const COLOURS: Readonly<Record<LogLevel, number>> = { error: 31, warn: 33, info: 32, debug: 90 };
/** A value that needs no quotes in the pretty form. */
const BARE = /^[\p{L}\p{N}_.:/@%+*,-]+$/u;

/** One JSON object: `time`, `level`, `event`, then the fields; a field of one of these names gets a `_` appended. */
export function renderJson(entry: LogEntry): string {
  const fields = Object.entries(entry.fields).map(
    ([key, value]) => [RESERVED.has(key) ? `${key}_` : key, value] as const,
  );
  return JSON.stringify({ time: entry.time, level: entry.level, event: entry.event, ...Object.fromEntries(fields) });
}

/**
 * One line for eyes: time, level, event, `key=value` pairs; text that is no plain word is quoted, nothing breaks the
 * line.
 */
export function renderPretty(entry: LogEntry, hasColours: boolean): string {
  const level = entry.level.padEnd(5);
  const shownLevel = hasColours ? `\u001b[${COLOURS[entry.level]}m${level}\u001b[39m` : level;
  const pairs = Object.entries(entry.fields).map(([key, value]) => ` ${printable(key)}=${renderValue(value)}`);
  return `${entry.time} ${shownLevel} ${entry.event}${pairs.join('')}`;
}

function renderValue(value: unknown): string {
  if (typeof value === 'string') return BARE.test(value) ? value : printable(JSON.stringify(value));
  if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string' && BARE.test(item))) {
    return value.join(',');
  }
  return printable(JSON.stringify(value));
}
