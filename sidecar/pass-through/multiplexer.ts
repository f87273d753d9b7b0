import type { Relay } from 'openvpn-management-client';
import { isAllowed, refusalOf } from '../config/management-commands.js';
import type { ByteString } from './bytes.js';
import { toBytes } from './bytes.js';
import { filterEnvironment } from './env-filter.js';
import { type InputLine, MAX_COMMAND_BYTES } from './input-lines.js';
import { LoginDesk } from './login-desk.js';
import { loginNames } from './login-names.js';
import { OpenQuestion } from './open-question.js';
import { type Port, Program, type Rights, type SwitchName } from './program.js';
import { type BodyState, hasBody, LOGIN_COMMANDS, type ProgramCommand, readCommand } from './program-command.js';
import { type RealtimeMessage, RealtimeMessages } from './realtime-messages.js';
import { Subscriptions } from './subscriptions.js';
import { Turns } from './turns.js';

export interface MultiplexerOptions {
  /** Sends a command over the one connection; resolves when its reply is over. Rejects with a ManagementError. */
  readonly relay: (relay: Relay) => Promise<void>;
  /** What gwmark itself wants of OpenVPN: it is never turned off. */
  readonly ownSwitches: () => readonly SwitchName[];
  /** gwmark answers logins. */
  readonly answersLogins: () => boolean;
  /** gwmark refuses a login of these names itself: `gwmark kick --hold`. */
  readonly isKeptOut: (names: () => readonly string[]) => boolean;
  /** A socket has `logins: true`. */
  readonly hasAppointed: boolean;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

/** A body of client-auth is a file of client-config-dir; one of a certificate is longer. */
const MAX_BODY_BYTES = 256 * 1024;
const SWITCHES: ReadonlySet<string> = new Set<SwitchName>(['state', 'log', 'echo']);
const SWITCH_OF_TYPE: Readonly<Record<string, SwitchName>> = { STATE: 'state', LOG: 'log', ECHO: 'echo' };
const LOGIN_EVENT = /^(CONNECT|REAUTH|CR_RESPONSE),/;

/**
 * Many programs on one management connection, each as if it were alone. Commands go to OpenVPN one at a time, in turns;
 * the reply goes to the program that asked, as bytes. Messages go to those that would get them.
 */
export class Multiplexer {
  readonly #options: MultiplexerOptions;
  readonly #programs = new Set<Program>();
  readonly #logins: LoginDesk;
  readonly #question = new OpenQuestion();
  #messages = new RealtimeMessages();
  readonly #subscriptions: Subscriptions;
  readonly #turns = new Turns();
  /** Whose command is being answered. */
  #asking: Program | null = null;
  /** In the banner. */
  #managementVersion = 0;
  /** What programs announced with `version N`. */
  #clientVersion = 0;

