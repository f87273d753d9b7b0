import type { Command } from './command.js';

/**
 * Why nftables, or the access to it, failed. The names of errno are its answer or the kernel's.
 * Stable: once published, a code keeps its meaning.
 */
export const NFT_ERROR_CODES = {
  EBUSY: 'deleting what a rule or a verdict map refers to',
  EEXIST: '`create` of what exists; a set of another type; another value for a key of a map; overlapping intervals',
  EINTR: 'as the kernel reports',
  EINVAL: 'a map element without value; `reset` among other commands; an option out of its range',
  ELOOP: 'jumps in a circle, or too deep',
  EMLINK: 'jumps in a circle, or too deep',
  EMSGSIZE: 'as the kernel reports',
  ENFILE: 'the set is full (`size`)',
  ENOBUFS: 'as the kernel reports',
  ENOENT: 'what is named, or referred to, does not exist',
  ENOMEM: 'as the kernel reports',
  ENOSPC: 'as the kernel reports',
  EOPNOTSUPP: 'another priority for a base chain; a feature that this nft or kernel does not have',
  EPERM: 'no CAP_NET_ADMIN in the namespace',
  ERANGE: 'as the kernel reports',
  OVERFLOW: 'a listing larger than `maxOutputBytes`',
  SYNTAX: 'libnftables did not understand a command, or rejected it before the kernel saw it',
  TIMEOUT:
    'no answer within `timeoutMs`; the outcome is unknown. The spawned program is killed; a call into the library continues, and the next call waits for it',
  UNAVAILABLE:
    'no library, no program, koffi in use with small stacks, or the client is closed; an answer was lost ("outcome unknown")',
  UNKNOWN: 'none of these; read `detail`',
} as const satisfies Record<string, string>;

export type NftErrorCode = keyof typeof NFT_ERROR_CODES;

interface NftErrorContext {
  /** Index of the command that failed, if one was found. */
  readonly index?: number | undefined;
  readonly command?: Command | undefined;
  /** Index of the first element that failed inside an element command of several. */
  readonly element?: number | undefined;
  /** What nftables printed, whole. */
  readonly detail?: string | undefined;
  readonly cause?: unknown;
}

/**
 * The one error of this package. Nothing of the transaction was applied, unless the code is TIMEOUT or the message
 * says that the outcome is unknown.
 */
export class NftError extends Error {
  override readonly name = 'NftError';
  readonly code: NftErrorCode;
  readonly index: number | undefined;
  readonly command: Command | undefined;
  readonly element: number | undefined;
  readonly detail: string;

  constructor(code: NftErrorCode, message: string, context: NftErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.code = code;
    this.index = context.index;
    this.command = context.command;
    this.element = context.element;
    this.detail = context.detail ?? '';
  }
}

/** The words of whatever was thrown. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** An object that was named does not exist. */
export function isNotFound(error: unknown): error is NftError {
  return error instanceof NftError && error.code === 'ENOENT';
}

/** An object to be created already exists, or an element with another value does. */
export function isAlreadyExists(error: unknown): error is NftError {
  return error instanceof NftError && error.code === 'EEXIST';
}

/**
 * Messages of strerror(3). They are stable: neither libnftables nor Node calls setlocale(3), and the spawned nft runs
 * under LC_ALL=C.
 */
const STRERROR: readonly (readonly [text: string, code: NftErrorCode])[] = [
  ['No such file or directory', 'ENOENT'],
  ['File exists', 'EEXIST'],
  ['Device or resource busy', 'EBUSY'],
  ['Operation not permitted', 'EPERM'],
  ['Permission denied', 'EPERM'],
  ['Invalid argument', 'EINVAL'],
  ['Operation not supported', 'EOPNOTSUPP'],
  ['Protocol not supported', 'EOPNOTSUPP'],
  ['No space left on device', 'ENOSPC'],
  ['Too many open files in system', 'ENFILE'],
  ['Too many levels of symbolic links', 'ELOOP'],
  ['Too many links', 'EMLINK'],
  ['Cannot allocate memory', 'ENOMEM'],
  ['No buffer space available', 'ENOBUFS'],
  ['Message too long', 'EMSGSIZE'],
  ['Numerical result out of range', 'ERANGE'],
  ['Interrupted system call', 'EINTR'],
  ['interval overlaps with an existing one', 'EEXIST'],
  ['conflicting intervals specified', 'EEXIST'],
];

/** Code of what nftables printed: that of the first message, since later ones often only follow from it. */
export function classifyErrors(detail: string): NftErrorCode {
  const first = firstMessage(detail);
  for (const [text, code] of STRERROR) {
    if (first.includes(text)) {
      return code;
    }
  }
  return first === '' ? 'UNKNOWN' : 'SYNTAX';
}

/** The first message, without its location: in JSON mode that is always `internal:0:0-0`. */
export function firstMessage(detail: string): string {
  return /Error: (.*)/u.exec(detail)?.[1]?.trim() ?? detail.trim().split('\n')[0] ?? '';
}

/** A command in a few words for a message: `delete chain inet gwmark learn_1`. */
export function describeCommand(command: Command): string {
  const [verb, object] = soleEntry(command);
  const [kind, value] = soleEntry(object);
  const words = [verb, kind];
  if (typeof value === 'object' && value !== null) {
    const fields = new Map<string, unknown>(Object.entries(value));
    for (const field of ['family', 'table', 'chain', 'name']) {
      const text = fields.get(field);
      if (typeof text === 'string') {
        words.push(text);
      }
    }
    const handle = fields.get('handle');
    if (typeof handle === 'number') {
      words.push(`handle ${handle}`);
    }
  }
  return words.join(' ');
}

/**
 * The one property that identifies a command or an object. A caller without types may pass none: the message then
 * says `?`.
 */
function soleEntry(value: unknown): readonly [string, unknown] {
  const entries: readonly (readonly [string, unknown])[] =
    typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return entries[0] ?? ['?', undefined];
}
