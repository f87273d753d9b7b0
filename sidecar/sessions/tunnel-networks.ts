import type { ClientNetwork, Link, Network } from '../../rules/index.js';
import { contains, formatNetwork, networkKey, parseNetwork } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks } from './client-networks.js';

export interface TunnelNetworksOptions {
  /** Name of the OpenVPN client, unique among all that share `clients`. */
  readonly server: string;
  readonly clients: ClientNetworks;
  readonly logger: Logger;
  readonly onChanged: (key: string) => void;
}

/** What a network must not take over. */
export interface Surroundings {
  readonly links: readonly Pick<Link, 'device' | 'onlink' | 'isBridge'>[];
  /** Where OpenVPN itself sends its packets. */
  readonly remotes: readonly string[];
}

/** What no tunnel leads to: loopback, multicast and above, link-local. */
const SPECIAL = ['127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/128', '::1/128', 'fe80::/10', 'ff00::/8'].flatMap((text) => parseNetwork(text) ?? []);

/**
 * The networks that the tunnel of one OpenVPN client leads to. They are selected and learnt as a server's client addresses are.
 * What would take other traffic over, OpenVPN's own or the link's, is refused and said once.
 */
export class TunnelNetworks {
  readonly #options: TunnelNetworksOptions;
  #held: ReadonlyMap<string, ClientNetwork> = new Map();
  #refused: ReadonlySet<string> = new Set();

  constructor(options: TunnelNetworksOptions) {
    this.#options = options;
  }

  /** Canonical text of each network in force, sorted. */
  list(): readonly string[] {
    return [...this.#held.keys()].toSorted();
  }

  /** The tunnel leads to these and to nothing else; to nothing at all without a device. */
  set(device: string | null, networks: readonly Network[], surroundings: Surroundings): void {
    const { clients, logger, server } = this.#options;
    const refused = new Set<string>();
    const wanted = new Map<string, ClientNetwork>();
    for (const network of device === null ? [] : networks) {
      const reason = refusal(network, surroundings);
      const text = formatNetwork(network);
      if (reason === null) wanted.set(text, { family: network.family, address: network.address, prefixLength: network.prefixLength, device: device ?? '' });
      else {
        if (!this.#refused.has(text) && !refused.has(text)) logger.warn('network.refused', { network: text, reason });
        refused.add(text);
      }
    }
    const before = this.#held;
    this.#held = wanted;
    this.#refused = refused;
    for (const [key, network] of wanted) {
      if (before.get(key)?.device === network.device) continue;
      this.#note(clients.add(server, network, { name: server }));
      logger.info('network.changed', { network: key, device: network.device, change: 'added' });
    }
    for (const [key, network] of before) {
      if (wanted.has(key)) continue;
      this.#note(clients.remove(server, networkKey(network)));
      logger.info('network.changed', { network: key, device: network.device, change: 'removed' });
    }
  }

  #note(change: { readonly network: ClientNetwork } | null): void {
    if (change !== null) this.#options.onChanged(networkKey(change.network));
  }
}

/** Why a tunnel may not lead to this network; null when it may. */
function refusal(network: Network, { links, remotes }: Surroundings): string | null {
  if (network.prefixLength === 0) return 'a default route';
  if (SPECIAL.some((special) => contains(special, network) || contains(network, special))) return 'it holds addresses that no tunnel leads to';
  const link = links.find(({ onlink }) => onlink.some((outer) => contains(outer, network)));
  if (link !== undefined) return `it lies on the link ${link.device}`;
  // Elsewhere the link's own route is the narrower one; off a bridge, frames between its hosts would be captured.
  const bridge = links.find(({ isBridge, onlink }) => isBridge && onlink.some((inner) => contains(network, inner)));
  if (bridge !== undefined) return `it holds the link of the bridge ${bridge.device}`;
  const remote = remotes.find((address) => isWithin(network, address));
  return remote === undefined ? null : `it holds ${remote}, to which OpenVPN itself sends`;
}

function isWithin(network: Network, address: string): boolean {
  const host = parseNetwork(address);
  return host !== null && contains(network, host);
}
