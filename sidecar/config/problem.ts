import { printable } from '../log/printable.js';

/** Where a value of the configuration was given. */
export type Source =
  | { readonly kind: 'default' }
  | { readonly kind: 'flag'; readonly flag: string }
  | { readonly kind: 'env'; readonly name: string }
  /** `line` counts from 1; null if a fault is of the whole file. */
  | { readonly kind: 'file'; readonly file: string; readonly line: number | null };

/** One error of the configuration. `gwmark check --json` prints these. */
export interface ConfigProblem {
  /** Dotted path of the setting, or of the unknown key; empty if a whole source is invalid. */
  readonly path: string;
  /** In words: `gwmark.yaml:3`, `GWMARK_TABLE`, `--table` or `default`. */
  readonly source: string;
  /** The offending value as it was written, null if there is none to show. */
  readonly value: string | null;
  /** What would have been right. */
  readonly expected: string;
}

/** Longest part of a value that a message shows, in UTF-16 units. */
const MAX_SHOWN = 80;

/** The source in few words. */
export function formatSource(source: Source): string {
  switch (source.kind) {
    case 'default':
      return 'default';
    case 'flag':
      return source.flag;
    case 'env':
      return source.name;
    case 'file':
      return source.line === null ? source.file : `${source.file}:${source.line}`;
    default:
      return assertNever(source);
  }
}

/** A raw value for a message, on one line and of bounded length. */
export function showValue(raw: unknown): string {
  const shown = Array.isArray(raw) ? `[${raw.map((item) => showOne(item)).join(', ')}]` : showOne(raw);
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}...` : shown;
}

/** All errors in one message, one line each. */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  const lines = problems.map(({ path, source, value, expected }) => {
    const place = path === '' ? source : `${path} (${source})`;
    return `  ${place}: ${value === null ? '' : `${value}; `}expected ${expected}`;
  });
  const count = problems.length === 1 ? '1 error' : `${problems.length} errors`;
  return [`invalid configuration: ${count}`, ...lines].join('\n');
}

function showOne(raw: unknown): string {
  const isPlainWord = typeof raw === 'string' && /^[\w.:/-]+$/.test(raw);
  return isPlainWord ? raw : printable(JSON.stringify(raw) ?? String(raw));
}

function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
