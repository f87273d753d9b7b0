import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A program between a management client and OpenVPN, as the pass-through of openvpn-auth-oauth2 is one
 * (internal/openvpn/passthrough.go and handler.go): it relays one reply a command and drops what more comes, keeps
 * every message of clients for itself, and relays the others.
 */
export class OneReplyRelay implements AsyncDisposable {
  readonly path: string;
  readonly #directory: string;
  readonly #upstreamPath: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(directory: string, upstreamPath: string) {
    this.#directory = directory;
    this.path = join(directory, 'relay.sock');
    this.#upstreamPath = upstreamPath;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** @param endpoint `unix:/path` of the management interface */
  static async listen(endpoint: string): Promise<OneReplyRelay> {
    const relay = new OneReplyRelay(await mkdtemp(join(tmpdir(), 'relay-')), endpoint.replace(/^unix:/, ''));
    await new Promise<void>((resolve) => {
      relay.#server.listen(relay.path, resolve);
    });
    return relay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    await rm(this.#directory, { recursive: true, force: true });
  }

  #serve(client: Socket): void {
    const upstream = connect({ path: this.#upstreamPath });
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.setEncoding('latin1').on('error', () => undefined);
      socket.once('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    const waiting: string[] = [];
    let isAsked = false;
    let rows: string[] = [];
    const next = (): void => {
      const command = isAsked ? undefined : waiting.shift();
      if (command === undefined) return;
      isAsked = true;
      upstream.write(`${command}\n`);
    };
    const answer = (lines: readonly string[]): void => {
      if (isAsked) client.write(`${lines.join('\r\n')}\r\n`);
      isAsked = false;
      next();
    };
    onLines(client, (line) => {
      waiting.push(line);
      next();
    });
    onLines(upstream, (line) => {
      if (line.startsWith('>CLIENT')) return;
      if (line.startsWith('>')) client.write(`${line}\r\n`);
      else if (rows.length === 0 && /^(SUCCESS|ERROR): /.test(line)) answer([line]);
      else {
        rows.push(line);
        if (line !== 'END') return;
        answer(rows);
        rows = [];
      }
    });
  }
}

function onLines(socket: Socket, take: (line: string) => void): void {
  let rest = '';
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
}
