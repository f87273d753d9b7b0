import { ManagementError } from './errors.js';
import { encodeText } from './text.js';

/** Longest parameter after unescaping (options.h OPTION_PARM_SIZE, v2.6; observed: 256 pass, 257 do not). */
export const MAX_ARGUMENT_BYTES = 256;

/**
 * Longest command line without its LF (manage.c command_line_new(1024), v2.6). A longer one is cleared without a word
 * and its tail runs as a command of its own.
 */
export const MAX_LINE_BYTES = 1023;

/**
 * Quotes a text as one parameter of the daemon's lexer, whatever is in it.
 *
 * @param name what it is, for the error
 * @throws ManagementError MGMT_ARGUMENT for a control character (the daemon deletes them in silence) and beyond 256
 * bytes of UTF-8
 * @see options_parse.c parse_line: inside `"` only `\\` and `\"` are legal escapes
 */
export function quoteArgument(name: string, text: string): string {
  checkText(name, text, MAX_ARGUMENT_BYTES);
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Checks a text that is sent unchanged: no control characters, at most `mostBytes` of UTF-8. */
export function checkText(name: string, text: string, mostBytes: number): void {
  const bytes = encodeText(text);
  for (const byte of bytes) {
    if (byte < 32 || byte === 127) {
      throw new ManagementError(
        'MGMT_ARGUMENT',
        `${name} holds the control character 0x${byte.toString(16).padStart(2, '0')}`,
      );
    }
  }
  if (bytes.length > mostBytes) {
    throw new ManagementError(
      'MGMT_ARGUMENT',
      `${name} has ${bytes.length} bytes, more than the ${mostBytes} that OpenVPN takes`,
    );
  }
}

/** @throws ManagementError MGMT_ARGUMENT unless `value` is a whole number in `least`..`most` */
export function checkInteger(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new ManagementError('MGMT_ARGUMENT', `${name}: ${value} is not a whole number in ${least}..${most}`);
}
