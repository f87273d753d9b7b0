import { inspect } from 'node:util';

/** What stands in the place of a secret wherever one would be printed. */
export const REDACTED = '***';

/** A string that never shows itself in logs, JSON or the debugger; only {@link Secret.reveal} gives it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The secret itself, to be sent and not kept. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
