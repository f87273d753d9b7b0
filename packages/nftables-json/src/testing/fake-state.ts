/** The state of the fake kernel, and the undo log that makes its transactions atomic. */
import type { Chain, Counter, Element, Family, Flowtable, NftMap, NftSet, Rule, Table } from '../objects.js';
import type { Expression, MapPair } from '../expression.js';

export interface FakeRule {
  readonly handle: number;
  readonly rule: Rule;
}

export interface FakeChain {
  readonly handle: number;
  readonly definition: Chain;
  rules: readonly FakeRule[];
}

export type FakeSet = { readonly handle: number; readonly elements: Map<string, Expression | MapPair> } & (
  | { readonly kind: 'set'; readonly definition: NftSet }
  | { readonly kind: 'map'; readonly definition: NftMap }
);

export interface FakeCounter {
  readonly handle: number;
  readonly definition: Counter;
  packets: number;
  bytes: number;
}

export interface FakeTable {
  readonly handle: number;
  readonly definition: Table;
  lastHandle: number;
  chains: ReadonlyMap<string, FakeChain>;
  sets: ReadonlyMap<string, FakeSet>;
  counters: ReadonlyMap<string, FakeCounter>;
  flowtables: ReadonlyMap<string, { readonly handle: number; readonly definition: Flowtable }>;
  /** How often `chain:x`, `set:x`, `counter:x`, `flowtable:x` are referred to from rules and verdict maps. */
  readonly uses: Map<string, number>;
}

/** All tables, by family and name. */
export class FakeState {
  tables: ReadonlyMap<string, FakeTable> = new Map();
  lastTableHandle = 0;
  #undo: (() => void)[] = [];

  /** Runs a change; if it throws, everything that it wrote through `write` is taken back. */
  atomically<T>(change: () => T, keep: boolean): T {
    this.#undo = [];
    let isKept = false;
    try {
      const result = change();
      isKept = keep;
      return result;
    } finally {
      if (!isKept) {
        for (const undo of this.#undo.toReversed()) {
          undo();
        }
      }
      this.#undo = [];
    }
  }

  /** Assigns a property such that it can be taken back. */
  write<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
    const before = target[key];
    target[key] = value;
    this.#undo.push(() => {
      target[key] = before;
    });
  }

  /** Sets or, with undefined, deletes an entry such that it can be taken back. */
  writeEntry<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
    const before = map.get(key);
    const apply = (next: V | undefined): void => {
      if (next === undefined) {
        map.delete(key);
      } else {
        map.set(key, next);
      }
    };
    apply(value);
    this.#undo.push(() => {
      apply(before);
    });
  }

  table(family: Family, name: string): FakeTable | undefined {
    return this.tables.get(tableKey(family, name));
  }
}

export function tableKey(family: Family, name: string): string {
  return `${family} ${name}`;
}

/** A copy with an entry set or, with undefined, removed. */
export function withEntry<V>(map: ReadonlyMap<string, V>, key: string, value: V | undefined): ReadonlyMap<string, V> {
  const copy = new Map(map);
  if (value === undefined) {
    copy.delete(key);
  } else {
    copy.set(key, value);
  }
  return copy;
}

/** Key and value of an element as given. The key is canonical: wrappers and the order of properties do not matter. */
export function splitElement(element: Element['elem'][number]): {
  readonly key: string;
  readonly value: string | undefined;
} {
  if (isPair(element)) {
    return { key: canonical(element[0]), value: canonical(element[1]) };
  }
  return { key: canonical(element), value: undefined };
}

/** Only map elements are lists of two: a list of flags is no element. */
export function isPair(element: Element['elem'][number]): element is MapPair {
  return Array.isArray(element) && element.length === 2;
}

function canonical(expression: unknown): string {
  if (typeof expression === 'object' && expression !== null && 'elem' in expression) {
    const wrapper: unknown = expression.elem;
    if (typeof wrapper === 'object' && wrapper !== null && 'val' in wrapper) {
      return canonical(wrapper.val);
    }
  }
  return JSON.stringify(expression, sortProperties);
}

function sortProperties(_key: string, value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
  return value;
}

/** All objects that an expression or statement refers to, as keys of `uses`; one entry for each mention. */
export function referencesOf(value: unknown): readonly string[] {
  const references: string[] = [];
  collect(value, references);
  return references;
}

function collect(value: unknown, references: string[]): void {
  if (typeof value === 'string') {
    if (value.startsWith('@')) {
      references.push(`set:${value.slice(1)}`);
    }
    return;
  }
  if (Array.isArray(value)) {
    for (const entry of value) {
      collect(entry, references);
    }
    return;
  }
  if (typeof value !== 'object' || value === null) {
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    if ((key === 'jump' || key === 'goto') && isTarget(inner)) {
      references.push(`chain:${inner.target}`);
    } else if (key === 'counter' && typeof inner === 'string') {
      references.push(`counter:${inner}`);
    } else if (key === 'flowtable' && typeof inner === 'string') {
      references.push(`flowtable:${inner.replace(/^@/u, '')}`);
    } else {
      collect(inner, references);
    }
  }
}

function isTarget(value: unknown): value is { readonly target: string } {
  return typeof value === 'object' && value !== null && 'target' in value && typeof value.target === 'string';
}
