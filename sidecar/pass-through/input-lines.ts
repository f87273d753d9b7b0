import type { ByteString } from './bytes.js';

/**
 * The longest command without its LF. OpenVPN drops the beginning of a longer one in silence and runs the rest
 * (manage.c man_connection_init, command_line_add; v2.6).
 */
export const MAX_COMMAND_BYTES = 1023;

/** What OpenVPN ignores in its input: manage.c command_line_add, v2.6. */
// oxlint-disable-next-line no-control-regex
const IGNORED = /[\u0000-\u0009\u000b-\u001f\u007f]/g;

/** A line that a program sent, as OpenVPN would read it; `null` for one that is too long. */
export type InputLine = ByteString | null;

/** Cuts what a program sends into lines. It keeps no more than one line, of {@link MAX_COMMAND_BYTES}. */
export class InputLines {
  #rest: ByteString = '';
  #isTooLong = false;

  /** The line that has not ended yet. */
  get rest(): ByteString {
    return this.#rest;
  }

  /** The lines that end in this chunk. */
  push(chunk: Buffer): readonly InputLine[] {
    const parts = chunk.toString('latin1').replaceAll(IGNORED, '').split('\n');
    const last = parts.pop() ?? '';
    const lines = parts.map((part) => {
      this.#add(part);
      const line = this.#isTooLong ? null : this.#rest;
      this.#rest = '';
      this.#isTooLong = false;
      return line;
    });
    this.#add(last);
    return lines;
  }

  #add(part: ByteString): void {
    if (this.#rest.length + part.length > MAX_COMMAND_BYTES) {
      this.#isTooLong = true;
      this.#rest = '';
    } else if (!this.#isTooLong) this.#rest += part;
  }
}
