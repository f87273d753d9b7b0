import type { ClientNetwork } from '../../rules/index.js';
import { isHost, lastAddress, networkKey } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import type { UnreachableNetwork } from '../status.js';
import type { KernelRouting } from '../routing/kernel-routing.js';
import { Debounced } from '../system/debounced.js';

/** A route lookup takes some 10 microseconds, or 60 by a spawned `ip`; the rest waits for the next check. */
const MAX_ASKED = 1000;
const SETTLE_MS = 500;
/**
 * Where the first address of an IPv6 network leads on an endpoint that has an address in it and forwards: it is the
 * anycast address of the network's routers. RFC 4291, section 2.6.1
 */
const LOOPBACK = 'lo';

export interface ReachabilityOptions {
  readonly clients: ClientNetworks;
  /** Borrowed. */
  readonly routing: Pick<KernelRouting, 'routesTo'>;
  /** Resolves when the kernel has every route that is wanted now. */
  readonly applied: () => Promise<void>;
  readonly logger: Logger;
}

/**
 * Whether the endpoint's own routing leads to the tunnel of each client network. Main may have a narrower route
 * elsewhere, an administrator's or another tunnel's; such a client counts as connected, and no packet reaches it. It
 * only looks and says so.
 */
export class Reachability {
  readonly #options: ReachabilityOptions;
  readonly #pending = new Set<string>();
  readonly #unreachable = new Map<string, UnreachableNetwork>();
  readonly #look: Debounced;

  constructor(options: ReachabilityOptions) {
    this.#options = options;
    this.#look = new Debounced(SETTLE_MS, () => this.#lookNow(), options.logger);
  }

  /** In no particular order. */
  list(): readonly UnreachableNetwork[] {
    return [...this.#unreachable.values()];
  }

  /** A client network came, went or moved. */
  changed(key: string): void {
    this.#pending.add(key);
    this.#look.soon();
  }

  /** Routes, rules or devices changed. */
  routingChanged(): void {
    for (const network of this.#options.clients.list()) this.#pending.add(networkKey(network));
    if (this.#pending.size > 0) this.#look.soon();
  }

  stop(): void {
    this.#look.stop();
  }

  async #lookNow(): Promise<void> {
    await this.#options.applied();
    const keys = [...this.#pending].slice(0, MAX_ASKED);
    for (const key of keys) this.#pending.delete(key);
    const networks = keys.map((key) => this.#options.clients.get(key)).filter((network) => network !== null);
    for (const key of keys) if (this.#options.clients.get(key) === null) this.#unreachable.delete(key);
    for (const family of [4, 6] as const) {
      const asked = networks.filter((network) => network.family === family);
      if (asked.length === 0) continue;
      const found = await this.#options.routing.routesTo(
        family,
        asked.map(({ address }) => address),
      );
      const isOwnAnycast = (network: ClientNetwork): boolean =>
        family === 6 && !isHost(network) && found.get(network.address) === LOOPBACK;
      const again = asked.filter(isOwnAnycast);
      const ofLast = again.length === 0 ? found : await this.#options.routing.routesTo(family, again.map(lastAddress));
      for (const network of asked) {
        const device = isOwnAnycast(network) ? ofLast.get(lastAddress(network)) : found.get(network.address);
        this.#note(network, device ?? null);
      }
    }
    if (this.#pending.size > 0) this.#look.soon();
  }

  #note(network: ClientNetwork, device: string | null): void {
    const key = networkKey(network);
    if (device === network.device) {
      this.#unreachable.delete(key);
      return;
    }
    const before = this.#unreachable.get(key);
    if (before?.leadsTo === device && before.device === network.device) return;
    this.#unreachable.set(key, { network: key, device: network.device, leadsTo: device });
    this.#options.logger.warn('client.unreachable', { network: key, device: network.device, leadsTo: device });
  }
}
