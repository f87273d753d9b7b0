import ipaddr from 'ipaddr.js';

import { addressBits, contains, type Family, type Network, parseNetwork } from './address.js';
import type { ClientNetwork, Link } from './world.js';

/** An address of a client, and a link whose own network has it: hosts there ask with ARP or ND who has it. */
export interface AnnouncedAddress {
  readonly family: Family;
  /** Canonical. */
  readonly address: string;
  /** The link. */
  readonly device: string;
}

/**
 * The largest subnet behind a client that is announced, in addresses: a proxy neighbour of the kernel has one address
 * and no prefix length, so each address of a subnet needs its own.
 */
export const MAX_ANNOUNCED = 256;

/** What part of {@link Link} decides about it. */
export type AnnouncingLink = Pick<Link, 'device' | 'addresses' | 'onlink' | 'families'>;

/** The links whose own network contains this one. Most often one or none. */
export function linksAround<L extends AnnouncingLink>(network: Network, links: readonly L[]): readonly L[] {
  return links.filter(
    (link) => link.families.includes(network.family) && link.onlink.some((outer) => contains(outer, network)),
  );
}

/**
 * The addresses to announce for a client network, on every link around it. Left out: the endpoint's own addresses, and
 * the first and the last of the link's IPv4 network, for which nobody asks.
 *
 * @returns `too many` for a subnet of more than {@link MAX_ANNOUNCED} addresses inside a link's network
 */
export function announcedAddresses(
  network: ClientNetwork,
  links: readonly AnnouncingLink[],
): readonly AnnouncedAddress[] | 'too many' {
  const around = linksAround(network, links);
  if (around.length === 0) return [];
  if (addressBits(network.family) - network.prefixLength > Math.log2(MAX_ANNOUNCED)) return 'too many';
  const addresses = addressesOf(network);
  return around.flatMap(({ device, addresses: own, onlink }) => {
    const unusable = new Set([...own, ...onlink.flatMap(endsOf)]);
    return addresses
      .filter((address) => !unusable.has(address))
      .map((address) => ({ family: network.family, address, device }));
  });
}

/** One key for each address on each link. */
export function announcedKey({ device, address }: Pick<AnnouncedAddress, 'device' | 'address'>): string {
  return `${device} ${address}`;
}

function addressesOf({ family, address, prefixLength }: Network): readonly string[] {
  if (prefixLength === addressBits(family)) return [address];
  const first = ipaddr.parse(address).toByteArray();
  return Array.from({ length: 2 ** (addressBits(family) - prefixLength) }, (_, index) => {
    // At most eight host bits, all of them in the last byte.
    const last = (first.at(-1) ?? 0) + index;
    return ipaddr.fromByteArray([...first.slice(0, -1), last]).toString();
  });
}

/** The network address and the broadcast address of an IPv4 network that has them (RFC 3021: not a /31). */
function endsOf({ family, address, prefixLength }: Network): readonly string[] {
  if (family === 6 || prefixLength > 30) return [];
  const last = ipaddr.IPv4.broadcastAddressFromCIDR(`${address}/${prefixLength}`).toString();
  return [address, parseNetwork(last)?.address ?? last];
}
