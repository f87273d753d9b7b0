import { ManagementError } from './errors.js';

/**
 * A string with one character (U+0000..U+00FF) a byte. The decoder works on these: one copy a chunk, no decoding
 * of what nobody reads, and no byte is lost.
 */
export type ByteString = string;

const NOT_ASCII = /\P{ASCII}/u;
const HIGH_BYTE = /[\u0080-\u00ff]/;
/** With the u flag, a pair counts as one character, so this finds only lone surrogates. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Up to this length V8 copies a substring; beyond it, the substring keeps its parent alive. */
const COPIED_LENGTH = 12;

/** How many CRLFs are in a text. */
export function countLines(text: ByteString): number {
  let count = 0;
  for (let end = text.indexOf('\r\n'); end !== -1; end = text.indexOf('\r\n', end + 2)) count += 1;
  return count;
}

/**
 * Copies a substring, so that keeping a common name does not keep the 64 KiB chunk it came in.
 */
export function detach(text: string): string {
  // A join of two is always one flat copy; a sum would be a piece of a longer text again.
  return text.length <= COPIED_LENGTH ? text : [text.charAt(0), text.slice(1)].join('');
}

/**
 * Turns bytes into text: UTF-8, and a byte that is no valid UTF-8 becomes U+DC00 + byte, as Python's
 * `surrogateescape` does. So two names that differ in bytes differ as text, and {@link encodeText} gives the bytes
 * back.
 */
export function decodeText(bytes: ByteString): string {
  if (!HIGH_BYTE.test(bytes)) return detach(bytes);
  const buffer = Buffer.from(bytes, 'latin1');
  try {
    return utf8.decode(buffer);
  } catch {
    return decodeEscaping(buffer);
  }
}

/** The byte string of a variable's name or another short text: most are ASCII, and are their own. */
export function toByteString(text: string): ByteString {
  return NOT_ASCII.test(text) ? encodeText(text).toString('latin1') : text;
}

/** The bytes of a text from {@link decodeText}, or of any text without lone surrogates. */
export function encodeText(text: string): Buffer {
  if (!LONE_SURROGATE.test(text)) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) parts.push(Buffer.of(code - 0xdc00));
    else if (code >= 0xd800 && code <= 0xdfff) {
      throw new ManagementError('MGMT_ARGUMENT', `text holds the lone surrogate U+${code.toString(16).toUpperCase()}`);
    } else parts.push(Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(parts);
}

function decodeEscaping(bytes: Buffer): string {
  let text = '';
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
      at += 1;
    } else {
      text += bytes.toString('utf8', at, at + length);
      at += length;
    }
  }
  return text;
}

/** The length of the valid UTF-8 sequence at `at`, 0 if there is none (Unicode 15, table 3-7). */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const second = bytes[at + 1] ?? 0;
  if (lead >= 0xc2 && lead <= 0xdf) return isContinuation(second) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const low = lead === 0xe0 ? 0xa0 : 0x80;
    const high = lead === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && isContinuation(bytes[at + 2] ?? 0) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const low = lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xf4 ? 0x8f : 0xbf;
    const isValid =
      second >= low && second <= high && isContinuation(bytes[at + 2] ?? 0) && isContinuation(bytes[at + 3] ?? 0);
    return isValid ? 4 : 0;
  }
  return 0;
}

function isContinuation(byte: number): boolean {
  return byte >= 0x80 && byte <= 0xbf;
}
