import type { ClientNetwork, Tunnel } from '../../rules/index.js';
import { contains } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import { flushClients } from '../system/conntrack.js';

/** A process for each set of deletions reads the whole table, so what came together goes together. */
export class ConntrackFlusher {
  /** Whether entries are deleted at all. */
  isEnabled: boolean;
  readonly #logger: Logger;
  #waiting: ClientNetwork[] = [];
  #running: Promise<void> | null = null;
  #hasWarned = false;

  constructor(isEnabled: boolean, logger: Logger) {
    this.isEnabled = isEnabled;
    this.#logger = logger;
  }

  /**
   * Deletes the entries of these networks, soon.
   *
   * @param emptied tunnels of ours on which nobody is left: then one deletion for the whole network of each does for all its clients
   */
  flush(networks: readonly ClientNetwork[], emptied: readonly Tunnel[]): void {
    if (!this.isEnabled) return;
    const whole = emptied.flatMap(({ device, connected }) => connected.map((network) => ({ ...network, device })));
    const used = whole.filter((outer) => networks.some((network) => contains(outer, network)));
    this.#waiting.push(...used, ...networks.filter((network) => !used.some((outer) => contains(outer, network))));
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const networks = this.#waiting;
      this.#waiting = [];
      try {
        await flushClients(networks);
        this.#logger.debug('conntrack.flushed', { networks: networks.length });
      } catch (error) {
        if (!this.#hasWarned) this.#logger.warn('conntrack.unavailable', { error });
        this.#hasWarned = true;
      }
    }
    this.#running = null;
  }
}
