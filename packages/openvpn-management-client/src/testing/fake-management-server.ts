import { once } from 'node:events';
import { promises as files } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEndpoint } from '../endpoint.js';
import { FakeConnection } from './fake-connection.js';
import type { FakeClient, FakeClientOptions } from './fake-client.js';
import { FakeDaemon, type FakeDaemonOptions, type FakeHandler } from './fake-daemon.js';
import { lexLine } from '../lexer.js';

export interface FakeManagementServerOptions extends FakeDaemonOptions {
  /** Where to listen: a path, or TCP on a free port of this host; default a unix socket in a directory of its own. */
  readonly listen?: { readonly path: string } | { readonly host: string; readonly port?: number };
  readonly password?: string;
  /** Accepts and stays silent, as when another program has the slot. */
  readonly isBusy?: boolean;
  /** Cuts all output into pieces of so many bytes. */
  readonly pieceBytes?: number;
}

const PASSWORD_TRIES = 3;
const BATCH_CHARACTERS = 256 * 1024;

/**
 * A management interface on a real socket, with clients that come and go as told. It speaks as OpenVPN 2.6.14 with one
 * slot: a second connection waits in silence for the first to go.
 */
export class FakeManagementServer {
  readonly #options: FakeManagementServerOptions;
  readonly #server: Server;
  readonly #directory: string | undefined;
  readonly #daemon: FakeDaemon;
  readonly #handlers: Map<string, FakeHandler>;
  readonly #backlog: Socket[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #commands: string[] = [];
  readonly #expectations = new Set<() => void>();
  #expected = 0;
  #connection: FakeConnection | undefined;
  #body: { readonly parameters: readonly string[]; readonly lines: string[] } | undefined;
  #isVerified = false;
  #failedPasswords = 0;
  #isBusy: boolean;
  #connections = 0;

