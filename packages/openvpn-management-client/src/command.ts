import { checkText, MAX_LINE_BYTES } from './argument.js';
import { ManagementError } from './errors.js';
import type { Notification } from './messages.js';
import type { Reply, ReplyGrammar, RowReader, SentinelName } from './reply.js';
import { encodeText } from './text.js';

/** One management command: what to send, the form of its answer, and the parser. */
export interface Command<T> {
  /** For logs and errors: the command with its secrets as `***`. */
  readonly label: string;
  /** The line, without LF. */
  readonly line: string;
  /** Lines that follow the first one, without the final END. */
  readonly body?: readonly string[];
  readonly grammar: ReplyGrammar;
  /** For commands that are answered by a notification: is it this one? */
  readonly isAnswer?: (notification: Notification) => boolean;
  /** For long tables: begins to read one reply row by row. Its reader then makes the value in place of `parse`. */
  readonly readRows?: () => RowReader<T>;
  /** For a command of another program, see {@link relayed}: it is sent as these bytes, and its reply is not read. */
  readonly relay?: RelayedBytes;
  /**
   * Turns a whole reply into a value.
   * @throws ManagementError
   */
  readonly parse: (reply: Reply, answer: Notification | undefined) => T;
}

/** The bytes of a command of another program. */
export interface RelayedBytes {
  readonly name: string;
  readonly bytes: Buffer;
  readonly sentinel: SentinelName;
  /** Takes each line of the reply, CRLF included. */
  readonly onLine: (line: Buffer) => void;
}

/** Longest line of a body: each is imported like a line of a configuration file (options.h OPTION_LINE_SIZE, v2.6). */
const MAX_BODY_LINE_BYTES = 255;

/**
 * First words that a body line may not have. When the daemon refuses the header of a command with a body, it takes
 * the body's lines for commands; none of them may then mean anything.
 * @see manage.c man_dispatch_command, v2.6 and master 3de92608
 */
const COMMAND_NAMES = new Set(
  `exit quit help version pid nclients env-filter signal load-stats status kill verb mute auth-retry log state echo bytecount hold
   bytecount-cli rsa-sig pk-sig certificate username password forget-passwords needok needstr cr-response net auth-token
   client-kill client-deny client-auth-nt client-auth client-pending-auth client-pf test proxy remote remote-entry-count
   remote-entry-get pkcs11-id-count pkcs11-id-get network-change push-update-broad push-update-cid`.split(/\s+/),
);

/**
 * The bytes of a command, LF included.
 *
 * @throws ManagementError MGMT_ARGUMENT for what the daemon would cut, drop or run as something else
 */
export function serializeCommand(command: Command<unknown>): Buffer {
  if (command.relay !== undefined) return command.relay.bytes;
  checkText(`command "${command.label}"`, command.line, MAX_LINE_BYTES);
  if (command.body === undefined) return encodeText(`${command.line}\n`);
  for (const [index, line] of command.body.entries()) {
    const name = `command "${command.label}": line ${index + 1} of its body`;
    checkText(name, line, MAX_BODY_LINE_BYTES);
    const firstWord = /^[\s"']*([^\s"']*)/.exec(line)?.[1] ?? '';
    if (line.trim() === 'END' || COMMAND_NAMES.has(firstWord)) {
      throw new ManagementError(
        'MGMT_ARGUMENT',
        `${name} begins with "${firstWord}", which the management interface takes for its own`,
      );
    }
  }
  return encodeText([command.line, ...command.body, 'END', ''].join('\n'));
}
