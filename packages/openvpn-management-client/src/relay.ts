import type { Command } from './command.js';
import type { SentinelName } from './reply.js';

/** A command that is passed on for another program: nothing of it or of its reply is understood here. */
export interface Relay {
  /** For errors: the command without its secrets. */
  readonly label: string;
  /** Its first word. */
  readonly name: string;
  /** The command, and the lines of its body with the final END, each with LF. */
  readonly bytes: Buffer;
  /** Called with each line of the reply as it arrives, CRLF included. It must not throw. */
  readonly onLine: (line: Buffer) => void;
}

/**
 * The command that sends a {@link Relay}. Its reply is everything up to the answer of `load-stats`, which is sent after
 * it: so any command can be passed on, whatever the form of its reply, or without one. OpenVPN does not log
 * `load-stats` (manage.c man_process_command, v2.6).
 *
 * It resolves when the reply is over, whatever it says. `timeoutMs` is the longest time without a line.
 */
export function relayed(relay: Relay): Command<void> {
  const { label, name, bytes, onLine } = relay;
  const sentinel: SentinelName = name === 'load-stats' ? 'pid' : 'load-stats';
  return {
    label,
    line: bytes.toString('latin1').trimEnd(),
    grammar: 'optional',
    relay: { name, bytes, sentinel, onLine },
    parse: () => undefined,
  };
}
