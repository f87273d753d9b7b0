import { IptablesError } from './iptables-error.js';
import type { ListedSet, SetElement } from './ipset.js';
import { splitWords } from './words.js';

/**
 * Reads the output of `ipset save`: `create` and `add` lines, with options that this package does not know left out.
 *
 * @throws IptablesError EINVAL with a line of any other kind
 */
export function parseSets(text: string): ListedSet[] {
  const sets = new Map<string, ListedSet & { elements: SetElement[] }>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [verb, name = '', first = '', ...options] = splitWords(line).words;
    if (verb === 'create') {
      sets.set(name, { name, type: first, ...parseHeader(options), elements: [] });
    } else if (verb === 'add') {
      const set = sets.get(name);
      set?.elements.push(parseElement(first, options, set.type));
    } else {
      throw new IptablesError('EINVAL', `ipset save printed ${JSON.stringify(line)}`);
    }
  }
  return [...sets.values()];
}

/** Options without a value. Every other one has one, the text of a comment among them. */
const FLAGS = new Set(['counters', 'forceadd', 'nomatch', 'skbinfo']);

function parseHeader(words: readonly string[]): Omit<ListedSet, 'elements' | 'name' | 'type'> {
  const options = readOptions(words, new Set([...FLAGS, 'comment']));
  const family = options.get('family');
  return {
    ...(family === undefined ? {} : { family: family === 'inet6' ? 6 : 4 }),
    ...numberOf(options, 'timeout', 'timeoutSeconds'),
    ...numberOf(options, 'maxelem', 'maxElements'),
    hasMarks: options.has('skbinfo'),
  };
}

function parseElement(value: string, words: readonly string[], type: string): SetElement {
  const options = readOptions(words, FLAGS);
  const [mark = '', mask] = (options.get('skbmark') ?? '').split('/');
  return {
    // ipset prints MAC addresses in capitals, every other program in small letters.
    value: type === 'hash:mac' ? value.toLowerCase() : value,
    ...numberOf(options, 'timeout', 'timeoutSeconds'),
    ...(mark === '' ? {} : { mark: { value: Number(mark), ...(mask === undefined ? {} : { mask: Number(mask) }) } }),
  };
}

function readOptions(words: readonly string[], flags: ReadonlySet<string>): Map<string, string> {
  const options = new Map<string, string>();
  for (let at = 0; at < words.length; at += 1) {
    const name = words[at] ?? '';
    if (!flags.has(name)) at += 1;
    options.set(name, flags.has(name) ? '' : (words[at] ?? ''));
  }
  return options;
}

function numberOf<Name extends 'maxElements' | 'timeoutSeconds'>(
  options: ReadonlyMap<string, string>,
  option: string,
  name: Name,
): { [K in Name]?: number } {
  const value = options.get(option);
  // The computed key is the one of the type.
  return (value === undefined ? {} : { [name]: Number(value) }) as { [K in Name]?: number };
}
