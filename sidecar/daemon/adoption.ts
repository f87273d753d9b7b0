import type { ClientNetwork, Policy, Transport, Tunnel } from '../../rules/index.js';
import { networkKey } from '../../rules/index.js';
import { type Devices, tunnelTowards } from '../discovery/devices.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../log/logger.js';
import { checkClashes } from '../routing/conflicts.js';

/** Owner of the client networks that an earlier run left in the kernel. */
const ADOPTED = 'adopted';

export interface AdoptionOptions {
  readonly policy: Policy;
  readonly kernel: Kernel;
  readonly logger: Logger;
}

/**
 * The state that a start takes over from an earlier run: client networks, and the tunnels and transports that they belong to.
 * They stay until the sidecar knows who is connected now, so that a restart of the sidecar loses no packet.
 */
export class Adoption {
  readonly #options: AdoptionOptions;
  #clients: readonly ClientNetwork[] = [];
  #transports: readonly Transport[] = [];
  #earlierTransports: readonly Transport[] = [];

  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  /** Something of an earlier run is kept. */
  get isHolding(): boolean {
    return this.#clients.length + this.#transports.length > 0;
  }

  /** Transports that are kept. */
  get transports(): readonly Transport[] {
    return this.#transports;
  }

  /** Those that the earlier run had, also after the release: evidence for an OpenVPN that provides none itself. */
  get earlierTransports(): readonly Transport[] {
    return this.#earlierTransports;
  }

  /** Tunnels that lead to client networks that are kept. */
  tunnelsAmong({ tunnels }: Pick<Devices, 'tunnels'>): readonly Tunnel[] {
    const devices = new Set(this.#clients.map(({ device }) => device));
    return tunnels.filter(({ device }) => devices.has(device));
  }

  /**
   * Reads the state in the kernel, passes each part to its owner, and starts the datapath with it.
   *
   * @throws GwmarkError FIREWALL_CLASH, ROUTING_CLASH, ROUTING_UNAVAILABLE before anything was changed; what `Datapath.start`
   *   throws
   */
  async takeOver(devices: Devices): Promise<void> {
    const { policy, kernel, logger } = this.#options;
    const { tables, reconciler, datapath, gateways, neighbours, forwarder, connections, announcer } = kernel;
    const table = await tables.adopt((address) => tunnelTowards(devices, address));
    await checkClashes(policy, tables);
    const plan = await kernel.routing.read(policy);
    await kernel.offload.start();
    await datapath.start(table === null ? null : { table, plan });
    if (table !== null) {
      this.#clients = [...table.clients.values()];
      this.#transports = this.#earlierTransports = table.transports;
      forwarder.adopt(table.savedSysctls);
      logger.info('firewall.adopted', { clients: this.#clients.length, gateways: gateways.ofSite.gateways.length });
    }
    for (const network of this.#clients) connections.networks.add(ADOPTED, network, ADOPTED);
    reconciler.adopt(this.#clients, plan);
    await announcer.adopt();
    // Last: it drops gateways on devices that are gone, and those on present ones are adopted by now.
    await neighbours.setLinks(devices.links);
  }

  /** It is known who is connected: networks that no other program holds go. Idempotent. */
  release(): void {
    const { connections, reconciler, announcer } = this.#options.kernel;
    const adopted = this.#clients;
    this.#clients = [];
    this.#transports = [];
    for (const network of adopted) {
      const key = connections.networks.remove(ADOPTED, networkKey(network));
      if (key === null) continue;
      reconciler.clientChanged(key);
      announcer.clientChanged(key);
    }
  }
}
