import { isAlias, isMap, isScalar, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';

import { didYouMean } from './did-you-mean.js';
import { type ConfigProblem, formatSource, showValue, type Source } from './problem.js';
import { type RawValue, type RawValues, unknownName } from './sources.js';
import { SETTINGS, type SettingPath } from './table.js';

/** A group that may be given as the value of one of its settings: `management: unix:/path`. */
const SHORT_FORMS: ReadonlyMap<string, SettingPath> = new Map([
  ['management', 'management.endpoints'],
  ['wireguard', 'wireguard.interfaces'],
]);
const PATHS: ReadonlyMap<string, SettingPath> = new Map(SETTINGS.map(({ path }) => [path, path]));
const GROUPS: ReadonlySet<string> = new Set(
  SETTINGS.filter(({ path }) => path.includes('.')).map(({ path }) => path.slice(0, path.lastIndexOf('.'))),
);

/**
 * Reads a configuration file: YAML 1.2, one document, a mapping of settings. Pure.
 *
 * @param file what messages call it
 */
export function yamlValues(text: string, file: string): RawValues {
  const lines = new LineCounter();
  // Not `silent`, which silently takes the first of several documents.
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'error', prettyErrors: false });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return {
      values: [],
      problems: faults.map((fault) => ({
        path: '',
        source: formatSource({ kind: 'file', file, line: lines.linePos(fault.pos[0]).line }),
        value: null,
        expected: fault.code === 'MULTIPLE_DOCS' ? 'one YAML document' : `valid YAML; ${fault.message}`,
      })),
    };
  }

  const walk = new Walk(file, lines, document);
  walk.root(document.contents);
  return { values: walk.values, problems: walk.problems };
}

/** One pass over the tree of a document; aliases are followed, each node's line is kept. */
class Walk {
  readonly values: RawValue[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #document: ReturnType<typeof parseDocument>;

  constructor(file: string, lines: LineCounter, document: ReturnType<typeof parseDocument>) {
    this.#file = file;
    this.#lines = lines;
    this.#document = document;
  }

  root(contents: Node | null): void {
    const node = this.#follow(contents);
    if (isNothing(node)) return;
    if (isMap(node)) this.#map(node, '');
    else this.#problem('', node, this.#show(node), 'a mapping of settings');
  }

  #map(map: YAMLMap, prefix: string): void {
    for (const pair of map.items as Pair<Node, Node | null>[]) {
      const name = isScalar(pair.key) ? String(pair.key.value) : this.#show(pair.key);
      this.#entry(`${prefix}${name}`, pair);
    }
  }

  #entry(path: string, pair: Pair<Node, Node | null>): void {
    const node = this.#follow(pair.value);
    const setting = PATHS.get(path);
    if (setting !== undefined) return this.#setting(setting, pair.key, node);
    if (!GROUPS.has(path)) {
      const meant = didYouMean(path, [...PATHS.keys(), ...GROUPS]);
      return this.#problem(path, pair.key, null, unknownName('key', meant));
    }

    const short = SHORT_FORMS.get(path);
    // All members of a group may be commented out.
    if (isNothing(node)) return;
    if (isMap(node)) return this.#map(node, `${path}.`);
    if (short !== undefined) return this.#setting(short, pair.key, node);
    const members = [...PATHS.keys()].filter((member) => member.startsWith(`${path}.`));
    return this.#problem(path, pair.key, this.#show(node), `a mapping with ${members.join(', ')}`);
  }

  #setting(path: SettingPath, key: Node, node: Node | null): void {
    const raw = this.#toJs(node);
    const earlier = this.values.some((value) => value.path === path);
    if (earlier) this.#problem(path, key, showValue(raw), 'this setting once');
    else if (raw === null) this.#problem(path, key, null, 'a value; leave the key out to get the default');
    else this.values.push({ path, raw, form: 'yaml', source: this.#source(node ?? key) });
  }

  #follow(node: Node | null): Node | null {
    return isAlias(node) ? (node.resolve(this.#document) ?? null) : node;
  }

  /** Null if there is nothing; a tree with too many aliases is shown as such and fails its check. */
  #toJs(node: Node | null): unknown {
    if (node === null) return null;
    try {
      return node.toJS(this.#document, { maxAliasCount: 100 }) as unknown;
    } catch (error) {
      return `[${error instanceof Error ? error.message : 'not readable'}]`;
    }
  }

  #show(node: Node | null): string {
    return showValue(this.#toJs(node));
  }

  #source(node: Node | null): Source {
    const start = node?.range?.[0];
    return { kind: 'file', file: this.#file, line: start === undefined ? null : this.#lines.linePos(start).line };
  }

  #problem(path: string, node: Node | null, value: string | null, expected: string): void {
    this.problems.push({ path, source: formatSource(this.#source(node)), value, expected });
  }
}

function isNothing(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}