  constructor(options: MultiplexerOptions) {
    this.#options = options;
    this.#logins = new LoginDesk({
      candidates: () => [...this.#programs].filter((program) => this.#isCandidate(program)),
      isOurs: options.answersLogins,
      isAppointed: options.hasAppointed,
    });
    this.#subscriptions = new Subscriptions({
      programs: this.#programs,
      ownSwitches: options.ownSwitches,
      inTurn: (program, work) => this.#inTurn(program, work),
      send: (program, command, onLine) => this.#send(program, command, `${command.line}\n`, onLine),
      // The connection may be lost, and then all is off.
      tell: (lines) => void this.#turns.take(() => this.#tell(lines())).catch(() => undefined),
    });
  }

  get programs(): ReadonlySet<Program> {
    return this.#programs;
  }

  get logins(): LoginDesk {
    return this.#logins;
  }

  /** Attaches a program. @param banner what OpenVPN greeted with */
  attach(port: Port, rights: Rights, banner: ByteString): Program {
    const program = new Program(port, rights);
    this.#programs.add(program);
    this.#managementVersion = Number(/ Version (\d+) /.exec(banner)?.[1] ?? 0);
    program.send(banner + this.#question.text);
    for (const message of this.#logins.joined(program)) program.send(filterEnvironment(message, program.envLevel));
    return program;
  }

  /** Takes what a program sent. */
  receive(program: Program, chunk: Buffer): void {
    program.receive(chunk);
    void this.#serve(program);
  }

  /** A program sends no more: it is let go when all is answered. */
  ended(program: Program): void {
    program.hasEnded = true;
    void this.#serve(program);
  }

  /** A program is gone. What it had turned on, and nobody else has, is turned off; its logins go to the next. */
  leave(program: Program): void {
    if (program.isGone) return;
    program.isGone = true;
    this.#programs.delete(program);
    const { programs, questions } = this.#logins.left(program);
    for (const next of programs) for (const message of questions) next.send(filterEnvironment(message, next.envLevel));
    this.#subscriptions.release(program);
  }

  /** OpenVPN is gone: so are the programs, after what was sent to them. */
  disconnected(): void {
    this.#subscriptions.forget();
    for (const program of this.#programs) {
      program.flush();
      program.isGone = true;
      program.port.end();
    }
    this.#programs.clear();
    this.#logins.forget();
    this.#question.clear();
    this.#messages = new RealtimeMessages();
    this.#clientVersion = 0;
  }

  /** Takes real-time messages of OpenVPN, whole lines. */
  notifications(bytes: Buffer): void {
    for (const message of this.#messages.push(bytes.toString('latin1'))) {
      this.#question.heard(message);
      const recipients = this.#recipients(message);
      for (const program of recipients) program.send(filterEnvironment(message, program.envLevel));
    }
  }

  #isCandidate(program: Program): boolean {
    if (!program.canAnswer) return false;
    return !this.#options.hasAppointed || program.rights.logins === 'appointed';
  }

  #recipients(message: RealtimeMessage): Iterable<Program> {
    const { type, rest } = message;
    if (type === 'CLIENT') return this.#recipientsOfClient(message);
    if (type === 'STATE' && /^\d+,(RECONNECTING|EXITING),/.test(rest)) this.#logins.clear();
    const name = SWITCH_OF_TYPE[type];
    if (name !== undefined) return [...this.#programs].filter((program) => program.switches.has(name));
    if (type === 'BYTECOUNT') return this.#subscriptions.countedBy('', this.#options.now());
    if (type === 'BYTECOUNT_CLI')
      return this.#subscriptions.countedBy(rest.slice(0, rest.indexOf(',')), this.#options.now());
    // They answer a command.
    if (type.startsWith('PKCS11ID-') && this.#asking !== null) return [this.#asking];
    return this.#programs;
  }

  #recipientsOfClient(message: RealtimeMessage): Iterable<Program> {
    const { rest } = message;
    if (LOGIN_EVENT.test(rest)) {
      if (rest.startsWith('CR_RESPONSE,')) return this.#logins.recipients();
      return this.#options.isKeptOut(() => loginNames(message)) ? [] : this.#logins.ask(message);
    }
    const [, cid] = /^(?:DISCONNECT|ESTABLISHED),(\d+)$/.exec(rest) ?? [];
    if (cid !== undefined) this.#logins.gone(cid);
    return this.#programs;
  }

  /** Works on the lines of a program, one after the other. */
  async #serve(program: Program): Promise<void> {
    if (program.isServed) return;
    program.isServed = true;
    try {
      while (!program.isGone) {
        // One that does not read gets no more answers.
        await program.port.whenTaken();
        const line = program.nextLine();
        if (line === undefined) break;
        await this.#take(program, line);
      }
    } catch (error) {
      // The connection to OpenVPN ends, and the program with it, or OpenVPN has not answered in time.
      if (!program.isGone) program.port.drop(error instanceof Error ? error.message : String(error));
    } finally {
      program.isServed = false;
    }
    if (!program.hasEnded || program.isGone) return;
    program.flush();
    program.port.end();
  }

  async #take(program: Program, line: InputLine): Promise<void> {
    const { body } = program;
    if (body !== null) {
      if (line !== 'END') this.#takeOfBody(body, line);
      else {
        program.body = null;
        await this.#takeWithBody(program, body);
      }
      return;
    }
    if (line === null) {
      this.#refuse(program, `a command has at most ${MAX_COMMAND_BYTES} bytes`);
      return;
    }
    const command = readCommand(line);
    if (command === null) return;
    const { name, parameters, fault } = command;
    const { allowed } = program.rights;
    if (name === 'exit' || name === 'quit') {
      program.flush();
      program.port.end();
      this.leave(program);
    } else if (fault !== null && allowed !== 'all') this.#refuse(program, fault);
    else if (fault === null && !isAllowed(allowed, name, parameters)) this.#refuse(program, refusalOf(allowed, name));
    else if (hasBody(command, this.#bodyState)) program.body = { command, lines: [], bytes: 0 };
    else await this.#execute(program, command);
  }

  #takeOfBody(body: NonNullable<Program['body']>, line: InputLine): void {
    body.bytes += line === null ? MAX_BODY_BYTES : line.length + 1;
    if (line === null || body.bytes > MAX_BODY_BYTES) body.lines = null;
    else body.lines?.push(line);
  }

  async #takeWithBody(program: Program, { command, lines }: NonNullable<Program['body']>): Promise<void> {
    if (lines === null) {
      const limits = `lines of at most ${MAX_COMMAND_BYTES} bytes, and ${MAX_BODY_BYTES} bytes in all`;
      this.#refuse(program, `${command.name} command failed: its body has ${limits}`);
      return;
    }
    const text = [command.line, ...lines, 'END', ''].join('\n');
    if (LOGIN_COMMANDS.has(command.name)) await this.#executeLogin(program, command, text);
    else
      await this.#inTurn(program, () => {
        // Another program may have answered meanwhile: OpenVPN would run the lines as commands, unchecked.
        const isWanted = hasBody(command, this.#bodyState);
        return this.#send(program, command, isWanted ? text : `${command.line}\n`);
      });
  }

  get #bodyState(): BodyState {
    return {
      question: this.#question.text,
      takesLongPasswords: this.#managementVersion >= 6 && this.#clientVersion >= 5,
    };
  }

  /** Executes a command without a body. */
  async #execute(program: Program, command: ProgramCommand): Promise<void> {
    const { name, parameters } = command;
    const text = `${command.line}\n`;
    if (SWITCHES.has(name)) await this.#subscriptions.switch(program, name as SwitchName, command);
    else if (name === 'bytecount' && parameters[0] !== undefined)
      await this.#subscriptions.count(program, Math.max(0, toInteger(parameters[0])));
    else if (name === 'env-filter') {
      program.envLevel = toInteger(parameters[0] ?? '0');
      program.send(`SUCCESS: env_filter_level=${program.envLevel}\r\n`);
    } else if (LOGIN_COMMANDS.has(name)) await this.#executeLogin(program, command, text);
    else await this.#inTurn(program, () => this.#send(program, command, text));
  }

  async #executeLogin(program: Program, command: ProgramCommand, text: ByteString): Promise<void> {
    const { name, parameters } = command;
    const [cid = '', kid = ''] = parameters;
    await this.#inTurn(program, async () => {
      const refusal = this.#logins.refusal(program);
      if (refusal !== null) {
        this.#refuse(program, `${name} command failed: ${refusal}`);
        return;
      }
      await this.#send(program, command, text, (line) => {
        if (line.startsWith('SUCCESS:')) this.#logins.answered(program, cid, kid, name !== 'client-pending-auth');
      });
    });
  }

  /** Runs when the commands before are answered, unless the program has left by then. */
  async #inTurn(program: Program, work: () => Promise<void>): Promise<void> {
    await this.#turns.take(async () => {
      if (!program.isGone) await work();
    });
    // What it turned on after it had left.
    if (program.isGone) this.#subscriptions.release(program);
  }

  async #send(
    program: Program,
    { name, parameters }: ProgramCommand,
    text: ByteString,
    onLine: (line: ByteString) => void = () => undefined,
  ): Promise<void> {
    this.#asking = program;
    let isSuccess = true;
    try {
      await this.#options.relay({
        label: `${name} of ${program.rights.socket}`,
        name,
        bytes: toBytes(text),
        onLine: (bytes) => {
          const line = bytes.toString('latin1');
          if (line.startsWith('ERROR:')) isSuccess = false;
          onLine(line);
          program.send(line);
        },
      });
    } finally {
      this.#asking = null;
    }
    if (!isSuccess) return;
    this.#question.answered(name, parameters);
    if (name === 'version' && parameters[0] !== undefined) this.#clientVersion = toInteger(parameters[0]);
  }

  #refuse(program: Program, reason: string): void {
    program.send(`ERROR: ${reason}\r\n`);
    program.port.complain(reason);
  }

  /** Sends commands of our own. */
  async #tell(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const [name = ''] = line.split(' ', 1);
      await this.#options.relay({ label: line, name, bytes: toBytes(`${line}\n`), onLine: () => undefined });
    }
  }
}

/** atoi(3). */
function toInteger(text: string): number {
  const value = Number.parseInt(text, 10);
  return Number.isNaN(value) ? 0 : value;
}
