import { Secret } from 'openvpn-management-client';

/** What is in the place of a secret. */
const REDACTED = '***';

/** Fields deeper than this are cut: log data is flat, and a cycle must end. */
const MAX_DEPTH = 6;
/** Longest text of one field, in UTF-16 units; a management line may hold 64 KiB. */
const MAX_TEXT_LENGTH = 2000;
/** Most entries of one list or map. */
const MAX_ENTRIES = 200;

/** Compared with the key in lower case without `-`, `_` and blanks: `session_id`, `auth-token`, `CR_RESPONSE` ... */
const SECRET_KEY = /password|passwd|passphrase|secret|token|sessionid|authfile|crresponse|privatekey|credential/;
/** Keys that name where a secret lies, not the secret. */
const HARMLESS_KEY = /^(?:management)?passwordfile$/;
/** `password=x` inside a text, as OpenVPN prints its environment. */
const SECRET_ASSIGNMENT =
  /\b((?:\w*(?:password|session_id|auth[-_]token|CR_RESPONSE)\w*)\s*[=:]\s*)(?!\*{3})[^\s,;]+/gi;

/** Whether the value under this key is secret. */
export function isSecretKey(key: string): boolean {
  const plain = key.toLowerCase().replace(/[-_\s]/g, '');
  return SECRET_KEY.test(plain) && !HARMLESS_KEY.test(plain);
}

/**
 * Converts anything to plain JSON data: secrets become `***`, errors their code, message and cause, bigints decimal
 * text, dates ISO 8601, maps and sets objects and lists. Depth, length and text size are bounded; never throws on
 * data, cycles included.
 */
export function toLogData(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return cut(value.replace(SECRET_ASSIGNMENT, `$1${REDACTED}`));
    case 'bigint':
      return value.toString();
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'function':
    case 'symbol':
      return `[${typeof value}]`;
    case 'object':
      return value === null ? null : objectToLogData(value, depth);
    default:
      return undefined;
  }
}

function objectToLogData(value: object, depth: number): unknown {
  if (value instanceof Secret) return REDACTED;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (depth >= MAX_DEPTH) return '[too deep]';
  if (value instanceof Error) return errorToLogData(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map)
    return entriesToLogData(
      [...value.entries()].map(([key, item]) => [String(key), item]),
      depth,
    );
  if (value instanceof Set) return listToLogData([...value.values()], depth);
  if (Array.isArray(value)) return listToLogData(value, depth);
  return entriesToLogData(Object.entries(value), depth);
}

function errorToLogData(error: Error, depth: number): unknown {
  const code = 'code' in error ? error.code : undefined;
  return {
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : { name: error.name }),
    message: toLogData(error.message, depth + 1),
    ...(error.cause === undefined ? {} : { cause: toLogData(error.cause, depth + 1) }),
  };
}

function listToLogData(list: readonly unknown[], depth: number): unknown {
  const shown = list.slice(0, MAX_ENTRIES).map((item) => toLogData(item, depth + 1));
  return list.length > MAX_ENTRIES ? [...shown, `[${list.length - MAX_ENTRIES} more]`] : shown;
}

function entriesToLogData(entries: readonly (readonly [string, unknown])[], depth: number): unknown {
  const shown = entries
    .slice(0, MAX_ENTRIES)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => [key, isSecretKey(key) && item !== null ? REDACTED : toLogData(item, depth + 1)] as const);
  const rest = entries.length > MAX_ENTRIES ? [['more', entries.length - MAX_ENTRIES] as const] : [];
  return Object.fromEntries([...shown, ...rest]);
}

function cut(text: string): string {
  if (text.length <= MAX_TEXT_LENGTH) return text;
  return `${text.slice(0, MAX_TEXT_LENGTH)}[${text.length - MAX_TEXT_LENGTH} more]`;
}
