import type { ByteString } from './bytes.js';
import type { RealtimeMessage } from './realtime-messages.js';

/** Messages by which OpenVPN waits for an answer, and which it repeats to a program that attaches meanwhile. */
const ASKING: ReadonlySet<string> = new Set([
  'HOLD',
  'NEED-OK',
  'NEED-STR',
  'NEED-CERTIFICATE',
  'RSA_SIGN',
  'PK_SIGN',
  'REMOTE',
  'PROXY',
]);
/** Messages that tell of progress: OpenVPN says none of them while it waits. */
const PROGRESS: ReadonlySet<string> = new Set(['STATE', 'CLIENT', 'UPDOWN']);

/** What answers what, by the first word of a command. */
const ANSWERS: Readonly<Record<string, RegExp>> = {
  hold: /^>HOLD:/,
  username: /^>PASSWORD:.* username\r\n/,
  password: /^>PASSWORD:/,
  needok: /^>NEED-OK:/,
  needstr: /^>NEED-STR:/,
  certificate: /^>NEED-CERTIFICATE:/,
  'rsa-sig': /^>(RSA|PK)_SIGN:/,
  'pk-sig': /^>(RSA|PK)_SIGN:/,
  remote: /^>REMOTE:/,
  proxy: /^>PROXY:/,
};

/** What OpenVPN waits for (manage.c `special_state_msg`, v2.6). */
export class OpenQuestion {
  #text: ByteString = '';

  /** The message that asks, with its CRLF; empty while OpenVPN waits for nothing. */
  get text(): ByteString {
    return this.#text;
  }

  heard({ type, rest, text }: RealtimeMessage): void {
    if (ASKING.has(type) || (type === 'PASSWORD' && rest.startsWith('Need '))) this.#text = text;
    else if (PROGRESS.has(type)) this.#text = '';
  }

  /** OpenVPN took an answer. */
  answered(command: string, parameters: readonly string[]): void {
    if (command === 'hold' && parameters[0] !== 'release') return;
    if (ANSWERS[command]?.test(this.#text) === true) this.#text = '';
  }

  clear(): void {
    this.#text = '';
  }
}
