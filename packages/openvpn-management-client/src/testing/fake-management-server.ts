import { promises as files } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeConnection } from './fake-connection.js';
import { clientBlock, makeFakeClient, statusRows, type FakeClient, type FakeClientOptions } from './fake-client.js';
import { lexLine } from './lexer.js';

export interface FakeManagementServerOptions {
  /** Where to listen: a path, or TCP on a free port of this host; default a unix socket in a directory of its own. */
  readonly listen?: { readonly path: string } | { readonly host: string; readonly port?: number };
  readonly password?: string;
  /** `2.6.14` by default. */
  readonly version?: string;
  /** 5 by default. */
  readonly managementVersion?: number;
  /** As with `--management-client-auth` (default), or without it: then there is ESTABLISHED only. */
  readonly isClientAuth?: boolean;
  /** Waits for `hold release` after the banner. */
  readonly isHeld?: boolean;
  /** Accepts and stays silent, as when another program has the slot. */
  readonly isBusy?: boolean;
  /** Cuts all output into pieces of so many bytes. */
  readonly pieceBytes?: number;
}

/** A reply: lines, each gets its CRLF; undefined for silence. */
export type FakeReply = readonly string[] | undefined;
export type FakeHandler = (parameters: readonly string[], body: readonly string[]) => FakeReply;

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
  readonly #handlers = new Map<string, FakeHandler>();
  readonly #clients = new Map<number, FakeClient>();
  readonly #backlog: Socket[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #commands: string[] = [];
  readonly #expectations = new Set<() => void>();
  #expected = 0;
  #connection: FakeConnection | undefined;
  #body: { readonly parameters: readonly string[]; readonly lines: string[] } | undefined;
  #isVerified = false;
  #failedPasswords = 0;
  #nextCid = 0;
  #isStateOn = false;
  #isHeld: boolean;
  #isBusy: boolean;
  #connections = 0;
  /** Unix time of the latest CONNECTED: the history says the same on every connection. */
  #connectedAt = nowSeconds();

  private constructor(options: FakeManagementServerOptions, directory: string | undefined) {
    this.#options = options;
    this.#directory = directory;
    this.#isHeld = options.isHeld ?? false;
    this.#isBusy = options.isBusy ?? false;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#addHandlers();
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
    return this.#clients;
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

  /** The rows that `state` and `log` answer with, however many are asked for; `on` and `off` are answered as ever. */
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
    const client = this.#addClient(options);
    await this.send(this.#loginText(client) + (waitsForAuth ? '' : this.#establishedText(client)));
    return client.cid;
  }

  /** The login of a waiting client goes through: its ADDRESS messages and ESTABLISHED. */
  async establish(cid: number): Promise<void> {
    const client = this.#clients.get(cid);
    if (client !== undefined) await this.send(this.#establishedText(client));
  }

  /** A connected client renegotiates. */
  async reauthenticate(cid: number): Promise<void> {
    const client = this.#clients.get(cid);
    if (client === undefined) return;
    client.kid += 1;
    await this.send(clientBlock(`REAUTH,${cid},${client.kid}`, client, this.#clients.size));
  }

  /** A client goes. */
  async disconnectClient(cid: number): Promise<void> {
    await this.send(this.#goneText(cid));
  }

  /** `count` clients arrive at once, as after an outage. Resolves when the kernel has all their messages. */
  async storm(count: number, describe: (index: number) => FakeClientOptions = () => ({})): Promise<readonly number[]> {
    const cids: number[] = [];
    let batch = '';
    for (let index = 0; index < count; index += 1) {
      const client = this.#addClient(describe(index));
      cids.push(client.cid);
      batch += this.#loginText(client) + this.#establishedText(client);
      if (batch.length < BATCH_CHARACTERS) continue;
      await this.send(batch);
      batch = '';
    }
    await this.send(batch);
    return cids;
  }

  /** A restart inside: every client goes, CIDs begin at 0 again, the connection stays. */
  async restart(signal: 'SIGUSR1' | 'SIGHUP' = 'SIGUSR1'): Promise<void> {
    const gone = [...this.#clients.keys()].map((cid) => this.#goneText(cid)).join('');
    this.#nextCid = 0;
    // Restarts take OpenVPN a second or more.
    this.#connectedAt = Math.max(nowSeconds(), this.#connectedAt + 1);
    await this.send(gone + this.#stateText('RECONNECTING', signal) + this.#stateText('CONNECTED', 'SUCCESS'));
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
    this.#isStateOn = false;
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
    const banner = `>INFO:OpenVPN Management Interface Version ${this.#options.managementVersion ?? 5} -- type 'help' for more info\r\n`;
    void this.send(banner + (this.#isHeld ? '>HOLD:Waiting for hold release:0\r\n' : ''));
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

  #addHandlers(): void {
    const version = this.#options.version ?? '2.6.14';
    const title = `OpenVPN ${version} x86_64-pc-linux-gnu [SSL (OpenSSL)] [LZO] [LZ4] [EPOLL] [PKCS11] [MH/PKTINFO] [AEAD] [DCO]`;
    const handlers: Readonly<Record<string, FakeHandler>> = {
      version: (parameters) =>
        parameters.length > 0
          ? undefined
          : [`OpenVPN Version: ${title}`, `Management Version: ${this.#options.managementVersion ?? 5}`, 'END'],
      pid: () => ['SUCCESS: pid=1000'],
      help: () => [`Management Interface for ${title}`, 'Commands:', 'END'],
      status: ([format = '1']) =>
        format === '3'
          ? [...statusRows(title, this.#clients.values(), nowSeconds()), 'END']
          : ['ERROR: bad status format version number'],
      'load-stats': () => [`SUCCESS: nclients=${this.#clients.size},bytesin=3160,bytesout=3196`],
      state: (parameters) => this.#answerState(parameters),
      log: ([what = '']) =>
        what === 'on' || what === 'off'
          ? [`SUCCESS: real-time log notification set to ${what.toUpperCase()}`]
          : ['END'],
      echo: ([what = '']) =>
        what === 'on' || what === 'off'
          ? [`SUCCESS: real-time echo notification set to ${what.toUpperCase()}`]
          : ['END'],
      bytecount: () => ['SUCCESS: bytecount interval changed'],
      'env-filter': ([level = '0']) => [`SUCCESS: env_filter_level=${level}`],
      verb: () => ['SUCCESS: verb level changed'],
      hold: ([what]) => this.#answerHold(what),
      signal: ([name = '']) => [`SUCCESS: signal ${name} thrown`],
      kill: ([name = '']) => [`SUCCESS: common name '${name}' found, 1 client(s) killed`],
      'client-kill': ([cid = '']) => [
        this.#clients.has(Number(cid))
          ? 'SUCCESS: client-kill command succeeded'
          : 'ERROR: client-kill command failed',
      ],
      'client-auth': ([cid = '', kid = '']) => this.#answerAuth(cid, kid),
      // The daemon does not say -nt.
      'client-auth-nt': ([cid = '', kid = '']) => this.#answerAuth(cid, kid),
      'client-deny': ([cid = '']) => [
        this.#clients.has(Number(cid))
          ? 'SUCCESS: client-deny command succeeded'
          : 'ERROR: client-deny command failed',
      ],
      exit: () => this.#answerExit(),
      quit: () => this.#answerExit(),
    };
    for (const [verb, handler] of Object.entries(handlers)) this.#handlers.set(verb, handler);
  }

  #answerState(parameters: readonly string[]): FakeReply {
    const row = `${this.#connectedAt},CONNECTED,SUCCESS,10.64.0.1,,,192.0.2.1,1194,2001:db8:8::1`;
    const isSwitch = parameters[0] === 'on' || parameters[0] === 'off';
    if (isSwitch) this.#isStateOn = parameters[0] === 'on';
    return [
      ...(isSwitch ? [`SUCCESS: real-time state notification set to ${this.#isStateOn ? 'ON' : 'OFF'}`] : []),
      ...(isSwitch && parameters.length === 1 ? [] : [row, 'END']),
    ];
  }

  #answerHold(what: string | undefined): FakeReply {
    if (what === undefined) return [`SUCCESS: hold=${this.#isHeld ? 1 : 0}`];
    if (what !== 'release') return [`SUCCESS: hold flag set to ${what.toUpperCase()}`];
    this.#isHeld = false;
    return ['SUCCESS: hold release succeeded'];
  }

  /** Like 2.6.14, it takes KID 0 for a key that is not in use, and says SUCCESS: ssl_common.h get_key_scan, slot 2. */
  #answerAuth(cid: string, kid: string): FakeReply {
    const client = this.#clients.get(Number(cid));
    if (client === undefined || (kid !== '0' && kid !== String(client.kid)))
      return ['ERROR: client-auth command failed'];
    if (!client.isEstablished && kid === String(client.kid)) queueMicrotask(() => void this.establish(client.cid));
    return ['SUCCESS: client-auth command succeeded'];
  }

  #answerExit(): FakeReply {
    void this.hangUp();
    return undefined;
  }

  #addClient(options: FakeClientOptions): FakeClient {
    const client = makeFakeClient(this.#nextCid, options, nowSeconds());
    this.#nextCid += 1;
    this.#clients.set(client.cid, client);
    return client;
  }

  #loginText(client: FakeClient): string {
    return this.#options.isClientAuth === false
      ? ''
      : clientBlock(`CONNECT,${client.cid},${client.kid}`, client, this.#clients.size - 1);
  }

  #establishedText(client: FakeClient): string {
    client.isEstablished = true;
    const addresses =
      this.#options.isClientAuth === false
        ? []
        : [...client.addresses.map((text) => `${text},1`), ...client.subnets.map((text) => `${text},0`)];
    return (
      addresses.map((text) => `>CLIENT:ADDRESS,${client.cid},${text}\r\n`).join('') +
      clientBlock(`ESTABLISHED,${client.cid}`, client, this.#clients.size)
    );
  }

  #goneText(cid: number): string {
    const client = this.#clients.get(cid);
    if (client === undefined) return '';
    this.#clients.delete(cid);
    return this.#options.isClientAuth === false ? '' : clientBlock(`DISCONNECT,${cid}`, client, this.#clients.size);
  }

  #stateText(name: string, description: string): string {
    return this.#isStateOn
      ? `>STATE:${name === 'CONNECTED' ? this.#connectedAt : nowSeconds()},${name},${description},${name === 'CONNECTED' ? '10.64.0.1' : ''},,,,,\r\n`
      : '';
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
