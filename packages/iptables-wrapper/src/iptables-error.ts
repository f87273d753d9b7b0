import type { Family, TableName } from './table.js';

/**
 * Why iptables or ipset, or the way to them, refused.
 *
 * ENOENT: what is named, or referred to, does not exist. EEXIST: what is created exists. EBUSY: something refers to what is deleted.
 * ELOOP: jumps in a circle, or too deep. ENFILE: the set is full. EINVAL: not understood by us, by the program or by the kernel.
 * EOPNOTSUPP: an extension or a type of set that this installation or kernel does not have. EPERM: no CAP_NET_ADMIN. ENOMEM: as the kernel says.
 * ELOCKED: another program kept the lock for longer than the wait. EMIXED: both flavours hold rules, or a table of nft's own is in the way.
 * UNAVAILABLE: no program, no kernel support, or closed. TIMEOUT: no answer in time, outcome unknown. OVERFLOW: more output than allowed.
 * UNKNOWN: none of these; read `detail`.
 */
export type IptablesErrorCode =
  | 'EBUSY'
  | 'EEXIST'
  | 'EINVAL'
  | 'ELOCKED'
  | 'ELOOP'
  | 'EMIXED'
  | 'ENFILE'
  | 'ENOENT'
  | 'ENOMEM'
  | 'EOPNOTSUPP'
  | 'EPERM'
  | 'OVERFLOW'
  | 'TIMEOUT'
  | 'UNAVAILABLE'
  | 'UNKNOWN';

/** The unit of atomicity: one table of one family. */
export interface TableRef {
  readonly family: Family;
  readonly table: TableName;
}

export interface IptablesErrorContext {
  /** The part of the transaction that failed. */
  readonly part?: TableRef | undefined;
  /** Index of the command that failed, where it is known. */
  readonly index?: number | undefined;
  /** Number, from 1, of the line that failed in what the program was given. */
  readonly line?: number | undefined;
  /** That line: a rule, a chain, an element. */
  readonly text?: string | undefined;
  /** Parts of the same call that were applied before this one failed. */
  readonly applied?: readonly TableRef[] | undefined;
  /** What the program printed, whole. */
  readonly detail?: string | undefined;
  readonly cause?: unknown;
}

/** The one error of this package. Nothing was applied, unless the code is TIMEOUT or `applied` names parts. */
export class IptablesError extends Error {
  override readonly name = 'IptablesError';
  readonly code: IptablesErrorCode;
  readonly part: TableRef | undefined;
  readonly index: number | undefined;
  readonly line: number | undefined;
  readonly text: string | undefined;
  readonly applied: readonly TableRef[];
  readonly detail: string;

  constructor(code: IptablesErrorCode, message: string, context: IptablesErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.code = code;
    this.part = context.part;
    this.index = context.index;
    this.line = context.line;
    this.text = context.text;
    this.applied = context.applied ?? [];
    this.detail = context.detail ?? '';
  }
}

/** Something that was named does not exist. */
export function isNotFound(error: unknown): error is IptablesError {
  return error instanceof IptablesError && error.code === 'ENOENT';
}

/** Something that was to be created exists. */
export function isAlreadyExists(error: unknown): error is IptablesError {
  return error instanceof IptablesError && error.code === 'EEXIST';
}

/** `IPv4 mangle`. */
export function describePart({ family, table }: TableRef): string {
  return `IPv${family} ${table}`;
}
