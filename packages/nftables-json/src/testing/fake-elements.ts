/** Elements of the fake's sets and maps. */
import { NftError, type NftErrorCode } from '../nft-error.js';
import type { Element } from '../objects.js';
import { count, found, messageOf, tableOf } from './fake-lookup.js';
import { isPair, referencesOf, splitElement, type FakeSet, type FakeState, type FakeTable } from './fake-state.js';

/** A rejected element, so that the caller can name it. */
export class ElementRefused extends NftError {
  readonly elementIndex: number;

  constructor(code: NftErrorCode, message: string, elementIndex: number) {
    super(code, message);
    this.elementIndex = elementIndex;
  }
}

export function addElements(state: FakeState, element: Element, isCreate: boolean): void {
  if (element.elem.length === 0) {
    return;
  }
  const table = tableOf(state, element);
  const set = found(table.sets.get(element.name));
  for (const [index, item] of element.elem.entries()) {
    const { key, value } = splitElement(item);
    const existing = set.elements.get(key);
    const refuse = (condition: boolean, code: NftErrorCode): void => {
      if (condition) {
        throw new ElementRefused(code, messageOf(code), index);
      }
    };
    refuse(isPair(item) !== (set.kind === 'map'), 'EINVAL');
    if (existing !== undefined) {
      refuse(isCreate || splitElement(existing).value !== value, 'EEXIST');
      continue;
    }
    refuse(set.definition.size !== undefined && set.elements.size >= set.definition.size, 'ENFILE');
    const references = chainReferences(item);
    refuse(
      references.some((reference) => !table.chains.has(reference.slice('chain:'.length))),
      'ENOENT',
    );
    state.writeEntry(set.elements, key, item);
    count(state, table, references, 1);
  }
}

export function deleteElements(state: FakeState, element: Element): void {
  if (element.elem.length === 0) {
    return;
  }
  const table = tableOf(state, element);
  const set = found(table.sets.get(element.name));
  for (const [index, item] of element.elem.entries()) {
    const { key } = splitElement(item);
    const existing = set.elements.get(key);
    if (existing === undefined) {
      throw new ElementRefused('ENOENT', messageOf('ENOENT'), index);
    }
    state.writeEntry(set.elements, key, undefined);
    count(state, table, chainReferences(existing), -1);
  }
}

export function clearSet(state: FakeState, table: FakeTable, set: FakeSet): void {
  for (const [key, item] of Array.from(set.elements)) {
    state.writeEntry(set.elements, key, undefined);
    count(state, table, chainReferences(item), -1);
  }
}

function chainReferences(item: Element['elem'][number]): readonly string[] {
  return isPair(item) ? referencesOf(item[1]) : [];
}
