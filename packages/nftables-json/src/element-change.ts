/** Commands that only add or delete single addresses, in the form in which the kernel takes them. */
import { isIPv6 } from 'node:net';
import type { Command } from './command.js';
import type { Element, Family } from './objects.js';

/**
 * Most elements of one transaction that go to the kernel from the event loop, which each holds for about a
 * microsecond. More of them go through libnftables on its thread: from here on that costs no longer. All of them fit
 * into one attribute (64 KiB).
 */
const MAX_ELEMENTS = 1000;

const ZERO = 0x30;

/** `NFPROTO_*` of linux/netfilter.h. */
export const PROTOCOL: ReadonlyMap<string, number> = new Map<Family, number>([
  ['inet', 1],
  ['ip', 2],
  ['arp', 3],
  ['netdev', 5],
  ['bridge', 7],
  ['ip6', 10],
]);

export interface ElementChange {
  readonly verb: 'add' | 'delete';
  /** `NFPROTO_*` of the table's family. */
  readonly protocol: number;
  readonly table: string;
  /** Of the set. */
  readonly name: string;
  /** Of every key: 4 for IPv4, 16 for IPv6. */
  readonly keyBytes: 4 | 16;
  /** Addresses in network order, at least one. */
  readonly keys: readonly Uint8Array[];
}

/**
 * The commands as changes, or undefined if any of them is more than `add element` or `delete element` of plain
 * addresses of one family, or if they have more than MAX_ELEMENTS elements.
 */
export function toElementChanges(commands: readonly Command[]): readonly ElementChange[] | undefined {
  const changes: ElementChange[] = [];
  let count = 0;
  for (const command of commands) {
    const verb = 'add' in command ? 'add' : 'delete' in command ? 'delete' : undefined;
    const object = 'add' in command ? command.add : 'delete' in command ? command.delete : undefined;
    if (verb === undefined || object === undefined || !isSole(command) || !('element' in object) || !isSole(object)) {
      return undefined;
    }
    count += object.element.elem.length;
    const change = count > MAX_ELEMENTS ? undefined : toChange(verb, object.element);
    if (change === undefined) {
      return undefined;
    }
    changes.push(change);
  }
  return changes.length === 0 ? undefined : changes;
}

function toChange(verb: 'add' | 'delete', { elem, family, table, name, ...rest }: Element): ElementChange | undefined {
  const keys: Uint8Array[] = [];
  for (const element of elem) {
    const key = typeof element === 'string' ? parseAddress(element) : undefined;
    if (key === undefined || key.length !== (keys[0] ?? key).length) {
      return undefined;
    }
    keys.push(key);
  }
  const keyBytes = keys[0]?.length;
  const protocol = PROTOCOL.get(family);
  if (
    protocol === undefined ||
    (keyBytes !== 4 && keyBytes !== 16) ||
    Object.keys(rest).length > 0 ||
    !isName(table) ||
    !isName(name)
  ) {
    return undefined;
  }
  return { verb, protocol, table, name, keyBytes, keys };
}

/**
 * An address in network order; undefined for a text that is none, or has a zone. By hand, and not by a library: it runs
 * for each element of a transaction.
 *
 * @see RFC 4291 section 2.2
 */
export function parseAddress(text: string): Uint8Array | undefined {
  if (!text.includes(':')) {
    return parseIPv4(text);
  }
  if (!isIPv6(text) || text.includes('%')) {
    return undefined;
  }
  const [head = '', tail] = text.split('::');
  const start = parseGroups(head);
  const end = parseGroups(tail ?? '');
  const key = new Uint8Array(16);
  key.set(start);
  key.set(end, 16 - end.length);
  return key;
}

/**
 * Dotted decimal without leading zeros. By hand: where a change is rare, the regular expression of node:net costs as
 * much as the kernel does.
 */
function parseIPv4(text: string): Uint8Array | undefined {
  const key = new Uint8Array(4);
  let position = 0;
  let digits = 0;
  let value = 0;
  for (let index = 0; index <= text.length; index++) {
    const digit = text.charCodeAt(index) - ZERO;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digits += 1;
      if (value > 255 || (digits > 1 && value < 10)) {
        return undefined;
      }
    } else if (digits > 0 && position < 4 && (index === text.length || text[index] === '.')) {
      key[position] = value;
      position += 1;
      digits = 0;
      value = 0;
    } else {
      return undefined;
    }
  }
  return position === 4 ? key : undefined;
}

/** Bytes of groups between colons, the last of which may be an IPv4 address. */
function parseGroups(text: string): readonly number[] {
  return text === ''
    ? []
    : text.split(':').flatMap((group) => {
        if (group.includes('.')) {
          return group.split('.').map(Number);
        }
        const value = Number.parseInt(group, 16);
        return [value >> 8, value & 0xff];
      });
}

function isSole(value: object): boolean {
  return Object.keys(value).length === 1;
}

/** A caller without types may pass anything; libnftables then says what is wrong with it. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0');
}
