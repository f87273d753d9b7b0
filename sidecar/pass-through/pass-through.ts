import type { Socket } from 'node:net';
import {
  encodeText,
  type Endpoint,
  formatEndpoint,
  type ManagementClient,
  relayed,
  type Secret,
} from 'openvpn-management-client';
import { passwordIn } from '../config/password.js';
import { allowedAt } from '../config/pass-through-socket.js';
import type { PassThroughPlace, Settings } from '../config/settings.js';
import type { Logger } from '../log/logger.js';
import type { PassThroughStatus } from '../status.js';
import { ListeningSocket } from './listening-socket.js';
import { Multiplexer } from './multiplexer.js';
import type { Program, Rights, SwitchName } from './program.js';
import { ProgramSocket } from './program-socket.js';

/** Programs at once on one OpenVPN. */
const MAX_PROGRAMS = 64;

export interface PassThroughOptions {
  /** The OpenVPN that programs reach. */
  readonly endpoint: Endpoint;
  /** Those in force. */
  readonly settings: () => Settings;
  /** What gwmark itself wants of OpenVPN. */
  readonly ownSwitches: () => readonly SwitchName[];
  /** Whether gwmark refuses a login of these names itself. */
  readonly isKeptOut: (names: () => readonly string[]) => boolean;
  readonly logger: Logger;
}

/**
 * The sockets where other programs use the management interface of one OpenVPN, while gwmark is connected to it. When
 * OpenVPN goes, they are closed, and so are the programs' connections: they see what they would see without gwmark.
 */
export class PassThrough implements AsyncDisposable {
  readonly #options: PassThroughOptions;
  readonly #logger: Logger;
  readonly #sockets: readonly ListeningSocket[];
  readonly #multiplexer: Multiplexer;
  /** Attached, or giving their password. */
  readonly #connections = new Set<ProgramSocket>();
  #client: ManagementClient | null = null;
  #banner = '';
  /** OpenVPN is connected, and what gwmark itself needs of it is prepared. */
  #isLive = false;
  #hasWarnedOfMany = false;
  #hasWarnedOfLogins = false;

  constructor(options: PassThroughOptions) {
    const { endpoint, settings, logger } = options;
    this.#options = options;
    this.#logger = logger;
    const name = formatEndpoint(endpoint);
    this.#sockets = settings()
      .passThrough.filter(({ management }) => management === undefined || management === name)
      .map((place) => {
        const socket: ListeningSocket = new ListeningSocket(place, (each) => void this.#accept(each, socket), logger);
        return socket;
      });
    this.#multiplexer = new Multiplexer({
      relay: async (relay) => {
        if (this.#client === null) throw new Error('there is no connection to OpenVPN');
        await this.#client.execute(relayed(relay));
      },
      ownSwitches: options.ownSwitches,
      answersLogins: () => settings().authorize === 'accept',
      isKeptOut: options.isKeptOut,
      hasAppointed: this.#sockets.some(({ place }) => place.logins === true),
      now: () => performance.now(),
    });
  }

