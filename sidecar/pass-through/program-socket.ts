import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Secret } from 'openvpn-management-client';
import { type ByteString, toBytes } from './bytes.js';
import { InputLines } from './input-lines.js';
import type { Port } from './program.js';

/** What a program has not taken yet: beyond this it is dropped. A `status` of 30,000 clients fits. */
const MAX_UNREAD_BYTES = 8 << 20;
/** With so much unread, its commands wait. */
const BEHIND_BYTES = 64 << 10;
/** OpenVPN's own: manage.c man_check_password, v2.6. */
const PASSWORD_TRIES = 3;
/** How long a program may take to give its password. */
const PASSWORD_TIMEOUT_MS = 60_000;
/** How long one that is hung up on may take to read the rest. */
const END_TIMEOUT_MS = 2000;

export interface ProgramSocketOptions {
  /** What the program has to give first; null for nothing. */
  readonly password: Secret | null;
  /** The program is let in: attach it. */
  readonly onAttached: () => void;
  readonly onData: (chunk: Buffer) => void;
  /** It sends no more. */
  readonly onEnd: () => void;
  /** Called once. */
  readonly onClosed: () => void;
  /** It was dropped. */
  readonly onDropped: (reason: string) => void;
  /** It did something that is refused; called once for each reason. */
  readonly onComplaint: (reason: string) => void;
}

/** The connection of one program: its password, and what it is sent, within bounds. */
export class ProgramSocket implements Port {
  readonly #socket: Socket;
  readonly #options: ProgramSocketOptions;
  readonly #complaints = new Set<string>();
  #whenTaken: Promise<void> | null = null;

  /** @param socket owned from here on, half-open ones are allowed */
  constructor(socket: Socket, options: ProgramSocketOptions) {
    this.#socket = socket;
    this.#options = options;
    // A program that is killed resets its connection.
    socket.on('error', () => undefined);
    socket.once('close', () => options.onClosed());
  }

  /** Asks for the password, if there is one, and lets the program in. Call it once. */
  start(): void {
    const { password } = this.#options;
    if (password === null) this.#attach();
    else this.#askPassword(password);
  }

  write(bytes: ByteString): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    if (this.#socket.writableLength + bytes.length > MAX_UNREAD_BYTES) {
      this.drop(`it has not read ${MAX_UNREAD_BYTES >> 20} MiB of what it was sent`);
      return;
    }
    this.#socket.write(toBytes(bytes));
  }

  end(): void {
    if (this.#socket.destroyed) return;
    this.#socket.end();
    // The rest of what it sends counts no more, but is read, or the kernel resets the connection.
    this.#socket.removeAllListeners('data').resume();
    const timer = setTimeout(() => this.#socket.destroy(), END_TIMEOUT_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  drop(reason: string): void {
    if (this.#socket.destroyed) return;
    this.#socket.destroy();
    this.#options.onDropped(reason);
  }

  complain(reason: string): void {
    // One that tries everything fills no log.
    if (this.#complaints.has(reason) || this.#complaints.size >= 8) return;
    this.#complaints.add(reason);
    this.#options.onComplaint(reason);
  }

  setReading(isReading: boolean): void {
    if (isReading === !this.#socket.isPaused() || this.#socket.destroyed) return;
    if (isReading) this.#socket.resume();
    else this.#socket.pause();
  }

  async whenTaken(): Promise<void> {
    if (this.#socket.writableLength < BEHIND_BYTES || this.#socket.destroyed) return;
    this.#whenTaken ??= new Promise((resolve) => {
      const finish = (): void => {
        this.#whenTaken = null;
        resolve();
      };
      this.#socket.once('drain', finish).once('close', finish);
    });
    await this.#whenTaken;
  }

  #attach(): void {
    this.#socket.on('data', (chunk: Buffer) => this.#options.onData(chunk));
    this.#socket.once('end', () => this.#options.onEnd());
    this.#options.onAttached();
  }

  /** As OpenVPN does: a wrong one is asked for again, and after three the connection ends, all without a word. */
  #askPassword(password: Secret): void {
    const lines = new InputLines();
    let tries = 0;
    const timer = setTimeout(() => this.drop('it gave no password'), PASSWORD_TIMEOUT_MS);
    this.#socket.once('close', () => clearTimeout(timer));
    const onData = (chunk: Buffer): void => {
      const given = lines.push(chunk);
      for (const [index, line] of given.entries()) {
        if (line !== null && isSame(line, password)) {
          clearTimeout(timer);
          this.#socket.off('data', onData).off('end', onEnd);
          this.write('SUCCESS: password is correct\r\n');
          this.#attach();
          const rest = given.slice(index + 1).map((text) => `${text ?? ''}\n`);
          this.#options.onData(toBytes(rest.join('') + lines.rest));
          return;
        }
        tries += 1;
        this.complain('wrong password');
        if (tries >= PASSWORD_TRIES) {
          this.end();
          return;
        }
        this.write('ENTER PASSWORD:');
      }
    };
    const onEnd = (): void => this.end();
    this.#socket.on('data', onData).once('end', onEnd);
    this.write('ENTER PASSWORD:');
  }
}

function isSame(line: ByteString, password: Secret): boolean {
  const [given, wanted] = [toBytes(line), Buffer.from(password.reveal(), 'utf8')];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
