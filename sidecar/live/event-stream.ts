import type { LiveMessage } from './message.js';

/** The largest event: a status of 10,000 clients has about 3 MB. */
const MAX_EVENT_CHARACTERS = 64 * 1024 * 1024;

/** An event ends with an empty line. */
const END = '\n\n';

/**
 * Reads the sidecar's `text/event-stream` piece by piece. Pure but for its state. It reads what `formatMessage` writes: one
 * line of data for each event.
 */
export class EventStream {
  #pieces: string[] = [];
  #length = 0;

  /**
   * The messages that are complete with this piece.
   *
   * @throws SyntaxError if the text is no such stream
   */
  take(piece: string): readonly LiveMessage[] {
    const last = this.#pieces.at(-1) ?? '';
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length > MAX_EVENT_CHARACTERS) throw new SyntaxError('an event without an end');
    // Long texts are joined once, when their end is there.
    if (!`${last.slice(-1)}${piece}`.includes(END)) return [];
    const texts = this.#pieces.join('').split(END);
    const rest = texts.pop() ?? '';
    this.#pieces = [rest];
    this.#length = rest.length;
    return texts.map(parseEvent);
  }
}

function parseEvent(text: string): LiveMessage {
  const [, kind, json] = /^event: (snapshot|change)\ndata: (.*)$/s.exec(text) ?? [];
  if (kind === undefined || json === undefined)
    throw new SyntaxError(`no event: ${JSON.stringify(text.slice(0, 60))}`);
  // The sidecar's own program wrote it; a snapshot's document is checked by who asked for it.
  return { kind, ...(JSON.parse(json) as object) } as LiveMessage;
}
