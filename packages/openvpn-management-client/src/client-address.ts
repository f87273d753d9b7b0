import { detach } from './text.js';

/** An address or subnet in canonical form: RFC 5952 text, host bits zero. */
export interface ClientAddress {
  readonly family: 4 | 6;
  /** The address, or the first address of the subnet. */
  readonly address: string;
  /** 0..32 or 0..128; a single host has the whole length. */
  readonly prefixLength: number;
  /** `address/prefixLength`, always with the length: the key to use in sets and maps. */
  readonly cidr: string;
}

/**
 * Parses what `>CLIENT:ADDRESS` carries: `10.8.0.2`, `192.168.77.0/255.255.255.0`, `192.168.77.0/24`, `fd00::2`,
 * `fd00:77::/64`.
 * By hand, and not by a library: it runs for each event and for each row of `status`, of which a server with 10,000
 * clients has as many every few seconds.
 *
 * @returns undefined for anything else, a netmask with holes included
 * @see OpenVPN mroute.c mroute_addr_print_ex (v2.6)
 */
export function parseClientAddress(text: string): ClientAddress | undefined {
  const slash = text.indexOf('/');
  const host = slash === -1 ? text : text.slice(0, slash);
  const suffix = slash === -1 ? undefined : text.slice(slash + 1);
  const ipv4 = readIpv4(host);
  // What was read without leading zeros is already canonical.
  if (ipv4 !== undefined) return suffix === undefined ? withLength(4, detach(host), 32) : ipv4Subnet(ipv4, suffix);
  const groups = readIpv6(host);
  return groups === undefined ? undefined : ipv6Address(groups, suffix);
}

/** The canonical text of one IPv4 or IPv6 address, or undefined. */
export function canonicalAddress(text: string): { readonly family: 4 | 6; readonly address: string } | undefined {
  const ipv4 = readIpv4(text);
  if (ipv4 !== undefined) return { family: 4, address: detach(text) };
  const groups = readIpv6(text);
  return groups === undefined ? undefined : { family: 6, address: formatIpv6(groups) };
}

function ipv4Subnet(value: number, suffix: string): ClientAddress | undefined {
  const prefixLength = readIpv4Suffix(suffix);
  if (prefixLength === undefined) return undefined;
  return withLength(4, formatIpv4(prefixLength === 0 ? 0 : (value & (-1 << (32 - prefixLength))) >>> 0), prefixLength);
}

function withLength(family: 4 | 6, address: string, prefixLength: number): ClientAddress {
  return { family, address, prefixLength, cidr: `${address}/${prefixLength}` };
}

function readIpv4Suffix(suffix: string): number | undefined {
  if (!suffix.includes('.')) return readLength(suffix, 32);
  const mask = readIpv4(suffix);
  if (mask === undefined) return undefined;
  const holes = ~mask >>> 0;
  // A netmask's complement is 2^n - 1; any other value has gaps.
  return (holes & (holes + 1)) === 0 ? Math.clz32(holes) : undefined;
}

function ipv6Address(groups: number[], suffix: string | undefined): ClientAddress | undefined {
  const prefixLength = suffix === undefined ? 128 : readLength(suffix, 128);
  if (prefixLength === undefined) return undefined;
  const masked = groups.map((group, index) => {
    const bits = Math.min(16, Math.max(0, prefixLength - index * 16));
    return group & (0xffff << (16 - bits)) & 0xffff;
  });
  return withLength(6, formatIpv6(masked), prefixLength);
}

function readLength(text: string, most: number): number | undefined {
  if (!/^\d{1,3}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= most ? value : undefined;
}

/** Four decimal bytes. Leading zeros are refused: elsewhere they mean octal. */
function readIpv4(text: string): number | undefined {
  let value = 0;
  let part = -1;
  let parts = 0;
  for (let index = 0; index <= text.length; index += 1) {
    const code = index === text.length ? 0x2e : text.charCodeAt(index);
    if (code === 0x2e) {
      if (part === -1) return undefined;
      value = value * 256 + part;
      part = -1;
      parts += 1;
    } else if (code >= 0x30 && code <= 0x39 && part !== 0) {
      part = (part === -1 ? 0 : part * 10) + code - 0x30;
      if (part > 255) return undefined;
    } else return undefined;
  }
  return parts === 4 ? value : undefined;
}

function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function readIpv6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2 || !text.includes(':')) return undefined;
  const head = readGroups(halves[0] ?? '', halves.length === 1);
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  const tail = readGroups(halves[1] ?? '', true);
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

function readGroups(text: string, isTail: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else {
      const ipv4 = isTail && index === parts.length - 1 ? readIpv4(part) : undefined;
      if (ipv4 === undefined) return undefined;
      groups.push(ipv4 >>> 16, ipv4 & 0xffff);
    }
  }
  return groups;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function formatIpv6(groups: readonly number[]): string {
  let runStart = -1;
  let runLength = 1;
  for (let start = 0; start < 8; start += 1) {
    let end = start;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - start > runLength) {
      runStart = start;
      runLength = end - start;
    }
    start = Math.max(start, end);
  }
  if (runStart === -1) return joinGroups(groups);
  return `${joinGroups(groups.slice(0, runStart))}::${joinGroups(groups.slice(runStart + runLength))}`;
}

function joinGroups(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}