  /** Takes the bytes of messages, see `ManagementClientOptions`; undefined if no program can attach. */
  get onNotificationBytes(): ((bytes: Buffer) => void) | undefined {
    if (this.#sockets.length === 0) return undefined;
    return (bytes) => this.#multiplexer.notifications(bytes);
  }

  /** A program may attach that answers logins. */
  get mayAnswerLogins(): boolean {
    return this.#sockets.some(({ place }) => rightsAt(place).logins !== 'never');
  }

  /**
   * Opens the sockets whenever this client is connected and prepared, and closes them when it no longer is. Call it
   * once, after every other hook of `onConnected` is registered.
   *
   * @param client borrowed; it was made with {@link onNotificationBytes}
   */
  follow(client: ManagementClient): void {
    if (this.#sockets.length === 0) return;
    this.#client = client;
    client.onMessage((message) => {
      if (message.kind === 'info' && message.managementVersion !== undefined)
        this.#banner = `>INFO:${encodeText(message.text).toString('latin1')}\r\n`;
      if (message.kind === 'client:connect' || message.kind === 'client:reauth') this.#warnOfLogins();
    });
    client.onConnected(async ({ closeSignal }) => {
      this.#isLive = !closeSignal.aborted;
      await Promise.all(this.#sockets.map((socket) => socket.open()));
      if (closeSignal.aborted) this.#closeSockets();
    });
    client.onDisconnected(() => {
      this.#isLive = false;
      this.#multiplexer.disconnected();
      this.#closeSockets();
    });
  }

  /** For the status document. */
  status(): readonly PassThroughStatus[] {
    const programs = [...this.#multiplexer.programs];
    const { answerer } = this.#multiplexer.logins;
    return this.#sockets.map(({ name, isOpen, problem, dropped }) => {
      const here = programs.filter(({ rights }) => rights.socket === name);
      return {
        socket: name,
        isOpen,
        problem,
        programs: here.length,
        dropped,
        answersLogins: here.some((program) => program === answerer),
      };
    });
  }

  /** Hangs up on every program, and closes the sockets. The client is closed by its owner, before or after. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isLive = false;
    this.#multiplexer.disconnected();
    for (const connection of this.#connections) connection.end();
    await Promise.all(this.#sockets.map((socket) => socket.close()));
  }

  #closeSockets(): void {
    for (const connection of this.#connections) connection.end();
    for (const socket of this.#sockets) void socket.close();
  }

  async #accept(socket: Socket, at: ListeningSocket): Promise<void> {
    socket.on('error', () => undefined);
    if (this.#connections.size >= MAX_PROGRAMS) {
      socket.end(`ERROR: ${MAX_PROGRAMS} programs are attached already\r\n`);
      socket.resume();
      if (!this.#hasWarnedOfMany) this.#logger.warn('pass_through.full', { socket: at.name, programs: MAX_PROGRAMS });
      this.#hasWarnedOfMany = true;
      return;
    }
    const password = await this.#passwordOf(at.place);
    // Reading the file took its time: either end may be gone.
    if (password === undefined || !this.#isLive || socket.destroyed) {
      socket.destroy();
      if (password === undefined)
        this.#logger.warn('pass_through.refused', { socket: at.name, reason: 'its password file cannot be read' });
      return;
    }
    this.#connect(socket, at, password);
  }

  #connect(socket: Socket, at: ListeningSocket, password: Secret | null): void {
    let program: Program | null = null;
    const connection: ProgramSocket = new ProgramSocket(socket, {
      password,
      onAttached: () => {
        program = this.#multiplexer.attach(connection, rightsAt(at.place), this.#banner);
        this.#hasWarnedOfLogins &&= !this.#multiplexer.logins.isAttended;
        this.#logger.debug('pass_through.attached', { socket: at.name, programs: this.#multiplexer.programs.size });
      },
      onData: (chunk) => {
        if (program !== null) this.#multiplexer.receive(program, chunk);
      },
      onEnd: () => {
        if (program !== null) this.#multiplexer.ended(program);
      },
      onClosed: () => {
        this.#connections.delete(connection);
        this.#hasWarnedOfMany = false;
        if (program === null) return;
        this.#multiplexer.leave(program);
        this.#logger.debug('pass_through.left', { socket: at.name, programs: this.#multiplexer.programs.size });
      },
      onDropped: (reason) => {
        at.dropped += 1;
        this.#logger.warn('pass_through.dropped', { socket: at.name, reason });
      },
      onComplaint: (reason) => this.#logger.warn('pass_through.refused', { socket: at.name, reason }),
    });
    this.#connections.add(connection);
    connection.start();
  }

  /** Null where none is asked for; undefined if it cannot be read. */
  async #passwordOf({ passwordFile }: PassThroughPlace): Promise<Secret | null | undefined> {
    return passwordFile === undefined ? null : passwordIn(passwordFile, this.#options.settings().management);
  }

  #warnOfLogins(): void {
    if (this.#hasWarnedOfLogins || !this.mayAnswerLogins || this.#options.settings().authorize === 'accept') return;
    if (this.#multiplexer.logins.isAttended) return;
    this.#hasWarnedOfLogins = true;
    this.#logger.warn('pass_through.logins_wait');
  }
}

function rightsAt(place: PassThroughPlace): Rights {
  const allowed = allowedAt(place);
  const mayAnswer = place.logins ?? allowed !== 'read';
  return {
    socket: formatEndpoint(place),
    allowed,
    logins: !mayAnswer ? 'never' : place.logins === true ? 'appointed' : 'allowed',
  };
}
