/**
 * Reads what libnftables prints for `list` into typed objects.
 *
 * Tolerant: objects of a kind that we do not know are passed over, unknown properties are kept, and the forms in which
 * versions differ (a list of one printed without its brackets) are made one.
 */
import { NftError } from './nft-error.js';
import type { NftObject, ObjectKind } from './objects.js';

const KINDS: ReadonlySet<string> = new Set<ObjectKind>([
  'table',
  'chain',
  'rule',
  'set',
  'map',
  'element',
  'counter',
  'flowtable',
]);

export interface Listing {
  readonly objects: readonly NftObject[];
  /** From `metainfo`; empty if nothing was printed. */
  readonly version: string;
}

/** @throws NftError UNKNOWN if the text is no listing */
export function parseListing(text: string): Listing {
  const objects: NftObject[] = [];
  let version = '';
  for (const entry of entriesOf(text)) {
    for (const [kind, value] of Object.entries(entry)) {
      if (!isRecord(value)) {
        continue;
      }
      if (kind === 'metainfo') {
        version = typeof value['version'] === 'string' ? value['version'] : version;
      } else if (KINDS.has(kind)) {
        // The parse border: libnftables promises this shape (libnftables-json(5)), and the forms that vary are made
        // one.
        objects.push({ [kind]: normalize(value) } as unknown as NftObject);
      }
    }
  }
  return { objects, version };
}

function entriesOf(text: string): readonly Record<string, unknown>[] {
  if (text.trim() === '') {
    return [];
  }
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (cause) {
    throw new NftError('UNKNOWN', `listing is no JSON: ${text.slice(0, 80)}`, { detail: text.slice(0, 1000), cause });
  }
  const list = isRecord(root) ? root['nftables'] : undefined;
  if (!Array.isArray(list)) {
    throw new NftError('UNKNOWN', 'listing has no list "nftables"', { detail: text.slice(0, 1000) });
  }
  return list.filter(isRecord);
}

function normalize(value: Record<string, unknown>): Record<string, unknown> {
  for (const property of ['flags', 'elem']) {
    const current = value[property];
    if (current !== undefined && !Array.isArray(current)) {
      value[property] = [current];
    }
  }
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
