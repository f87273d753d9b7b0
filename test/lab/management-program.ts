import { connect, type Socket } from 'node:net';
import { eventually } from './wait.js';

/** A program at a management socket, OpenVPN's own or one that passes through: what it sends, and every byte it gets. */
export class ManagementProgram implements AsyncDisposable {
  readonly #socket: Socket;
  #text = '';
  #hasEnded = false;
  #from = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => (this.#text += text));
    socket.on('error', () => undefined);
    socket.once('close', () => (this.#hasEnded = true));
  }

  /** @param place a path, or a port of 127.0.0.1. Resolves when it is greeted; OpenVPN's slot may not be free yet */
  static async attach(place: string | number, greeting: RegExp = />INFO:.*\r\n/): Promise<ManagementProgram> {
    return await eventually(
      async () => {
        const socket =
          typeof place === 'string' ? connect({ path: place }) : connect({ host: '127.0.0.1', port: place });
        const program = new ManagementProgram(socket);
        await eventually(() => greeting.test(program.text) || program.hasEnded, {
          what: 'a greeting',
          timeoutMs: 2000,
        }).catch(() => undefined);
        if (greeting.test(program.text)) return program;
        // Nobody listens, or OpenVPN serves another program.
        socket.destroy();
        return null;
      },
      { what: `a greeting at ${place}` },
    );
  }

  /** Everything that it got, bytes as characters. */
  get text(): string {
    return this.#text;
  }

  /** What it got since the last {@link mark}. */
  get recent(): string {
    return this.#text.slice(this.#from);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** What comes next is {@link recent}. */
  mark(): void {
    this.#from = this.#text.length;
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** Stops to read, or goes on. */
  setReading(isReading: boolean): void {
    if (isReading) this.#socket.resume();
    else this.#socket.pause();
  }

  /** Sends a command, and resolves with what came up to this. */
  async ask(command: string, until: RegExp): Promise<string> {
    this.mark();
    this.send(`${command}\n`);
    await this.until(until);
    return this.recent;
  }

  /** Resolves when what it got since the last mark matches. */
  async until(pattern: RegExp, options: { readonly timeoutMs?: number } = {}): Promise<RegExpExecArray> {
    try {
      return await eventually(() => pattern.exec(this.recent), { what: String(pattern), intervalMs: 5, ...options });
    } catch (error) {
      throw new Error(`${pattern} in ${JSON.stringify(this.recent.slice(-2000))}`, { cause: error });
    }
  }

  /** Resolves when the other side has hung up. */
  async ended(): Promise<void> {
    await eventually(() => this.#hasEnded, { what: 'the other side hangs up' });
  }

  /** Closes its sending side. */
  end(): void {
    this.#socket.end();
  }

  /** Leaves, and resolves when it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await this.ended();
  }
}
