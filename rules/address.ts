// By require: to import a CommonJS module, Node first scans its text for names, which takes 20 ms at each start.
import ipaddr = require('ipaddr.js');

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
 * Every address of the configuration, of iproute2 and of the kernel's listings is read here, by ipaddr.js. Two parsers
 * are written by hand, in packages that depend on nothing and where each event or element counts:
 * `parseClientAddress` of openvpn-management-client (each `>CLIENT:ADDRESS`, each row of `status`) and `parseAddress`
 * of nftables-json (each element of a transaction).
 *
 * @returns null when the text is neither an IPv4 nor an IPv6 network. Refused are also what ipaddr.js itself would
 *   take: a zone (`%eth0`), fewer than four parts (`10.1`), leading zeros, octal and hexadecimal parts
 */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const family: Family = address.kind() === 'ipv4' ? 4 : 6;
  const bits = addressBits(family);
  if (slash < 0) return { family, address: address.toString(), prefixLength: bits };
  const digits = text.slice(slash + 1);
  const prefixLength = Number(digits);
  if (!/^\d{1,3}$/.test(digits) || prefixLength > bits) return null;
  return { family, address: firstOf(address, prefixLength).toString(), prefixLength };
}

/** The netmask of a prefix length as an address: `255.255.255.0`, `ffff:ffff:ffff:ffff::`. */
export function formatNetmask(family: Family, prefixLength: number): string {
  return addressClass(family).subnetMaskFromPrefixLength(prefixLength).toString();
}

/** The last address of a network in canonical text: the host bits are ones. */
export function lastAddress({ address, prefixLength }: Network): string {
  const bytes = addressBytes(address).map((byte, index) => {
    const hostBits = Math.min(8, Math.max(0, (index + 1) * 8 - prefixLength));
    return byte | ((1 << hostBits) - 1);
  });
  return formatAddress(bytes);
}

/** The bytes of an address in network order: 4 or 16. @throws Error if it is none: {@link parseNetwork} tells */
export function addressBytes(text: string): Uint8Array {
  return Uint8Array.from(ipaddr.parse(text).toByteArray());
}

/** An address in canonical text. @param bytes 4 or 16, in network order */
export function formatAddress(bytes: Uint8Array): string {
  return ipaddr.fromByteArray([...bytes]).toString();
}

/**
 * True when `outer` contains every address of `inner`; false across families. By hand, since it is asked several times
 * for each client that connects; it needs no parser, for the text of a network is canonical.
 */
export function contains(outer: Network, inner: Network): boolean {
  if (outer.family !== inner.family || outer.prefixLength > inner.prefixLength) return false;
  const [own, other] = [groupsOf(outer), groupsOf(inner)];
  return own.every((group, index) => {
    const bits = Math.min(16, Math.max(0, outer.prefixLength - index * 16));
    return ((group ^ (other[index] ?? 0)) & (0xffff << (16 - bits))) === 0;
  });
}

/** An address as numbers of 16 bits: two or eight. */
function groupsOf({ family, address }: Network): readonly number[] {
  if (family === 4) {
    const [a, b, c, d] = address.split('.');
    return [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)];
  }
  const [head = '', tail = ''] = address.split('::');
  const [first, last] = [hexadecimal(head), hexadecimal(tail)];
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

function hexadecimal(groups: string): readonly number[] {
  return groups === '' ? [] : groups.split(':').map((group) => Number.parseInt(group, 16));
}

function addressClass(family: Family): typeof ipaddr.IPv4 | typeof ipaddr.IPv6 {
  return family === 4 ? ipaddr.IPv4 : ipaddr.IPv6;
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  if (!text.includes(':')) return parseIpv4(text);
  const hex = withoutIpv4(text);
  return hex === null || hex.includes('%') || !ipaddr.IPv6.isValid(hex) ? null : ipaddr.IPv6.parse(hex);
}

function parseIpv4(text: string): ipaddr.IPv4 | null {
  return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text) : null;
}

/**
 * The last 32 bits may be written as IPv4 (RFC 4291 2.2.3): gives them as two groups, since ipaddr.js takes leading
 * zeros there and reads `::192.0.2.1` as `::ffff:192.0.2.1`. Null if they are not an IPv4 address.
 */
function withoutIpv4(text: string): string | null {
  const start = text.lastIndexOf(':') + 1;
  const last = text.slice(start);
  if (!last.includes('.')) return text;
  const octets = parseIpv4(last)?.octets.map((octet) => octet.toString(16).padStart(2, '0'));
  return octets === undefined ? null : `${text.slice(0, start)}${octets.join('').replace(/.{4}$/, ':$&')}`;
}

/** The first address of the network: the host bits are zero. */
function firstOf(address: ipaddr.IPv4 | ipaddr.IPv6, prefixLength: number): ipaddr.IPv4 | ipaddr.IPv6 {
  const bytes = address.toByteArray().map((byte, index) => {
    const hostBits = Math.min(8, Math.max(0, (index + 1) * 8 - prefixLength));
    return (byte >> hostBits) << hostBits;
  });
  return ipaddr.fromByteArray(bytes);
}
