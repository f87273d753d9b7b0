import { IptablesError } from './iptables-error.js';
import { quoteWord, splitWords } from './words.js';

export interface Counters {
  readonly packets: bigint;
  readonly bytes: bigint;
}

/** `-A`, as `iptables-save` prints each rule. */
export interface RuleLine {
  readonly kind: 'rule';
  readonly chain: string;
  readonly words: readonly string[];
  readonly counters?: Counters;
  /**
   * How the words were written, from the end of the chain's name, if it is not how `printSave` would write them.
   * Ignored as soon as it does not say the same as `words`.
   */
  readonly verbatim?: string;
}

/** One line of the format of iptables-save and iptables-restore. */
export type SaveLine =
  | { readonly kind: 'blank' }
  /** `#`; the text is what follows it. */
  | { readonly kind: 'comment'; readonly text: string }
  | { readonly kind: 'table'; readonly name: string }
  /** The policy is null for a chain that a user made. */
  | { readonly kind: 'chain'; readonly name: string; readonly policy: string | null; readonly counters?: Counters }
  | RuleLine
  /** Any other command of iptables-restore: `-I`, `-D`, `-F`, `-N`, `-X`, `-P`. */
  | { readonly kind: 'command'; readonly words: readonly string[]; readonly verbatim?: string }
  | { readonly kind: 'commit' };

/**
 * Parses the format of iptables-save, losslessly: `printSave(parseSave(text)) === text`.
 *
 * Matches and targets stay plain words, so the parser need not know them. A word that holds a newline (a
 * comment can) continues in the next line, as iptables-save prints it; iptables-restore cannot read such a rule. For
 * bytes that are not UTF-8 decode as latin1.
 *
 * @throws IptablesError EINVAL with the number and text of the line; a last line without its end is one that was cut
 */
export function parseSave(text: string): SaveLine[] {
  if (text === '') return [];
  if (!text.endsWith('\n'))
    throw refused(text.split('\n').length, text.slice(text.lastIndexOf('\n') + 1), 'is cut: no newline at its end');
  const source = text.slice(0, -1).split('\n');
  const lines: SaveLine[] = [];
  for (let at = 0; at < source.length; at += 1) {
    const first = at;
    let line = source[at] ?? '';
    let parsed = parseLine(line);
    while (parsed === 'open' && at + 1 < source.length) {
      at += 1;
      line += `\n${source[at] ?? ''}`;
      parsed = parseLine(line);
    }
    if (parsed === 'open') throw refused(first + 1, source[first] ?? '', 'opens a quote that nothing closes');
    if (parsed === 'unknown')
      throw refused(first + 1, line, 'is none of: *table, :chain, -A and other commands, COMMIT, # comment');
    lines.push(parsed);
  }
  return lines;
}

/** Prints lines; what `parseSave` has read is printed byte for byte. */
export function printSave(lines: readonly SaveLine[]): string {
  return lines.map((line) => `${printLine(line)}\n`).join('');
}

function printLine(line: SaveLine): string {
  switch (line.kind) {
    case 'blank':
      return '';
    case 'comment':
      return `#${line.text}`;
    case 'table':
      return `*${line.name}`;
    case 'chain':
      return `:${line.name} ${line.policy ?? '-'}${line.counters ? ` ${printCounters(line.counters)}` : ''}`;
    case 'rule':
      return `${line.counters ? `${printCounters(line.counters)} ` : ''}-A ${line.chain}${spelling(line.words, line.verbatim)}`;
    case 'command':
      return spelling(line.words, line.verbatim).slice(1);
    case 'commit':
      return 'COMMIT';
    default:
      return assertNever(line);
  }
}

/** `unknown` for a line that is not of the format, `open` for one whose quotes continue in the next. */
function parseLine(line: string): SaveLine | 'open' | 'unknown' {
  if (line === '') return { kind: 'blank' };
  if (line === 'COMMIT') return { kind: 'commit' };
  if (line.startsWith('#')) return { kind: 'comment', text: line.slice(1) };
  if (line.startsWith('*')) return /^\*\S+$/u.test(line) ? { kind: 'table', name: line.slice(1) } : 'unknown';
  if (line.startsWith(':')) return parseChain(line);
  const rule = /^(?:\[(0|[1-9]\d*):(0|[1-9]\d*)\] )?-A (\S+)(|\s.*)$/su.exec(line);
  if (rule) {
    const [, packets, bytes, chain = '', rest = ''] = rule;
    const { words, isOpen } = splitWords(rest);
    return isOpen
      ? 'open'
      : { kind: 'rule', chain, words, ...parseCounters(packets, bytes), ...unlessPlain(words, rest) };
  }
  if (!/^-[A-Za-z-]/u.test(line)) return 'unknown';
  const { words, isOpen } = splitWords(line);
  return isOpen ? 'open' : { kind: 'command', words, ...unlessPlain(words, ` ${line}`) };
}

function parseChain(line: string): SaveLine | 'unknown' {
  const chain = /^:(\S+) (\S+)(?: \[(0|[1-9]\d*):(0|[1-9]\d*)\])?$/u.exec(line);
  if (!chain) return 'unknown';
  const [, name = '', policy = '', packets, bytes] = chain;
  return { kind: 'chain', name, policy: policy === '-' ? null : policy, ...parseCounters(packets, bytes) };
}

function parseCounters(packets: string | undefined, bytes: string | undefined): { counters?: Counters } {
  return packets === undefined || bytes === undefined
    ? {}
    : { counters: { packets: BigInt(packets), bytes: BigInt(bytes) } };
}

function printCounters({ packets, bytes }: Counters): string {
  return `[${packets}:${bytes}]`;
}

function unlessPlain(words: readonly string[], written: string): { verbatim?: string } {
  return written === plain(words) ? {} : { verbatim: written };
}

function spelling(words: readonly string[], verbatim: string | undefined): string {
  if (verbatim === undefined) return plain(words);
  const said = splitWords(verbatim).words;
  return said.length === words.length && said.every((word, at) => word === words[at]) ? verbatim : plain(words);
}

function plain(words: readonly string[]): string {
  return words.map((word) => ` ${quoteWord(word)}`).join('');
}

function refused(line: number, text: string, reason: string): IptablesError {
  return new IptablesError('EINVAL', `line ${line} of the iptables-save format ${reason}: ${JSON.stringify(text)}`, {
    line,
    text,
  });
}

function assertNever(line: never): never {
  throw new IptablesError('EINVAL', `no line of the iptables-save format: ${JSON.stringify(line)}`);
}
