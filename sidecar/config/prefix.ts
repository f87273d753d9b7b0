import { contains, formatNetwork, type Network, parseNetwork } from '../../rules/address.js';

/** "This network", loopback, multicast and reserved: RFC 6890 and RFC 4291 2.4. */
const NOT_UNICAST = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3', '::/8', 'ff00::/8'].flatMap(
  (text) => parseNetwork(text) ?? [],
);

/** Reads an IPv4 network `a.b.c.0/24` for next-hop addresses; undefined if it is none, or not unicast. */
export function parseNexthop4(text: string): string | undefined {
  const network = parseUnicast(text);
  return network?.family === 4 && text.endsWith('/24') ? formatNetwork(network) : undefined;
}

/**
 * Reads an IPv6 network with a length of 64..112 for next-hop addresses and returns its canonical form (RFC 5952);
 * undefined if it is none, has host bits, or is not unicast.
 */
export function parseNexthop6(text: string): string | undefined {
  const network = parseUnicast(text);
  const isUsable = network?.family === 6 && network.prefixLength >= 64 && network.prefixLength <= 112;
  return isUsable ? formatNetwork(network) : undefined;
}

/** Undefined where the text is no network, or has host bits. */
function parseUnicast(text: string): Network | undefined {
  const network = parseNetwork(text);
  const host = parseNetwork(text.split('/')[0] ?? '');
  if (network === null || host?.address !== network.address) return undefined;
  return NOT_UNICAST.some((outer) => contains(outer, network)) ? undefined : network;
}
