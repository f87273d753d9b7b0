import type { ByteString } from './bytes.js';

/** One real-time message of OpenVPN. */
export interface RealtimeMessage {
  /** The word between `>` and `:`, `CLIENT`. */
  readonly type: string;
  /** What follows in its first line, `CONNECT,3,0`. */
  readonly rest: ByteString;
  /** All of its lines, those of its environment among them, each with its CRLF. */
  readonly text: ByteString;
}

/** The lines of an environment; `>CLIENT:ADDRESS` has none. */
const ENVIRONMENT = /^>(CLIENT|UPDOWN):ENV,/;
const FIRST_LINE = /^>([^:\r]*):?(.*)\r\n/;
const MAX_BLOCK_BYTES = 1 << 20;

/** Cuts runs of notification lines into messages; one with an environment comes whole, with its last line. */
export class RealtimeMessages {
  #block: { readonly prefix: string; text: ByteString } | null = null;

  /** @param run whole lines, each beginning with `>` */
  push(run: ByteString): readonly RealtimeMessage[] {
    const messages: RealtimeMessage[] = [];
    for (let at = 0; at < run.length;) {
      const end = run.indexOf('\r\n', at);
      const next = end === -1 ? run.length : end + 2;
      at =
        this.#block !== null && run.startsWith(this.#block.prefix, at)
          ? this.#continueBlock(this.#block, run, at, messages)
          : this.#begin(run.slice(at, next), next, messages);
    }
    return messages;
  }

  /** Takes the lines of the open block from `at` on. @returns where it ends, or something else begins */
  #continueBlock(
    block: { readonly prefix: string; text: ByteString },
    run: ByteString,
    at: number,
    messages: RealtimeMessage[],
  ): number {
    const last = `${block.prefix}END\r\n`;
    let next = at;
    let isOver = false;
    while (!isOver && run.startsWith(block.prefix, next)) {
      isOver = run.startsWith(last, next);
      next = run.indexOf('\r\n', next) + 2;
    }
    block.text += run.slice(at, next);
    if (isOver || block.text.length > MAX_BLOCK_BYTES) this.#end(block.text, messages);
    return next;
  }

  #begin(line: ByteString, next: number, messages: RealtimeMessage[]): number {
    const opens = (line.startsWith('>CLIENT:') && !line.startsWith('>CLIENT:ADDRESS,')) || line.startsWith('>UPDOWN:');
    if (!opens || ENVIRONMENT.test(line)) {
      messages.push(toMessage(line));
      return next;
    }
    if (this.#block !== null) this.#end(this.#block.text, messages);
    this.#block = { prefix: line.startsWith('>CLIENT:') ? '>CLIENT:ENV,' : '>UPDOWN:ENV,', text: line };
    return next;
  }

  #end(text: ByteString, messages: RealtimeMessage[]): void {
    this.#block = null;
    messages.push(toMessage(text));
  }
}

function toMessage(text: ByteString): RealtimeMessage {
  const [, type = '', rest = ''] = FIRST_LINE.exec(text) ?? [];
  return { type, rest, text };
}
