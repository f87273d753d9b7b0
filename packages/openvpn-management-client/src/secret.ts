import { inspect } from 'node:util';

const MASK = '***';

/**
 * A value that shows itself only through `reveal()`: string conversion, JSON and `util.inspect` print `***`.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Never hand the result to a logger or an error. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/** What logs show for a secret. */
export const REDACTED = MASK;
