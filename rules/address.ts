/** A layer-3 family: 4 or 6. */
export type Family = 4 | 6;

/** A network in canonical text: host bits zero, IPv6 compressed as in RFC 5952. */
export interface Network {
  readonly family: Family;
  readonly address: string;
  /** 0..32 for IPv4, 0..128 for IPv6; the full length is a single address. */
  readonly prefixLength: number;
}

const ADDRESS_BITS = { 4: 32, 6: 128 } as const;

/** The number of bits of an address of this family: 32 or 128. */
export function addressBits(family: Family): number {
  return ADDRESS_BITS[family];
}

/** True for a network of one address. */
export function isHost(network: Network): boolean {
  return network.prefixLength === addressBits(network.family);
}

/** `192.0.2.1` for a single address, `192.0.2.0/24` otherwise. */
export function formatNetwork(network: Network): string {
  return isHost(network) ? network.address : `${network.address}/${network.prefixLength}`;
}

/**
 * Parses `address` or `address/prefixLength`, clears the host bits and prints the address canonically.
 *
 * @returns null when the text is neither an IPv4 nor an IPv6 network. A zone (`%eth0`) is refused.
 */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/');
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const family: Family = addressText.includes(':') ? 6 : 4;
  const value = family === 4 ? parseIpv4(addressText) : parseIpv6(addressText);
  if (value === null) return null;
  const bits = addressBits(family);
  let prefixLength = bits;
  if (slash >= 0) {
    const digits = text.slice(slash + 1);
    if (!/^\d{1,3}$/.test(digits) || Number(digits) > bits) return null;
    prefixLength = Number(digits);
  }
  return { family, address: formatAddress(family, value & netmask(family, prefixLength)), prefixLength };
}

/** The netmask of a prefix length as an address: `255.255.255.0`, `ffff:ffff:ffff:ffff::`. */
export function formatNetmask(family: Family, prefixLength: number): string {
  return formatAddress(family, netmask(family, prefixLength));
}

/** True when `outer` contains every address of `inner`; false across families. */
export function contains(outer: Network, inner: Network): boolean {
  if (outer.family !== inner.family || outer.prefixLength > inner.prefixLength) return false;
  const value = outer.family === 4 ? parseIpv4(inner.address) : parseIpv6(inner.address);
  const outerValue = outer.family === 4 ? parseIpv4(outer.address) : parseIpv6(outer.address);
  if (value === null || outerValue === null) return false;
  return (value & netmask(outer.family, outer.prefixLength)) === outerValue;
}

function netmask(family: Family, prefixLength: number): bigint {
  const bits = BigInt(addressBits(family));
  const ones = (1n << bits) - 1n;
  return ones ^ (ones >> BigInt(prefixLength));
}

function parseIpv4(text: string): bigint | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseIpv6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of one side of `::`; an IPv4 address at the very end (RFC 4291 2.2.3) counts as two. */
function parseGroups(text: string, isEnd: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const value = isEnd && index === parts.length - 1 ? parseIpv4(part) : null;
      if (value === null) return null;
      groups.push(Number(value >> 16n), Number(value & 0xffffn));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return null;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function formatAddress(family: Family, value: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - index * 16)) & 0xffffn));
  const { start, length } = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

/** RFC 5952 4.2: the first of the longest runs of zero groups is the one that `::` stands for. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index += 1) {
    if (groups[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}