  private constructor(options: FakeManagementServerOptions, directory: string | undefined) {
    this.#options = options;
    this.#directory = directory;
    this.#isBusy = options.isBusy ?? false;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#daemon = new FakeDaemon(options, {
      send: async (bytes) => this.send(bytes),
      hangUp: async () => this.hangUp(),
    });
    this.#handlers = new Map(Object.entries(this.#daemon.handlers()));
  }

  /** Opens the listener. The caller disposes of the server; its connections end with it. */
  static async listen(options: FakeManagementServerOptions = {}): Promise<FakeManagementServer> {
    const directory =
      options.listen === undefined ? await files.mkdtemp(join(tmpdir(), 'fake-management-')) : undefined;
    const server = new FakeManagementServer(options, directory);
    const listen = options.listen ?? { path: join(directory ?? '', 'management.sock') };
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(
        'path' in listen ? { path: listen.path } : { host: listen.host, port: listen.port ?? 0 },
        resolve,
      );
    });
    return server;
  }

  /**
   * Connects to a client that listens, as with `--management-client`. Resolves when the connection is made; `closed`
   * resolves when it is gone, which ends OpenVPN.
   */
  async dial(endpoint: string): Promise<{ readonly closed: Promise<void> }> {
    const place = parseEndpoint(endpoint);
    if (place === undefined) throw new Error(`${endpoint} is not an endpoint`);
    const socket = connect(place);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await once(socket, 'connect');
    this.#accept(socket);
    return { closed };
  }

  /** What a client is to be given as its endpoint. */
  get endpoint(): string {
    const address = this.#server.address();
    if (address === null) return '';
    if (typeof address === 'string') return `unix:${address}`;
    return `tcp:${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  }

  /** Every command line so far, of all connections, `password` lines excepted. */
  get commands(): readonly string[] {
    return this.#commands;
  }

  /** Connections that were greeted so far. */
  get connections(): number {
    return this.#connections;
  }

  get clients(): ReadonlyMap<number, FakeClient> {
    return this.#daemon.clients;
  }

  /** Answers a command in another way than by default, until the result is disposed of. */
  on(verb: string, handler: FakeHandler): Disposable {
    const previous = this.#handlers.get(verb);
    this.#handlers.set(verb, handler);
    return {
      [Symbol.dispose]: () => {
        if (previous === undefined) this.#handlers.delete(verb);
        else this.#handlers.set(verb, previous);
      },
    };
  }

  /** The rows that `state` and `log` answer with, however many are asked for; `on` and `off` are answered as before. */
  history(verb: 'state' | 'log', rows: () => readonly string[]): Disposable {
    const usual = this.#handlers.get(verb);
    return this.on(verb, (parameters, body) =>
      parameters[0] === 'on' || parameters[0] === 'off' ? usual?.(parameters, body) : [...rows(), 'END'],
    );
  }

  /** Never answers this command, until the result is disposed of. */
  hang(verb: string): Disposable {
    return this.on(verb, () => undefined);
  }

  /** Resolves with the next command of this verb that no earlier call took. */
  async expect(verb: string, options: { readonly timeoutMs?: number } = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#expectations.delete(look);
        reject(
          new Error(
            `no command ${verb} came; since the last expected one there were ${JSON.stringify(this.#commands.slice(this.#expected))}`,
          ),
        );
      }, options.timeoutMs ?? 5000);
      const look = (): void => {
        const index = this.#commands.findIndex((line, at) => at >= this.#expected && line.split(' ')[0] === verb);
        if (index === -1) return;
        this.#expected = index + 1;
        this.#expectations.delete(look);
        clearTimeout(timer);
        resolve(this.#commands[index] ?? '');
      };
      this.#expectations.add(look);
      look();
    });
  }

  /** Sends bytes as they are, characters U+0000..U+00FF; resolves when the kernel has them. */
  async send(bytes: string): Promise<void> {
    await this.#connection?.send(bytes);
  }

  /** Hangs up on the client that is being served. */
  async hangUp(): Promise<void> {
    await this.#connection?.end();
  }

  /** From now on accepts and stays silent, or no longer. */
  setBusy(isBusy: boolean): void {
    this.#isBusy = isBusy;
    if (!isBusy) this.#serveNext();
  }

  /** A client logs in (CONNECT) and, unless told to wait, is connected at once; returns its CID. */
  async connectClient(
    options: FakeClientOptions = {},
    { waitsForAuth = false }: { readonly waitsForAuth?: boolean } = {},
  ): Promise<number> {
    const client = this.#daemon.add(options);
    await this.send(this.#daemon.loginText(client) + (waitsForAuth ? '' : this.#daemon.establishedText(client)));
    return client.cid;
  }

  /** The login of a waiting client goes through: its ADDRESS messages and ESTABLISHED. */
  async establish(cid: number): Promise<void> {
    const client = this.clients.get(cid);
    if (client !== undefined) await this.send(this.#daemon.establishedText(client));
  }

  /** A connected client renegotiates. */
  async reauthenticate(cid: number): Promise<void> {
    const client = this.clients.get(cid);
    if (client !== undefined) await this.send(this.#daemon.reauthText(client));
  }

  /** A client disconnects. */
  async disconnectClient(cid: number): Promise<void> {
    await this.send(this.#daemon.goneText(cid));
  }

  /** `count` clients arrive at once, as after an outage. Resolves when the kernel has all their messages. */
  async storm(count: number, describe: (index: number) => FakeClientOptions = () => ({})): Promise<readonly number[]> {
    const cids: number[] = [];
    let batch = '';
    for (let index = 0; index < count; index += 1) {
      const client = this.#daemon.add(describe(index));
      cids.push(client.cid);
      batch += this.#daemon.loginText(client) + this.#daemon.establishedText(client);
      if (batch.length < BATCH_CHARACTERS) continue;
      await this.send(batch);
      batch = '';
    }
    await this.send(batch);
    return cids;
  }

  /** A restart inside: every client goes, CIDs begin at 0 again, the connection stays. */
  async restart(signal: 'SIGUSR1' | 'SIGHUP' = 'SIGUSR1'): Promise<void> {
    await this.send(this.#daemon.restartText(signal));
  }

  /** Ends the listener and every connection; idempotent. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    if (this.#directory !== undefined) await files.rm(this.#directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      const waiting = this.#backlog.indexOf(socket);
      if (waiting !== -1) this.#backlog.splice(waiting, 1);
    });
    this.#backlog.push(socket);
    this.#serveNext();
  }

  #serveNext(): void {
    if (this.#connection !== undefined || this.#isBusy) return;
    const socket = this.#backlog.shift();
    if (socket === undefined) return;
    const connection = new FakeConnection(socket, this.#options.pieceBytes, (line) => this.#receive(line));
    this.#connection = connection;
    this.#isVerified = this.#options.password === undefined;
    this.#failedPasswords = 0;
    this.#body = undefined;
    socket.once('close', () => {
      this.#connection = undefined;
      this.#serveNext();
    });
    connection.start();
    if (this.#isVerified) this.#greet();
    else void connection.send('ENTER PASSWORD:');
  }

  #greet(): void {
    this.#connections += 1;
    void this.send(this.#daemon.greeting());
  }

  #receive(line: string): void {
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (!this.#isVerified) {
      this.#checkPassword(text);
      return;
    }
    if (this.#body !== undefined && text !== 'END') {
      this.#body.lines.push(text);
      return;
    }
    const body = this.#body;
    this.#body = undefined;
    if (body !== undefined) {
      this.#answer(body.parameters, body.lines);
      return;
    }
    this.#commands.push(Buffer.from(text, 'latin1').toString('utf8'));
    for (const look of this.#expectations) look();
    const lexed = lexLine(text);
    if (!lexed.ok) void this.send(`ERROR: ${lexed.error}\r\n`);
    else if (lexed.parameters[0] === 'client-auth' && lexed.parameters.length === 3)
      this.#body = { parameters: lexed.parameters, lines: [] };
    else if (lexed.parameters.length > 0) this.#answer(lexed.parameters, []);
  }

  #answer(parameters: readonly string[], body: readonly string[]): void {
    const [verb = '', ...rest] = parameters;
    const handler = this.#handlers.get(verb);
    const reply =
      handler === undefined ? ["ERROR: unknown command, enter 'help' for more options"] : handler(rest, body);
    if (reply !== undefined && reply.length > 0) void this.send(`${reply.join('\r\n')}\r\n`);
  }

  #checkPassword(text: string): void {
    if (text === this.#options.password) {
      this.#isVerified = true;
      void this.send('SUCCESS: password is correct\r\n');
      this.#greet();
      return;
    }
    this.#failedPasswords += 1;
    if (this.#failedPasswords >= PASSWORD_TRIES) void this.hangUp();
    else void this.send('ENTER PASSWORD:');
  }
}
