/** What a plain sidecar takes from the stream. */
export type PlainEvent =
  | { readonly kind: 'address'; readonly cid: string; readonly address: string }
  | {
      readonly kind: 'client';
      readonly event: string;
      readonly cid: string;
      readonly env: ReadonlyMap<string, string>;
    };

const BLOCK_START = /^>CLIENT:(CONNECT|REAUTH|ESTABLISHED|DISCONNECT),(\d+)(?:,(\d+))?$/;
const VARIABLE = /^>CLIENT:ENV,([^=]*)=(.*)$/;
const ADDRESS = /^>CLIENT:ADDRESS,(\d+),([^,]+),([01])$/;

/**
 * The reader that one writes in an afternoon: append, split at line ends, one regular expression a kind of line, a map
 * for the environment. It is right for well-behaved streams, and as fast as that way of reading gets.
 */
export class SplitReader {
  #rest = '';
  #open: { event: string; cid: string; env: Map<string, string> } | null = null;

  push(chunk: Buffer): PlainEvent[] {
    const events: PlainEvent[] = [];
    this.#rest += chunk.toString('utf8');
    const lines = this.#rest.split(/\r?\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line, events);
    return events;
  }

  #take(line: string, events: PlainEvent[]): void {
    if (!line.startsWith('>CLIENT:')) return;
    if (line === '>CLIENT:ENV,END') {
      if (this.#open !== null) events.push({ kind: 'client', ...this.#open });
      this.#open = null;
      return;
    }
    const variable = VARIABLE.exec(line);
    if (variable !== null) {
      this.#open?.env.set(variable[1] ?? '', variable[2] ?? '');
      return;
    }
    const start = BLOCK_START.exec(line);
    if (start !== null) {
      this.#open = { event: start[1] ?? '', cid: start[2] ?? '', env: new Map() };
      return;
    }
    const address = ADDRESS.exec(line);
    if (address !== null) events.push({ kind: 'address', cid: address[1] ?? '', address: address[2] ?? '' });
  }
}
