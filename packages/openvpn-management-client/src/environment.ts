import { inspect } from 'node:util';
import { REDACTED, Secret } from './secret.js';
import { countLines, decodeText, toByteString, type ByteString } from './text.js';

/** Variables whose value never leaves through iteration, JSON, `inspect` or `get`. */
const SECRET_NAMES = new Set(['password', 'auth_token', 'session_id']);

/**
 * The environment block of one notification, read only.
 *
 * It keeps the block as it came and reads a variable when asked: a sidecar looks at a handful of some fifty. Names
 * come from clients and certificates, so this is no plain object: `__proto__` is a name like any other.
 */
export class Environment {
  readonly #block: ByteString;
  readonly #prefix: string;

  /**
   * @param block whole lines, each with `prefix` at its start and CRLF at its end; what the decoder hands over
   * @param prefix `>CLIENT:ENV,` or `>UPDOWN:ENV,`
   */
  constructor(block: ByteString, prefix: string) {
    this.#block = block;
    this.#prefix = prefix;
  }

  /** Builds an environment from name and value pairs, for tests and fakes. */
  static from(entries: Iterable<readonly [string, string]>): Environment {
    const prefix = '>CLIENT:ENV,';
    let block = '';
    for (const [name, value] of entries) {
      block += `${prefix}${toByteString(`${name}=${value}`)}\r\n`;
    }
    return new Environment(block, prefix);
  }

  /** How many variables the block has. */
  get size(): number {
    return countLines(this.#block);
  }

  /** The value of a variable; undefined if it is absent; `***` for a secret one, see {@link Environment.secret}. */
  get(name: string): string | undefined {
    const value = this.#find(name);
    if (value === undefined) return undefined;
    return SECRET_NAMES.has(name) ? REDACTED : decodeText(value);
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** The true value of any variable, wrapped; the only access to a client's `password`. */
  secret(name: string): Secret | undefined {
    const value = this.#find(name);
    return value === undefined ? undefined : new Secret(decodeText(value));
  }

  /** True if the other has the same variables with the same values, secret ones included, in the same order. */
  equals(other: Environment): boolean {
    return this.#prefix === other.#prefix && this.#block === other.#block;
  }

  /** Every variable in wire order; secret values as `***`. */
  *entries(): IterableIterator<readonly [name: string, value: string]> {
    let at = 0;
    while (at < this.#block.length) {
      const start = at + this.#prefix.length;
      const end = this.#block.indexOf('\r\n', start);
      const line = this.#block.slice(start, end);
      const equals = line.indexOf('=');
      const name = decodeText(equals === -1 ? line : line.slice(0, equals));
      const value = equals === -1 ? '' : line.slice(equals + 1);
      yield [name, SECRET_NAMES.has(name) ? REDACTED : decodeText(value)];
      at = end + 2;
    }
  }

  [Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    return this.entries();
  }

  /** Pairs rather than an object: `__proto__` is a legal name. Secret values are `***`. */
  toJSON(): readonly (readonly [string, string])[] {
    return [...this.entries()];
  }

  [inspect.custom](): string {
    return `Environment(${this.size}) ${inspect(this.toJSON())}`;
  }

  #find(name: string): ByteString | undefined {
    if (name === '' || /[=\r\n]/.test(name)) return undefined;
    const key = this.#prefix + toByteString(name);
    for (let at = this.#block.indexOf(key); at !== -1; at = this.#block.indexOf(key, at + 1)) {
      // A value may hold the key too; a line starts at 0 or after CRLF.
      if (at !== 0 && !this.#block.startsWith('\r\n', at - 2)) continue;
      const after = at + key.length;
      if (this.#block.startsWith('=', after)) return this.#block.slice(after + 1, this.#block.indexOf('\r\n', after));
      if (this.#block.startsWith('\r\n', after)) return '';
    }
    return undefined;
  }
}
