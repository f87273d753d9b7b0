import { isAscii } from 'node:buffer';
import { Environment } from './environment.js';
import { ManagementError } from './errors.js';
import { readCid, readKid } from './ids.js';
import type { Message, Notification } from './messages.js';
import { parseClientAddressLine, parseNotification, unknown } from './notification.js';
import { Secret } from './secret.js';
import { countLines, decodeText, type ByteString } from './text.js';

/** Limits of a {@link Decoder}; beyond one of them it fails with MGMT_OVERFLOW rather than grow. */
export interface DecoderOptions {
  /**
   * Longest line without its CRLF, 1024..1048576 bytes, default 32768. OpenVPN's own is 10240 (error.h ERR_BUF_SIZE),
   * and two of them may come glued.
   */
  readonly maxLineBytes?: number;
  /** Most variables in one environment block, 64..65536, default 1024. About 55 are usual. */
  readonly maxEnvVariables?: number;
  /** Largest environment block, 4096..16777216 bytes, default 262144. About 2800 are usual. */
  readonly maxEnvBytes?: number;
}

const PROMPT = 'ENTER PASSWORD:';
const CLIENT = '>CLIENT:';
const CLIENT_ENV = '>CLIENT:ENV,';
const UPDOWN = '>UPDOWN:';
const UPDOWN_ENV = '>UPDOWN:ENV,';
const NOTHING: readonly Message[] = [];
const GREATER_THAN = 0x3e;
/**
 * The end of the first line that is not followed by another variable of a client's block. One call for some fifty
 * lines.
 */
const END_OF_VARIABLES = /\r\n(?!>CLIENT:ENV,(?!END\r\n))/g;

/** An environment block whose end has not arrived yet. */
interface OpenBlock {
  readonly prefix: string;
  /** `CLIENT` and `CONNECT,3,0` of the line that opened it. */
  readonly source: string;
  readonly header: ByteString;
  /** Absent for a header that was reported as unknown already: its block is skipped. */
  readonly build: ((env: Environment) => Notification) | undefined;
  /** Complete lines so far, of the processed texts. */
  body: ByteString;
  /** Undefined while there are too few bytes for too many variables, so counting is unnecessary. */
  variables: number | undefined;
  bytes: number;
}

/**
 * Bytes of the management interface to messages: incremental, without I/O, and the same messages wherever the stream
 * is cut.
 *
 * It holds no more than one line and one environment block, both bounded. A piece without a line
 * end is set aside unread, so a stream of single bytes costs no more than linear time.
 *
 * Values in text are decoded as `decodeText` says: no byte is lost.
 */
export class Decoder {
  readonly #maxLineBytes: number;
  readonly #maxEnvVariables: number;
  readonly #maxEnvBytes: number;
  /** A block with at most this many bytes cannot have too many variables, or be too large. */
  readonly #uncountedBytes: number;
  /** The beginning of an incomplete line: a rope, so that appending does not copy. */
  #pending: ByteString = '';
  /** Kept apart: looking at a rope's end would copy the rope. */
  #doesPendingEndWithCr = false;
  /** The pending line and the current chunk hold nothing but ASCII. */
  #isAscii = true;
  #isPromptPossible = true;
  #block: OpenBlock | undefined;
  /** Where in the current text the open block's lines begin that are not in `body` yet. */
  #runStart = 0;
  #failure: ManagementError | undefined;

  constructor(options: DecoderOptions = {}) {
    this.#maxLineBytes = limit('maxLineBytes', options.maxLineBytes ?? 32768, 1024, 1048576);
    this.#maxEnvVariables = limit('maxEnvVariables', options.maxEnvVariables ?? 1024, 64, 65536);
    this.#maxEnvBytes = limit('maxEnvBytes', options.maxEnvBytes ?? 262144, 4096, 16777216);
    this.#uncountedBytes = Math.min(this.#maxEnvBytes, this.#maxEnvVariables * (CLIENT_ENV.length + 2));
  }

  /** The overflow that ended this decoder, if any. Check it after each push. */
  get failure(): ManagementError | undefined {
    return this.#failure;
  }

  /**
   * True while an environment block or a line is incomplete. At the stream's end, drop what is incomplete.
   */
  get isMidMessage(): boolean {
    return this.#pending !== '' || this.#block !== undefined;
  }

