import type { ClientNetwork, Network } from '../../rules/index.js';
import { formatNetwork, networkKey } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks } from './client-networks.js';
import type { RefusedNetwork } from './session-networks.js';
import { type Surroundings, refusal } from './surroundings.js';

/** A network that two VPNs lead to. */
export interface SharedNetwork {
  /** Canonical text. */
  readonly network: string;
  /** The other devices. */
  readonly devices: string[];
}

export interface TunnelNetworksOptions {
  /** Name of the OpenVPN client, or of another VPN or its peer; unique among all that share `clients`. */
  readonly server: string;
  readonly clients: ClientNetworks;
  readonly logger: Logger;
  readonly onChanged: (key: string) => void;
}

/**
 * The networks that the tunnel of one OpenVPN client leads to, or a tunnel of another VPN, or one of its peers is
 * behind. They are selected and learnt as a server's client
 * addresses are. What would take other traffic over, OpenVPN's own or the link's, is refused and said once.
 */
export class TunnelNetworks {
  readonly #options: TunnelNetworksOptions;
  #held: ReadonlyMap<string, ClientNetwork> = new Map();
  #refused: ReadonlyMap<string, string> = new Map();
  #shared: readonly SharedNetwork[] = [];

  constructor(options: TunnelNetworksOptions) {
    this.#options = options;
  }

  /** Canonical text of each network in force, sorted. */
  list(): readonly string[] {
    return [...this.#held.keys()].toSorted();
  }

  /** What is not served, and why. */
  get refused(): RefusedNetwork[] {
    return [...this.#refused].map(([network, reason]) => ({ network, reason }));
  }

  /** Networks that another VPN leads to on another device, too; the one that came last is served. */
  shared(): SharedNetwork[] {
    return [...this.#held].flatMap(([network, held]): SharedNetwork[] => {
      const devices = this.#options.clients.devicesOf(networkKey(held)).filter((device) => device !== held.device);
      return devices.length === 0 ? [] : [{ network, devices: [...new Set(devices)] }];
    });
  }

  /** Logs those of {@link shared} that were not before. */
  logShared(): void {
    const shared = this.shared();
    for (const { network, devices } of shared)
      if (!this.#shared.some((before) => before.network === network))
        this.#options.logger.warn('network.shared', { network, devices });
    this.#shared = shared;
  }

  /** The tunnel leads to exactly these networks; to none without a device. */
  set(device: string | null, networks: readonly Network[], surroundings: Surroundings): void {
    const { clients, logger, server } = this.#options;
    const refused = new Map<string, string>();
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
        refused.set(text, reason);
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
    for (const [key, network] of before) if (!wanted.has(key)) this.#removed(key, network);
  }

  /** Lets networks go that are not among these, before others take them with {@link set}. */
  keepOnly(networks: readonly Network[]): void {
    const kept = new Set(networks.map((network) => formatNetwork(network)));
    const before = this.#held;
    this.#held = new Map([...before].filter(([key]) => kept.has(key)));
    for (const [key, network] of before) if (!kept.has(key)) this.#removed(key, network);
  }

  #removed(key: string, network: ClientNetwork): void {
    this.#note(this.#options.clients.remove(this.#options.server, networkKey(network)));
    this.#options.logger.info('network.changed', { network: key, device: network.device, change: 'removed' });
  }

  #note(key: string | null): void {
    if (key !== null) this.#options.onChanged(key);
  }
}
