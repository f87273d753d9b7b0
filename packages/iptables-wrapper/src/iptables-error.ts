import type { Family, TableName } from './table.js';

/**
 * Why iptables or ipset, or the access to it, failed. The names of errno are its answer or the kernel's.
 * Stable: once published, a code keeps its meaning.
 */
export const IPTABLES_ERROR_CODES = {
  EBUSY: 'deleting a chain that a rule elsewhere leads to, or a set that a rule refers to',
  EEXIST: '`create` of what exists; a set of another type; an element that is already there',
  EINVAL:
    'an invalid name or word; a chain that the package does not own; an option that iptables does not understand, or a rule that the kernel rejects; an option of this package out of range',
  ELOCKED: 'another program kept the lock for longer than `lockWaitSeconds`; the message names it',
  ELOOP: 'jumps that lead a packet in a circle, or too deep',
  EMIXED: "both flavours have rules and none was named; nft's own rules made a table unreadable",
  ENFILE: 'the set is full',
  ENOENT: 'what is named, or referred to, does not exist: a chain, a rule, a target, a set, an element',
  ENOMEM: 'as the kernel reports',
  EOPNOTSUPP: 'an extension, or a type of set, that this installation or kernel does not have',
  EPERM: 'no CAP_NET_ADMIN in the namespace',
  OVERFLOW: 'a listing larger than `maxOutputBytes`',
  TIMEOUT: 'no answer within `timeoutMs`; the program is killed, the outcome is unknown',
  UNAVAILABLE: 'no program, no kernel support, a lock file that cannot be opened, or the client is closed',
  UNKNOWN: 'none of these; read `detail`',
} as const satisfies Record<string, string>;

export type IptablesErrorCode = keyof typeof IPTABLES_ERROR_CODES;

/** The unit of atomicity: one table of one family. */
export interface TableRef {
  readonly family: Family;
  readonly table: TableName;
}

export interface IptablesErrorContext {
  /** The part of the transaction that failed. */
  readonly part?: TableRef | undefined;
  /** Index of the command that failed, if it is known. */
  readonly index?: number | undefined;
  /** Number, from 1, of the failed line in the program's input. */
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

/** Something to be created already exists. */
export function isAlreadyExists(error: unknown): error is IptablesError {
  return error instanceof IptablesError && error.code === 'EEXIST';
}

/** `IPv4 mangle`. */
export function describePart({ family, table }: TableRef): string {
  return `IPv${family} ${table}`;
}
