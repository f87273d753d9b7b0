import { type AllowedCommands, isAllowed } from '../config/management-commands.js';
import type { ByteString } from './bytes.js';
import { ByteCounts } from './byte-counts.js';
import { InputLines, type InputLine } from './input-lines.js';
import { LOGIN_COMMANDS, type ProgramCommand } from './program-command.js';

/** Notifications that a program turns on and off for itself. */
export type SwitchName = 'state' | 'log' | 'echo';

/** The connection of a program, as the multiplexer uses it. */
export interface Port {
  /** Sends bytes; never waits. */
  write(bytes: ByteString): void;
  /** Hangs up, after what was written. */
  end(): void;
  /** Hangs up now. */
  drop(reason: string): void;
  /** Says what the program did wrong, and goes on. */
  complain(reason: string): void;
  /** Whether what it sends is read on. */
  setReading(isReading: boolean): void;
  /** Resolves when the program has taken most of what was written, immediately if it has, and when it is gone. */
  whenTaken(): Promise<void>;
}

/** What a program may do, by the socket that it is attached to. */
export interface Rights {
  /** The socket, as in the settings. */
  readonly socket: string;
  readonly allowed: AllowedCommands;
  /** `appointed`: programs at this socket answer logins. */
  readonly logins: 'appointed' | 'allowed' | 'never';
}

/** A command whose body has not ended yet. */
export interface OpenBody {
  readonly command: ProgramCommand;
  /** Null once it is too long: it is read to its end, and refused. */
  lines: ByteString[] | null;
  bytes: number;
}

/** From so many unread commands on, no more are read. */
const MANY_LINES = 64;

/** A program that is attached: what it wants, and what it sent that is not answered yet. */
export class Program {
  readonly port: Port;
  readonly rights: Rights;
  readonly switches = new Set<SwitchName>();
  byteCounts = new ByteCounts(0);
  envLevel = 0;
  body: OpenBody | null = null;
  /** It left, or its commands count no longer. */
  isGone = false;
  /** It has closed its sending side: it is let go when everything is answered. */
  hasEnded = false;
  /** Its commands are being worked on. */
  isServed = false;
  readonly #input = new InputLines();
  readonly #lines: InputLine[] = [];
  #output: ByteString[] = [];

  constructor(port: Port, rights: Rights) {
    this.port = port;
    this.rights = rights;
  }

  /** Whether it may answer logins. */
  get canAnswer(): boolean {
    return (
      this.rights.logins !== 'never' && [...LOGIN_COMMANDS].some((name) => isAllowed(this.rights.allowed, name, []))
    );
  }

  /** Takes bytes that it sent. */
  receive(chunk: Buffer): void {
    for (const line of this.#input.push(chunk)) this.#lines.push(line);
    if (this.#lines.length >= MANY_LINES) this.port.setReading(false);
  }

  /** Its next unanswered line; undefined if there is none. */
  nextLine(): InputLine | undefined {
    const line = this.#lines.shift();
    if (this.#lines.length < MANY_LINES) this.port.setReading(true);
    return line;
  }

  /** Sends text at the end of this turn of the event loop, together with what else it gets in it. */
  send(text: ByteString): void {
    if (this.isGone || text === '') return;
    if (this.#output.length === 0) queueMicrotask(() => this.flush());
    this.#output.push(text);
  }

  /** Sends now what waits to be sent. */
  flush(): void {
    const text = this.#output.join('');
    this.#output = [];
    if (text !== '' && !this.isGone) this.port.write(text);
  }
}
