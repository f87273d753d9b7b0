import type { ClientNetwork, Tunnel } from '../../rules/index.js';
import { networkKey } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import { ClientNetworks } from '../sessions/client-networks.js';
import { FormerOwners } from '../sessions/former-owners.js';
import { ConntrackFlusher } from './conntrack-flusher.js';

/**
 * As long as TCP repeats what is not acknowledged: `tcp_retries2`, 924.6 s by default (ip-sysctl.rst). After that no
 * peer waits.
 */
const HOLD_MS = 15 * 60_000;
/** Networks kept for their owner: a few hundred bytes each. */
const MAX_HELD = 65_536;

export interface ClientConnectionsOptions {
  /** Whether conntrack entries are deleted at all: the setting `conntrack`. */
  readonly isEnabled: boolean;
  /** Our current tunnels. */
  readonly tunnels: () => readonly Tunnel[];
  /** Resolves when the kernel can delete entries; never rejects. */
  readonly beforeDeletion: () => Promise<void>;
  readonly logger: Logger;
}

/**
 * The client networks, and what becomes of their connections. Who comes back finds his as he left them, gateways
 * included; whoever takes his address inherits none; and who stays away loses them after a while.
 */
export class ClientConnections implements AsyncDisposable {
  readonly networks: ClientNetworks;
  readonly #former: FormerOwners;
  readonly #flusher: ConntrackFlusher;
  readonly #tunnels: () => readonly Tunnel[];

  constructor({ isEnabled, tunnels, beforeDeletion, logger }: ClientConnectionsOptions) {
    this.#tunnels = tunnels;
    this.#flusher = new ConntrackFlusher(isEnabled, beforeDeletion, logger);
    this.#former = new FormerOwners({
      holdMs: HOLD_MS,
      max: MAX_HELD,
      onGivenUp: (networks) => this.#flush(networks),
    });
    this.networks = new ClientNetworks({
      former: this.#former,
      onHandedOver: (networks) => this.#flusher.handOver(networks, tunnels()),
    });
  }

  set isEnabled(isEnabled: boolean) {
    this.#flusher.isEnabled = isEnabled;
  }

  /**
   * Resolves when nobody can inherit anything, which has to be before who came is installed; null when that is so
   * already. Never rejects.
   */
  get handingOver(): Promise<void> | null {
    return this.#flusher.handingOver;
  }

  /** Resolves when the connections of those that left and are not awaited are deleted. Never rejects. */
  async flushed(): Promise<void> {
    await this.#flusher.flushing;
  }

  /** Networks have left the kernel. Those whose owner would not be known again lose their connections at once. */
  removed(networks: readonly ClientNetwork[]): void {
    const lost = networks.filter((network) => !this.#former.holds(networkKey(network)));
    if (lost.length > 0) this.#flush(lost);
  }

  /** Nobody is waited for any more: who comes while no sidecar runs must not inherit anything either. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#former[Symbol.dispose]();
    await this.#flusher.close();
  }

  #flush(networks: readonly ClientNetwork[]): void {
    this.#flusher.flush(networks, this.networks.size === 0 && this.#former.size === 0 ? this.#tunnels() : []);
  }
}
