import type { Program } from './program.js';
import type { RealtimeMessage } from './realtime-messages.js';

/** Logins that wait at once; OpenVPN gives each up after its hand-window. */
const MAX_WAITING = 10_000;

export interface LoginDeskOptions {
  /** Attached programs that may answer, the first to attach first. */
  readonly candidates: () => readonly Program[];
  /** gwmark answers (`authorize: accept`): no program is asked. */
  readonly isOurs: () => boolean;
  /** Only programs at sockets with `logins: true` answer. */
  readonly isAppointed: boolean;
}

/**
 * Which program is asked about a login. One answers: the first that attached where `logins: true` is set; without such a
 * socket, the first that answers, and until then each one that may. When it leaves, what waits is asked of the next.
 */
export class LoginDesk {
  readonly #options: LoginDeskOptions;
  /** The latest question about each client, by CID. */
  readonly #waiting = new Map<string, { readonly kid: string; readonly message: RealtimeMessage }>();
  #answerer: Program | null = null;

  constructor(options: LoginDeskOptions) {
    this.#options = options;
  }

  /** The program that answers; null while there is none. */
  get answerer(): Program | null {
    return this.#answerer;
  }

  /** How many logins wait for an answer. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A program is attached that may answer. */
  get isAttended(): boolean {
    return this.#answerer !== null || this.#options.candidates().length > 0;
  }

  /** OpenVPN asks about a login or a renegotiation. @returns whom to ask */
  ask(message: RealtimeMessage): readonly Program[] {
    const [, cid = '', kid = ''] = message.rest.split(',');
    if (this.#options.isOurs()) return [];
    // The latest is the one that is pending.
    this.#waiting.delete(cid);
    this.#waiting.set(cid, { kid, message });
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > MAX_WAITING && oldest !== undefined) this.#waiting.delete(oldest);
    return this.recipients();
  }

  /** Who gets messages about logins now. */
  recipients(): readonly Program[] {
    if (this.#options.isOurs()) return [];
    return this.#answerer === null ? this.#options.candidates() : [this.#answerer];
  }

  /** Why a program may not answer; null if it may. */
  refusal(program: Program): string | null {
    if (this.#options.isOurs()) return 'gwmark answers logins (authorize: accept)';
    if (!this.#options.candidates().includes(program)) return 'programs at this socket do not answer logins';
    return this.#answerer === null || this.#answerer === program ? null : 'another program answers logins';
  }

  /** OpenVPN took the answer of a program. @param isFinal false for client-pending-auth */
  answered(program: Program, cid: string, kid: string, isFinal: boolean): void {
    if (!program.isGone) this.#answerer ??= program;
    if (isFinal && this.#waiting.get(cid)?.kid === kid) this.#waiting.delete(cid);
  }

  /** A client is gone, or let in. */
  gone(cid: string): void {
    this.#waiting.delete(cid);
  }

  /** Every client is gone. */
  clear(): void {
    this.#waiting.clear();
  }

  /** Every client is gone, and every program. */
  forget(): void {
    this.#waiting.clear();
    this.#answerer = null;
  }

  /** A program attached. @returns what it is asked */
  joined(program: Program): readonly RealtimeMessage[] {
    if (this.#options.isAppointed && !this.#options.isOurs() && this.#options.candidates().includes(program))
      this.#answerer ??= program;
    return this.recipients().includes(program) ? this.#questions() : [];
  }

  /** A program left, and is no candidate any more. @returns whom to ask what waits */
  left(program: Program): { readonly programs: readonly Program[]; readonly questions: readonly RealtimeMessage[] } {
    if (this.#answerer !== program) return { programs: [], questions: [] };
    this.#answerer = (this.#options.isAppointed ? this.#options.candidates()[0] : undefined) ?? null;
    return { programs: this.recipients(), questions: this.#questions() };
  }

  #questions(): readonly RealtimeMessage[] {
    return [...this.#waiting.values()].map(({ message }) => message);
  }
}
