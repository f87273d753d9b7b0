import {
  CommandQueue,
  Decoder,
  isManagementError,
  isNotification,
  type ManagementError,
} from 'openvpn-management-client';
import { ManualClock } from 'openvpn-management-client/testing';

/** How long the queue of {@link open} waits. */
export const TIMEOUT_MS = 1000;

/** A queue whose other side is the test: what was written, and what the daemon says. */
export function open(maxReplyLines = 1000) {
  const written: string[] = [];
  const stuck: ManagementError[] = [];
  const clock = new ManualClock();
  const decoder = new Decoder();
  const queue = new CommandQueue({
    write: (bytes) => written.push(Buffer.from(bytes).toString('latin1')),
    timeoutMs: TIMEOUT_MS,
    maxReplyLines,
    clock,
    onStuck: (error) => stuck.push(error),
  });
  const say = (...lines: readonly string[]): void => {
    for (const message of decoder.push(Buffer.from(lines.map((line) => `${line}\r\n`).join(''), 'latin1'))) {
      if (isNotification(message)) queue.notice(message);
      else if (message.kind !== 'password-prompt') queue.push(message);
    }
  };
  return { queue, written, stuck, clock, say };
}

/** For assert.rejects. */
export const withCode =
  (code: Parameters<typeof isManagementError>[1]) =>
  (error: unknown): boolean =>
    isManagementError(error, code);