  /**
   * Decodes the next piece of the stream; an env block's message comes once, with its last line.
   *
   * @param chunk not kept: the caller may reuse the memory
   * @throws ManagementError MGMT_OVERFLOW once a limit is passed, and on every later call. Messages that were complete
   *   before the overflow in the same chunk are returned first; then only `failure` tells until the next call.
   */
  push(chunk: Uint8Array): readonly Message[] {
    if (this.#failure !== undefined) throw this.#failure;
    if (chunk.length === 0) return NOTHING;
    this.#isAscii = isAscii(chunk) && (this.#pending === '' || this.#isAscii);
    const text = Buffer.isBuffer(chunk)
      ? chunk.toString('latin1')
      : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    const messages: Message[] = [];
    this.#decode(text, messages);
    if (this.#failure !== undefined && messages.length === 0) throw this.#failure;
    return messages.length === 0 ? NOTHING : messages;
  }

  #decode(text: ByteString, messages: Message[]): void {
    if (this.#pending === '') {
      this.#readLines(text, 0, messages);
      return;
    }
    if (this.#isPromptPossible && this.#pending.length < PROMPT.length) {
      // May be the first half of a prompt, which has no line end to wait for.
      const joined = this.#pending + text;
      this.#pending = '';
      this.#readLines(joined, 0, messages);
      return;
    }
    const isSplitCrlf = this.#doesPendingEndWithCr && text.startsWith('\n');
    const end = isSplitCrlf ? -1 : text.indexOf('\r\n');
    if (!isSplitCrlf && end === -1) {
      this.#setPending(this.#pending + text, text.endsWith('\r'));
      return;
    }
    const next = isSplitCrlf ? 1 : end + 2;
    const line = this.#pending + text.slice(0, next);
    this.#pending = '';
    this.#readLines(line, 0, messages);
    if (this.#failure === undefined) this.#readLines(text, next, messages);
  }

  /** Reads the lines of `text` from `from`, the start of a line, and sets the incomplete rest aside. */
  #readLines(text: ByteString, from: number, messages: Message[]): void {
    let at = from;
    this.#runStart = from;
    for (;;) {
      while (this.#isPromptPossible && text.startsWith(PROMPT, at)) {
        messages.push({ kind: 'password-prompt' });
        at += PROMPT.length;
      }
      if (this.#block?.prefix === CLIENT_ENV) at = this.#skipVariables(this.#block, text, at);
      const end = text.indexOf('\r\n', at);
      if (end === -1) break;
      if (end - at > this.#maxLineBytes) {
        this.#overflow(`a line of more than ${this.#maxLineBytes} bytes`);
        return;
      }
      this.#readLine(text, at, end, messages);
      if (this.#failure !== undefined) return;
      at = end + 2;
    }
    if (this.#block !== undefined) this.#block.body += text.slice(this.#runStart, at);
    if (at < text.length) this.#setPending(text.slice(at), text.endsWith('\r'));
  }

  #readLine(text: ByteString, start: number, end: number, messages: Message[]): void {
    const block = this.#block;
    if (block !== undefined) {
      if (text.startsWith(block.prefix, start)) {
        this.#readBlockLine(block, text, start, end, messages);
        return;
      }
      // Something else inside a block: a message of its own; the block continues after it.
      block.body += text.slice(this.#runStart, start);
      this.#runStart = end + 2;
    }
    if (text.charCodeAt(start) !== GREATER_THAN || start === end) {
      messages.push(this.#replyLine(text.slice(start, end)));
      return;
    }
    this.#isPromptPossible = false;
    if (text.startsWith(CLIENT, start)) this.#readClient(text.slice(start + CLIENT.length, end), end + 2, messages);
    else if (text.startsWith(UPDOWN, start))
      this.#readUpdown(text.slice(start + UPDOWN.length, end), end + 2, messages);
    else messages.push(parseNotification(text.slice(start, end), this.#isAscii));
  }

  /**
   * Passes over the variables of an open block from `at`, the start of a line, as long as no limit can be near; the
   * rest goes line by line. Returns where it stopped, the start of a line.
   */
  #skipVariables(block: OpenBlock, text: ByteString, at: number): number {
    if (!text.startsWith(CLIENT_ENV, at) || text.startsWith('END\r\n', at + CLIENT_ENV.length)) return at;
    END_OF_VARIABLES.lastIndex = at;
    const match = END_OF_VARIABLES.exec(text);
    const end = match === null ? text.lastIndexOf('\r\n') : match.index;
    const bytes = end + 2 - at;
    if (end < at || bytes > this.#maxLineBytes || block.bytes + bytes > this.#uncountedBytes) return at;
    block.bytes += bytes;
    block.variables = undefined;
    return end + 2;
  }

  #readBlockLine(block: OpenBlock, text: ByteString, start: number, end: number, messages: Message[]): void {
    const value = start + block.prefix.length;
    if (end - value === 3 && text.startsWith('END', value)) {
      const body = block.body + text.slice(this.#runStart, start);
      this.#block = undefined;
      if (block.build !== undefined) messages.push(block.build(new Environment(body, block.prefix)));
      return;
    }
    block.variables ??= countLines(block.body) + countLines(text.slice(this.#runStart, start));
    block.variables += 1;
    block.bytes += end + 2 - start;
    if (block.variables > this.#maxEnvVariables) {
      this.#overflow(`an environment block of more than ${this.#maxEnvVariables} variables`);
    } else if (block.bytes > this.#maxEnvBytes) {
      this.#overflow(`an environment block of more than ${this.#maxEnvBytes} bytes`);
    }
  }

  #replyLine(line: ByteString): Message {
    if (line === 'END') return { kind: 'end' };
    if (line.startsWith('SUCCESS:')) {
      this.#isPromptPossible = false;
      return { kind: 'success', text: decodeText(afterColon(line, 'SUCCESS:'.length)) };
    }
    if (line.startsWith('ERROR:')) return { kind: 'error', text: decodeText(afterColon(line, 'ERROR:'.length)) };
    // Rows are read by a command's parser and gone: they may share the chunk's memory.
    return { kind: 'line', text: this.#isAscii ? line : decodeText(line) };
  }

  /** @param next where the line after the header starts in the current text */
  #readClient(rest: ByteString, next: number, messages: Message[]): void {
    if (rest.startsWith('ADDRESS,')) {
      messages.push(parseClientAddressLine(rest));
      return;
    }
    if (rest.startsWith('ENV,')) {
      messages.push(unknown('CLIENT', maskedVariable(rest), 'outside of an environment block'));
      return;
    }
    const build = clientBuilder(rest);
    if (build === undefined) messages.push(unknown('CLIENT', rest, 'no such client event, or it does not parse'));
    this.#openBlock(
      { prefix: CLIENT_ENV, source: 'CLIENT', header: rest, build, body: '', variables: undefined, bytes: 0 },
      next,
      messages,
    );
  }

  #readUpdown(rest: ByteString, next: number, messages: Message[]): void {
    if (rest.startsWith('ENV,')) {
      messages.push(unknown('UPDOWN', maskedVariable(rest), 'outside of an environment block'));
      return;
    }
    const build =
      rest === 'UP' || rest === 'DOWN'
        ? (env: Environment): Notification => ({ kind: 'updown', direction: rest, env })
        : undefined;
    if (build === undefined) messages.push(unknown('UPDOWN', rest, 'neither UP nor DOWN'));
    this.#openBlock(
      { prefix: UPDOWN_ENV, source: 'UPDOWN', header: rest, build, body: '', variables: undefined, bytes: 0 },
      next,
      messages,
    );
  }

  #openBlock(block: OpenBlock, next: number, messages: Message[]): void {
    const broken = this.#block;
    if (broken?.build !== undefined) {
      messages.push(unknown(broken.source, broken.header, 'its environment block was broken off by the next event'));
    }
    this.#block = block;
    this.#runStart = next;
  }

  #setPending(text: ByteString, doesEndWithCr: boolean): void {
    this.#pending = text;
    this.#doesPendingEndWithCr = doesEndWithCr;
    if (text.length - (doesEndWithCr ? 1 : 0) > this.#maxLineBytes) {
      this.#overflow(`a line of more than ${this.#maxLineBytes} bytes`);
    }
  }

  #overflow(what: string): void {
    this.#failure = new ManagementError('MGMT_OVERFLOW', `decode the management stream: ${what}`);
    this.#pending = '';
    this.#block = undefined;
  }
}

/** Converts the environment of a client event into its message; undefined for an unknown event. */
function clientBuilder(rest: ByteString): ((env: Environment) => Notification) | undefined {
  const [event, cidText = '', kidText = '', ...more] = rest.split(',');
  const cid = readCid(cidText);
  if (cid === undefined) return undefined;
  if (event === 'ESTABLISHED' && kidText === '') return (env) => ({ kind: 'client:established', cid, env });
  if (event === 'DISCONNECT' && kidText === '') return (env) => ({ kind: 'client:disconnect', cid, env });
  const kid = readKid(kidText);
  if (kid === undefined) return undefined;
  if (event === 'CONNECT' && more.length === 0) return (env) => ({ kind: 'client:connect', cid, kid, env });
  if (event === 'REAUTH' && more.length === 0) return (env) => ({ kind: 'client:reauth', cid, kid, env });
  if (event === 'CR_RESPONSE' && more.length === 1) {
    const response = new Secret(more[0] ?? '');
    return (env) => ({ kind: 'client:cr-response', cid, kid, response, env });
  }
  return undefined;
}

function afterColon(line: ByteString, at: number): ByteString {
  return line.slice(line.startsWith(' ', at) ? at + 1 : at);
}

/** `ENV,name=***`: a stray line may be a password's. */
function maskedVariable(rest: ByteString): ByteString {
  const equals = rest.indexOf('=');
  return equals === -1 ? rest : `${rest.slice(0, equals)}=***`;
}

function limit(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ManagementError('MGMT_ARGUMENT', `${name}: ${value} is not in ${least}..${most}`);
}
