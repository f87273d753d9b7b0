import { createServer, type Socket } from 'node:net';

/** One piece of a recorded conversation. */
export interface TranscriptRecord {
  /** `S`: the daemon said it. `C`: the client did. */
  readonly from: 'S' | 'C';
  readonly bytes: Buffer;
}

/**
 * A recorded conversation. As a file it has one record a line, `S ` or `C ` and the bytes, where CR, LF, backslash and
 * characters that are not printable ASCII are written as `\r`, `\n`, `\\` and `\xNN`; lines that begin with `#` are comments.
 */
export class Transcript {
  readonly records: readonly TranscriptRecord[];

  constructor(records: readonly TranscriptRecord[]) {
    this.records = records;
  }

  /** @throws Error naming the line that is neither a record nor a comment */
  static parse(text: string): Transcript {
    const records: TranscriptRecord[] = [];
    for (const [index, line] of text.split('\n').entries()) {
      if (line === '' || line.startsWith('#')) continue;
      const from = line.slice(0, 1);
      if ((from !== 'S' && from !== 'C') || line[1] !== ' ')
        throw new Error(`transcript line ${index + 1} begins with neither "S " nor "C " nor "#"`);
      records.push({ from, bytes: unescapeBytes(line.slice(2)) });
    }
    return new Transcript(records);
  }

  /** Everything that the daemon said, in one piece. */
  get received(): Buffer {
    return Buffer.concat(this.records.filter(({ from }) => from === 'S').map(({ bytes }) => bytes));
  }

  /** The file's text: records of several lines are cut at their line ends. */
  format(comment: string): string {
    const lines = this.records.flatMap(({ from, bytes }) =>
      cutAtLineEnds(bytes).map((piece) => `${from} ${escapeBytes(piece)}`),
    );
    return `${comment
      .split('\n')
      .map((line) => `# ${line}`.trimEnd())
      .join('\n')}\n${lines.join('\n')}\n`;
  }
}

/**
 * Plays the daemon's part of a transcript to one client at a time: sends what the daemon sent, and waits for as many
 * lines from the client as the record has, whatever is in them, before it continues.
 */
export class TranscriptPlayer {
  readonly #server;
  readonly #sockets = new Set<Socket>();
  readonly #transcript: Transcript;

  private constructor(transcript: Transcript) {
    this.#transcript = transcript;
    this.#server = createServer((socket) => this.#play(socket));
  }

  /** Listens on a unix socket path. The caller disposes of it. */
  static async listen(transcript: Transcript, path: string): Promise<TranscriptPlayer> {
    const player = new TranscriptPlayer(transcript);
    await new Promise<void>((resolve, reject) => {
      player.#server.once('error', reject);
      player.#server.listen({ path }, resolve);
    });
    return player;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #play(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
    let next = 0;
    let linesHeard = 0;
    const goOn = (): void => {
      for (
        let record = this.#transcript.records[next];
        record !== undefined;
        record = this.#transcript.records[next]
      ) {
        if (record.from === 'S') socket.write(record.bytes);
        else {
          const lines = countLines(record.bytes);
          if (linesHeard < lines) return;
          linesHeard -= lines;
        }
        next += 1;
      }
      socket.end();
    };
    socket.on('data', (chunk: Buffer) => {
      linesHeard += countLines(chunk);
      goOn();
    });
    goOn();
  }
}

function countLines(bytes: Buffer): number {
  return bytes.reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 0);
}

function cutAtLineEnds(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
    pieces.push(bytes.subarray(start, end + 1));
    start = end + 1;
  }
  if (start < bytes.length) pieces.push(bytes.subarray(start));
  return pieces;
}

function escapeBytes(bytes: Buffer): string {
  return [...bytes]
    .map((byte) => {
      if (byte === 0x0d) return String.raw`\r`;
      if (byte === 0x0a) return String.raw`\n`;
      if (byte === 0x5c) return String.raw`\\`;
      return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

function unescapeBytes(text: string): Buffer {
  const plain = text.replaceAll(/\\(r|n|\\|x[0-9a-f]{2})/g, (_, escape: string) => {
    if (escape === 'r') return '\r';
    if (escape === 'n') return '\n';
    return escape === '\\' ? '\\' : String.fromCharCode(Number.parseInt(escape.slice(1), 16));
  });
  return Buffer.from(plain, 'latin1');
}
