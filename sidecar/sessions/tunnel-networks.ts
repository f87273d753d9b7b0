import type { ClientNetwork, Network } from '../../rules/index.js';
import { formatNetwork, networkKey } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks } from './client-networks.js';
import { type Surroundings, refusal } from './surroundings.js';

export interface TunnelNetworksOptions {
  /** Name of the OpenVPN client, unique among all that share `clients`. */
  readonly server: string;
  readonly clients: ClientNetworks;
  readonly logger: Logger;
  readonly onChanged: (key: string) => void;
}

/**
 * The networks that the tunnel of one OpenVPN client leads to. They are selected and learnt as a server's client
 * addresses are. What would take other traffic over, OpenVPN's own or the link's, is refused and said once.
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

  /** The tunnel leads to exactly these networks; to none without a device. */
  set(device: string | null, networks: readonly Network[], surroundings: Surroundings): void {
    const { clients, logger, server } = this.#options;
    const refused = new Set<string>();
    const wanted = new Map<string, ClientNetwork>();
    for (const network of device === null ? [] : networks) {
      const reason = refusal(network, surroundings);
      const text = formatNetwork(network);
      if (reason === null)
        wanted.set(text, {
          family: network.family,
          address: network.address,
          prefixLength: network.prefixLength,
          device: device ?? '',
        });
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

  #note(key: string | null): void {
    if (key !== null) this.#options.onChanged(key);
  }
}
