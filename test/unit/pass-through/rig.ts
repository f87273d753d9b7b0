import { ManagementError, type Relay } from 'openvpn-management-client';
import type { AllowedCommands } from '../../../sidecar/config/management-commands.js';
import { Multiplexer } from '../../../sidecar/pass-through/multiplexer.js';
import type { Port, Program, Rights, SwitchName } from '../../../sidecar/pass-through/program.js';

export const BANNER = ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n";

/** A program of the test, with what it got. */
export class TestProgram implements Port {
  readonly #multiplexer: Multiplexer;
  readonly #program: Program;
  text = '';
  dropped: string | null = null;
  hasEnded = false;
  isReading = true;
  readonly complaints: string[] = [];
  /** Takes what it was sent, once it did not. */
  take: () => void = () => undefined;
  #taken: Promise<void> = Promise.resolve();

  constructor(multiplexer: Multiplexer, rights: Rights) {
    this.#multiplexer = multiplexer;
    this.#program = multiplexer.attach(this, rights, BANNER);
  }

  /** What it got after the banner. */
  get got(): string {
    return this.text.replace(BANNER, '');
  }

  write(bytes: string): void {
    this.text += bytes;
  }

  end(): void {
    this.hasEnded = true;
  }

  drop(reason: string): void {
    this.dropped = reason;
    this.leave();
  }

  complain(reason: string): void {
    this.complaints.push(reason);
  }

  setReading(isReading: boolean): void {
    this.isReading = isReading;
  }

  async whenTaken(): Promise<void> {
    await this.#taken;
  }

  /** It does not read until {@link take}. */
  stopTaking(): void {
    this.#taken = new Promise((resolve) => {
      this.take = resolve;
    });
  }

  send(text: string): void {
    this.#multiplexer.receive(this.#program, Buffer.from(text, 'latin1'));
  }

  sendEnd(): void {
    this.#multiplexer.ended(this.#program);
  }

  leave(): void {
    this.#multiplexer.leave(this.#program);
  }
}

/** A multiplexer whose OpenVPN is the test. */
export class MultiplexerRig {
  readonly multiplexer: Multiplexer;
  /** Every command that was sent, without the last LF. */
  readonly sent: string[] = [];
  now = 0;
  own: SwitchName[] = ['state'];
  answersLogins = false;
  /** Names that gwmark keeps out. */
  keptOut: readonly string[] = [];
  #current: { readonly relay: Relay; readonly resolve: () => void; readonly reject: (error: Error) => void } | null =
    null;

  constructor({ hasAppointed = false }: { readonly hasAppointed?: boolean } = {}) {
    this.multiplexer = new Multiplexer({
      relay: async (relay) => {
        if (this.#current !== null) throw new Error('two commands at once');
        this.sent.push(relay.bytes.toString('latin1').replace(/\n$/, ''));
        await new Promise<void>((resolve, reject) => {
          this.#current = { relay, resolve, reject };
        });
      },
      ownSwitches: () => this.own,
      answersLogins: () => this.answersLogins,
      isKeptOut: (names) => this.keptOut.length > 0 && names().some((name) => this.keptOut.includes(name)),
      hasAppointed,
      now: () => this.now,
    });
  }

  attach(options: { readonly allowed?: AllowedCommands; readonly logins?: Rights['logins'] } = {}): TestProgram {
    return new TestProgram(this.multiplexer, {
      socket: 'unix:/run/test.sock',
      allowed: options.allowed ?? 'all',
      logins: options.logins ?? 'allowed',
    });
  }

  /** OpenVPN answers the command that it was sent, and what follows from that has happened. */
  async answer(...lines: readonly string[]): Promise<void> {
    await settled();
    const current = this.#current;
    if (current === null) throw new Error(`nothing was sent that "${lines.join(' ')}" answers`);
    for (const line of lines) current.relay.onLine(Buffer.from(`${line}\r\n`, 'latin1'));
    this.#current = null;
    current.resolve();
    await settled();
  }

  /** OpenVPN does not answer. */
  async fail(): Promise<void> {
    await settled();
    const current = this.#current;
    this.#current = null;
    current?.reject(new ManagementError('MGMT_TIMEOUT', 'no answer'));
    await settled();
  }

  /** OpenVPN says this of its own accord. */
  async say(...lines: readonly string[]): Promise<void> {
    this.multiplexer.notifications(Buffer.from(lines.map((line) => `${line}\r\n`).join(''), 'latin1'));
    await settled();
  }
}

/** Resolves when everything has happened that needs no more input. */
export async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** A message about a client, with two variables. */
export function clientEvent(header: string): readonly string[] {
  return [`>CLIENT:${header}`, '>CLIENT:ENV,common_name=anne', '>CLIENT:ENV,dev=tun0', '>CLIENT:ENV,END'];
}

/** The same as a program gets it. */
export function clientEventText(header: string): string {
  return clientEvent(header)
    .map((line) => `${line}\r\n`)
    .join('');
}
