import { connect, type Socket } from 'node:net';
import { release } from 'node:os';
import { Transcript, type TranscriptRecord } from 'openvpn-management-client/testing';
import { eventually } from '../lab/wait.js';

/** A bare management client that writes down every byte of both sides. It knows nothing of the protocol. */
export class Recording implements Disposable {
  readonly #socket: Socket;
  readonly #records: TranscriptRecord[] = [];
  #unread = '';
  #isEnded = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#records.push({ from: 'S', bytes });
      this.#unread += bytes.toString('latin1');
    });
    socket.once('close', () => {
      this.#isEnded = true;
    });
    socket.on('error', () => undefined);
  }

  /** Connects as soon as the daemon listens. */
  static async open(path: string): Promise<Recording> {
    const socket = await eventually(
      async () =>
        new Promise<Socket>((resolve, reject) => {
          const attempt = connect({ path });
          attempt.once('connect', () => resolve(attempt));
          attempt.once('error', reject);
        }),
      { what: `the management socket ${path}` },
    );
    return new Recording(socket);
  }

  /** Sends lines, each with its LF, in one write. */
  send(...lines: readonly string[]): void {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    this.#records.push({ from: 'C', bytes });
    this.#socket.write(bytes);
  }

  /**
   * Waits until the daemon has said something that matches, and drops it and all before it from what is looked at
   * next.
   */
  async hear(pattern: RegExp): Promise<RegExpExecArray> {
    const match = await eventually(() => pattern.exec(this.#unread) ?? undefined, {
      what: `${String(pattern)} from the daemon, which said ${JSON.stringify(this.#unread.slice(-400))}`,
      timeoutMs: 30_000,
    });
    this.#unread = this.#unread.slice(match.index + match[0].length);
    return match;
  }

  /** Sends a command and hears its single SUCCESS or ERROR. */
  async ask(line: string): Promise<void> {
    this.send(line);
    await this.hear(/(?:SUCCESS|ERROR): [^\r]*\r\n/);
  }

  /** Sends a command that is answered by rows, with the sentinel, and hears it out. */
  async askRows(line: string): Promise<void> {
    this.send(line, 'pid');
    await this.hear(/SUCCESS: pid=\d+\r\n/);
  }

  /** Waits for the daemon to hang up. */
  async ended(): Promise<void> {
    await eventually(() => this.#isEnded, { what: 'the end of the management connection' });
  }

  /**
   * What was said, with `directory` (a random name) written as /etc/openvpn, and without this machine's kernel
   * release.
   */
  transcript(directory: string): Transcript {
    const records: TranscriptRecord[] = [];
    for (const { from, bytes } of this.#records) {
      const last = records.at(-1);
      if (last?.from === from) records[records.length - 1] = { from, bytes: Buffer.concat([last.bytes, bytes]) };
      else records.push({ from, bytes });
    }
    return new Transcript(
      records.map(({ from, bytes }) => ({
        from,
        bytes: Buffer.from(
          bytes.toString('latin1').replaceAll(directory, '/etc/openvpn').replaceAll(release(), '6.1.0'),
          'latin1',
        ),
      })),
    );
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
