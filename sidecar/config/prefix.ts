import { isIPv4, isIPv6 } from 'node:net';

/** Reads an IPv4 network `a.b.c.0/24` for next-hop addresses; undefined where it is none, or not unicast. */
export function parseNexthop4(text: string): string | undefined {
  const [address = '', length, ...rest] = text.split('/');
  if (rest.length > 0 || length !== '24' || !isIPv4(address)) return undefined;

  const [first = 0, , , last] = address.split('.').map(Number);
  const isUnicast = first >= 1 && first <= 223 && first !== 127;
  return isUnicast && last === 0 ? `${address}/24` : undefined;
}

/**
 * Reads an IPv6 network with a length of 64..112 for next-hop addresses and gives its canonical form (RFC 5952);
 * undefined where it is none, has host bits, or is not unicast.
 */
export function parseNexthop6(text: string): string | undefined {
  const [address = '', lengthText = '', ...rest] = text.split('/');
  if (rest.length > 0 || !/^\d{1,3}$/.test(lengthText) || !isIPv6(address) || address.includes('%')) return undefined;
  const length = Number(lengthText);
  if (length < 64 || length > 112) return undefined;

  const value = ipv6ToBigInt(address);
  const hasHostBits = BigInt.asUintN(128 - length, value) !== 0n;
  const firstByte = value >> 120n;
  if (hasHostBits || firstByte === 0n || firstByte === 0xffn) return undefined;
  return `${canonicalIpv6(address)}/${length}`;
}

/** The serializer of WHATWG URLs writes IPv6 addresses as RFC 5952 wants them. */
function canonicalIpv6(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

function ipv6ToBigInt(address: string): bigint {
  const [head = '', tail] = canonicalIpv6(address).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
