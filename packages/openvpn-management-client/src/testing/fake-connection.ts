import type { Socket } from 'node:net';

/** The daemon's side of one connection. */
export class FakeConnection {
  readonly #socket: Socket;
  readonly #pieceBytes: number | undefined;
  readonly #onLine: (line: string) => void;
  #input = '';
  #sending: Promise<void> = Promise.resolve();

  /**
   * @param pieceBytes cut all output into pieces of so many bytes, each in a turn of the event loop of its own
   * @param onLine called for each line, bytes as characters, without LF
   */
  constructor(socket: Socket, pieceBytes: number | undefined, onLine: (line: string) => void) {
    this.#socket = socket;
    this.#pieceBytes = pieceBytes;
    this.#onLine = onLine;
    socket.setNoDelay(true);
    // A peer that goes away is what tests do.
    socket.on('error', () => undefined);
  }

  /**
   * Begins to read commands. Before that the connection waits in the backlog, as with a daemon whose slot is taken.
   */
  start(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#input += chunk.toString('latin1');
      for (let end = this.#input.indexOf('\n'); end !== -1; end = this.#input.indexOf('\n')) {
        const line = this.#input.slice(0, end);
        this.#input = this.#input.slice(end + 1);
        this.#onLine(line);
      }
    });
  }

  /** Sends bytes, given as characters U+0000..U+00FF; resolves when the kernel has them. */
  async send(bytes: string): Promise<void> {
    const buffer = Buffer.from(bytes, 'latin1');
    this.#sending = this.#sending.then(async () => this.#write(buffer));
    return this.#sending;
  }

  /** Hangs up, after what was sent so far. */
  async end(): Promise<void> {
    await this.#sending;
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        this.#socket.off('drain', finish);
        this.#socket.off('close', finish);
        resolve();
      };
      this.#socket.on('drain', finish);
      this.#socket.on('close', finish);
    });
  }

  async #write(buffer: Buffer): Promise<void> {
    const pieceBytes = this.#pieceBytes ?? buffer.length;
    for (let at = 0; at < buffer.length && !this.#socket.destroyed; at += pieceBytes) {
      if (!this.#socket.write(buffer.subarray(at, at + pieceBytes))) await this.#drained();
      else if (this.#pieceBytes !== undefined) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
