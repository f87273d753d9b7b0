/** The kinds of commands, by the form of their answer. */
import type { Command } from './command.js';
import { ManagementError } from './errors.js';
import { commandError, type Reply, type ReplyGrammar, type StreamPosition } from './reply.js';

/** The line as its own label: it holds no secret. */
export function plain(
  line: string,
  grammar: ReplyGrammar,
): { readonly label: string; readonly line: string; readonly grammar: ReplyGrammar } {
  return { label: line, line, grammar };
}

/** A command whose result is only success or failure. */
export function acknowledged(line: string, grammar: ReplyGrammar = 'single'): Command<void> {
  return { ...plain(line, grammar), parse: (reply) => checkSuccess(line, reply) };
}

/** A command whose SUCCESS line carries a value. */
export function fact<T>(line: string, pattern: RegExp, build: (match: RegExpExecArray) => T): Command<T> {
  return {
    ...plain(line, 'single'),
    parse: (reply) => {
      checkSuccess(line, reply);
      const text = reply.statuses[0]?.text ?? '';
      return build(required(line, text, pattern.exec(text) ?? undefined));
    },
  };
}

/** A command that is answered by rows. */
export function rows<T>(line: string, parse: (lines: readonly string[], position: StreamPosition) => T): Command<T> {
  return {
    ...plain(line, 'multi'),
    parse: (reply) => {
      checkSuccess(line, reply);
      return parse(reply.lines, reply.position);
    },
  };
}

/** @throws ManagementError by what the daemon said if it refused */
export function checkSuccess(label: string, reply: Reply): void {
  const failed = reply.statuses.find(({ isSuccess }) => !isSuccess);
  if (failed !== undefined) throw commandError(label, failed.text);
}

/** The value that was read from `text`. @throws ManagementError MGMT_PROTOCOL if there is none */
export function required<T>(label: string, text: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new ManagementError(
    'MGMT_PROTOCOL',
    `command "${label}": the reply ${JSON.stringify(text.slice(0, 200))} does not parse`,
    {
      context: { command: label },
    },
  );
}
