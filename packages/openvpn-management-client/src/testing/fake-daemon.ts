import { clientBlock, makeFakeClient, statusRows, type FakeClient, type FakeClientOptions } from './fake-client.js';

/** A reply: lines, each gets its CRLF; undefined for silence. */
export type FakeReply = readonly string[] | undefined;
export type FakeHandler = (parameters: readonly string[], body: readonly string[]) => FakeReply;

/** The kind of OpenVPN. */
export interface FakeDaemonOptions {
  /** `2.6.14` by default. */
  readonly version?: string;
  /** 5 by default. */
  readonly managementVersion?: number;
  /** As with `--management-client-auth` (default), or without it: then there is ESTABLISHED only. */
  readonly isClientAuth?: boolean;
  /** Waits for `hold release` after the banner. */
  readonly isHeld?: boolean;
}

/** What a daemon does with the connection of its management interface. */
export interface FakeDaemonOutput {
  /** Sends bytes, characters U+0000..U+00FF. */
  send(bytes: string): Promise<void>;
  /** Ends the connection, after what was sent. */
  hangUp(): Promise<void>;
}

/** The OpenVPN behind a fake management interface: who is connected, and what it answers, as 2.6.14 does. */
export class FakeDaemon {
  readonly #options: FakeDaemonOptions;
  readonly #output: FakeDaemonOutput;
  readonly #clients = new Map<number, FakeClient>();
  #nextCid = 0;
  #isStateOn = false;
  #isHeld: boolean;
  /** Unix time of the latest CONNECTED: the history says the same on every connection. */
  #connectedAt = nowSeconds();

  constructor(options: FakeDaemonOptions, output: FakeDaemonOutput) {
    this.#options = options;
    this.#output = output;
    this.#isHeld = options.isHeld ?? false;
  }

  get clients(): ReadonlyMap<number, FakeClient> {
    return this.#clients;
  }

  /** What a management client is greeted with; on each connection notifications are off at first. */
  greeting(): string {
    this.#isStateOn = false;
    const banner = `>INFO:OpenVPN Management Interface Version ${this.#options.managementVersion ?? 5} -- type 'help' for more info\r\n`;
    return banner + (this.#isHeld ? '>HOLD:Waiting for hold release:0\r\n' : '');
  }

  /** How each command is answered, by its first word. */
  handlers(): Readonly<Record<string, FakeHandler>> {
    const version = this.#options.version ?? '2.6.14';
    const title = `OpenVPN ${version} x86_64-pc-linux-gnu [SSL (OpenSSL)] [LZO] [LZ4] [EPOLL] [PKCS11] [MH/PKTINFO] [AEAD] [DCO]`;
    return {
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
  }

  /** Adds a client without a notification. */
  add(options: FakeClientOptions): FakeClient {
    const client = makeFakeClient(this.#nextCid, options, nowSeconds());
    this.#nextCid += 1;
    this.#clients.set(client.cid, client);
    return client;
  }

  /** CONNECT, if logins are requested. */
  loginText(client: FakeClient): string {
    return this.#options.isClientAuth === false
      ? ''
      : clientBlock(`CONNECT,${client.cid},${client.kid}`, client, this.#clients.size - 1);
  }

  /** ADDRESS of each of its addresses, and ESTABLISHED. */
  establishedText(client: FakeClient): string {
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

  /** DISCONNECT of a client, which is gone from now on. */
  goneText(cid: number): string {
    const client = this.#clients.get(cid);
    if (client === undefined) return '';
    this.#clients.delete(cid);
    return this.#options.isClientAuth === false ? '' : clientBlock(`DISCONNECT,${cid}`, client, this.#clients.size);
  }

  /** REAUTH of a client, with a new key. */
  reauthText(client: FakeClient): string {
    client.kid += 1;
    return clientBlock(`REAUTH,${client.cid},${client.kid}`, client, this.#clients.size);
  }

  /** A restart inside: every client goes, CIDs begin at 0 again. */
  restartText(signal: 'SIGUSR1' | 'SIGHUP'): string {
    const gone = [...this.#clients.keys()].map((cid) => this.goneText(cid)).join('');
    this.#nextCid = 0;
    // Restarts take OpenVPN a second or more.
    this.#connectedAt = Math.max(nowSeconds(), this.#connectedAt + 1);
    return gone + this.#stateText('RECONNECTING', signal) + this.#stateText('CONNECTED', 'SUCCESS');
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
    if (!client.isEstablished && kid === String(client.kid))
      queueMicrotask(() => void this.#output.send(this.establishedText(client)));
    return ['SUCCESS: client-auth command succeeded'];
  }

  #answerExit(): FakeReply {
    void this.#output.hangUp();
    return undefined;
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
