/** One option of OpenVPN, from its command line or its configuration file. */
export interface OpenVpnOption {
  /** Without the leading dashes. */
  readonly name: string;
  readonly values: readonly string[];
}

/** Reads what a `config FILE` line names; null if it cannot be read. */
export type ConfigReader = (file: string) => Promise<string | null>;

/** The known options of an OpenVPN process. */
export interface OpenVpnOptions {
  /** In the order in which OpenVPN takes them: of most, the last one counts. */
  readonly options: readonly OpenVpnOption[];
  /** Files that are named and could not be read: there may be more options than these. */
  readonly unread: readonly string[];
}

/** As OpenVPN itself: options.c MAX_RECURSION_LEVELS. */
const MAX_DEPTH = 10;

/**
 * Assembles the options of an OpenVPN process as OpenVPN does: `--name value...` words, and the files that
 * `--config` (or a lone argument) names, each at its place.
 *
 * @param argv with the program's own name
 */
export async function readOptions(argv: readonly string[], read: ConfigReader): Promise<OpenVpnOptions> {
  const [, ...words] = argv;
  const collected: { options: OpenVpnOption[]; unread: string[] } = { options: [], unread: [] };
  const [only] = words;
  const given =
    words.length === 1 && only !== undefined && !only.startsWith('--')
      ? [{ name: 'config', values: [only] }]
      : parseCommandLine(words);
  await collect(given, read, collected, 0);
  return collected;
}

/** The last of an option's occurrences, undefined without one. */
export function optionOf({ options }: OpenVpnOptions, name: string): OpenVpnOption | undefined {
  return options.findLast((option) => option.name === name);
}

/** Words after a `--name` are its values. */
export function parseCommandLine(words: readonly string[]): OpenVpnOption[] {
  const options: { name: string; values: string[] }[] = [];
  for (const word of words) {
    if (word.startsWith('--')) options.push({ name: word.slice(2), values: [] });
    else options.at(-1)?.values.push(word);
  }
  return options;
}

/**
 * Parses the text of a configuration file: one option a line, quoting as in openvpn(8), comments after `#` or `;` at
 * the start of a word. Inline files (`<ca>` ... `</ca>`) are passed over: they hold secrets, and no options.
 */
export function parseConfig(text: string): OpenVpnOption[] {
  const options: OpenVpnOption[] = [];
  let inline: string | null = null;
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (inline !== null) {
      if (trimmed === `</${inline}>`) inline = null;
      continue;
    }
    const opened = /^<([a-z0-9-]+)>$/i.exec(trimmed)?.[1];
    if (opened !== undefined && opened !== 'connection') {
      inline = opened;
      continue;
    }
    const [name, ...values] = splitWords(trimmed);
    if (name !== undefined && !name.startsWith('<')) options.push({ name: name.replace(/^--/, ''), values });
  }
  return options;
}

async function collect(
  given: readonly OpenVpnOption[],
  read: ConfigReader,
  into: { options: OpenVpnOption[]; unread: string[] },
  depth: number,
): Promise<void> {
  for (const option of given) {
    const [file] = option.values;
    if (option.name !== 'config' || file === undefined) {
      into.options.push(option);
      continue;
    }
    const text = depth < MAX_DEPTH ? await read(file) : null;
    if (text === null) into.unread.push(file);
    else await collect(parseConfig(text), read, into, depth + 1);
  }
}

/** Outside of single quotes, a backslash makes the next character literal. */
function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (let index = 0; index < line.length; index += 1) {
    const character = line[index] ?? '';
    if (quote === '' && word === null && (character === '#' || character === ';')) break;
    if (quote === '' && /\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (character === '\\' && quote !== "'") {
      index += 1;
      word = (word ?? '') + (line[index] ?? '');
    } else if (character === quote) {
      quote = '';
    } else if (quote === '' && (character === '"' || character === "'")) {
      quote = character;
      word ??= '';
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== null) words.push(word);
  return words;
}
