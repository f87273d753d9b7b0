import type { Link, Network, Tunnel } from '../../rules/index.js';
import { contains, formatNetwork, parseNetwork } from '../../rules/index.js';

/** What the network of a tunnel must not take over. */
export interface Surroundings {
  readonly links: readonly Pick<Link, 'device' | 'onlink' | 'isBridge'>[];
  /**
   * Where an OpenVPN client sends its packets. A server's are kept out of networks behind its clients by rules,
   * wherever these are.
   */
  readonly remotes: readonly string[];
  /** Routes to the tunnel that are not ours; null while there is no tunnel. */
  readonly tunnel: Pick<Tunnel, 'connected' | 'covered'> | null;
}

/** An endpoint about which nothing is known. */
export const NO_SURROUNDINGS: Surroundings = { links: [], remotes: [], tunnel: null };

/** What is around a server's tunnel. */
export function surroundingsOf(links: readonly Link[], tunnel: Tunnel | null): Surroundings {
  return {
    links: links.map(({ device, onlink, isBridge }) => ({ device, onlink, isBridge })),
    remotes: [],
    tunnel: tunnel === null ? null : { connected: tunnel.connected, covered: tunnel.covered },
  };
}

/** Networks that no tunnel leads to: loopback, link-local, multicast and above. RFC 6890 */
const SPECIAL = ['127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/128', '::1/128', 'fe80::/10', 'ff00::/8'].flatMap(
  (text) => parseNetwork(text) ?? [],
);

/**
 * Why a tunnel may not lead to this network: an address or subnet of a server's client, or a network of an OpenVPN
 * client. Null when it may.
 *
 * A network around a link is taken, for the link's own route is narrower and main comes first; but not where the link
 * is a bridge, off which frames between its hosts would be captured. A part of a link's network is taken where main
 * leads it to the tunnel already: an administrator said so, as for clients with addresses on the LAN (proxy ARP).
 */
export function refusal(network: Network, { links, remotes, tunnel }: Surroundings): string | null {
  // Nearly every address of a client.
  if (tunnel?.connected.some((own) => own.prefixLength < network.prefixLength && contains(own, network)) === true)
    return null;
  if (network.prefixLength === 0) return 'a default route';
  const special = SPECIAL.find((each) => contains(each, network) || contains(network, each));
  if (special !== undefined)
    return contains(special, network)
      ? `it is in ${formatNetwork(special)}, to which no tunnel leads`
      : `it contains ${formatNetwork(special)}, to which no tunnel leads`;
  for (const { device, onlink, isBridge } of links) {
    const outer = onlink.find((own) => contains(own, network));
    const isExplained =
      outer !== undefined &&
      outer.prefixLength < network.prefixLength &&
      tunnel?.covered.some((covered) => contains(covered, network)) === true;
    if (outer !== undefined && !isExplained) return `it is on the link ${device}`;
    if (isBridge && onlink.some((inner) => contains(network, inner)))
      return `it contains the network of the bridge ${device}`;
  }
  const remote = remotes.find((address) => isWithin(network, address));
  return remote === undefined ? null : `it contains ${remote}, to which OpenVPN itself sends`;
}

function isWithin(network: Network, address: string): boolean {
  const host = parseNetwork(address);
  return host !== null && contains(network, host);
}
