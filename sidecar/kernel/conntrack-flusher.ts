import type { ClientNetwork, Tunnel } from '../../rules/index.js';
import { contains } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import { flushClients } from '../system/conntrack.js';

/** When this many networks change owners at once, whole tunnel networks are deleted, which takes one reading each. */
const MANY_HANDED_OVER = 256;

/** A process for each set of deletions reads the whole table, so what came together goes together. */
export class ConntrackFlusher {
  /** Whether entries are deleted at all. */
  isEnabled: boolean;
  readonly #beforeDeletion: () => Promise<void>;
  readonly #logger: Logger;
  #waiting: ClientNetwork[] = [];
  #running: Promise<void> | null = null;
  #handedOver: ClientNetwork[] = [];
  #handingOver: Promise<void> | null = null;
  #hasWarned = false;

  /** @param beforeDeletion resolves when the kernel can delete entries; never rejects */
  constructor(isEnabled: boolean, beforeDeletion: () => Promise<void>, logger: Logger) {
    this.isEnabled = isEnabled;
    this.#beforeDeletion = beforeDeletion;
    this.#logger = logger;
  }

  /**
   * Deletes the entries of these networks soon.
   *
   * @param emptied tunnels of ours on which nobody is left: then one deletion for the whole network of each does for
   * all its clients
   */
  flush(networks: readonly ClientNetwork[], emptied: readonly Tunnel[]): void {
    if (!this.isEnabled) return;
    const whole = emptied.flatMap(({ device, connected }) => connected.map((network) => ({ ...network, device })));
    const used = whole.filter((outer) => networks.some((network) => contains(outer, network)));
    this.#waiting.push(...used, ...networks.filter((network) => !used.some((outer) => contains(outer, network))));
    this.#running ??= this.#run();
  }

  /**
   * Deletes the entries of networks that passed to another program, now.
   *
   * @param tunnels their connected networks go as wholes when very many passed at once
   */
  handOver(networks: readonly ClientNetwork[], tunnels: readonly Tunnel[]): void {
    if (!this.isEnabled) return;
    this.#handedOver.push(...networks);
    this.#handingOver ??= this.#runHandOver(tunnels).finally(() => {
      this.#handingOver = null;
    });
  }

  /** Resolves when nobody can inherit anything; null when that is so already. Never rejects. */
  get handingOver(): Promise<void> | null {
    return this.#handingOver;
  }

  /** Resolves when everything that {@link flush} was called for is deleted; null when that is so already. Never rejects. */
  get flushing(): Promise<void> | null {
    return this.#running;
  }

  async close(): Promise<void> {
    await this.#handingOver;
    await this.#running;
  }

  async #runHandOver(tunnels: readonly Tunnel[]): Promise<void> {
    // What came in the same call goes together.
    await Promise.resolve();
    while (this.#handedOver.length > 0) {
      const networks = this.#handedOver;
      this.#handedOver = [];
      const whole =
        networks.length < MANY_HANDED_OVER
          ? []
          : tunnels.flatMap(({ device, connected }) => connected.map((network) => ({ ...network, device })));
      await this.#delete([
        ...whole,
        ...networks.filter((network) => !whole.some((outer) => contains(outer, network))),
      ]);
    }
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const networks = this.#waiting;
      this.#waiting = [];
      await this.#delete(networks);
    }
    this.#running = null;
  }

  async #delete(networks: readonly ClientNetwork[]): Promise<void> {
    try {
      await this.#beforeDeletion();
      await flushClients(networks);
      this.#logger.debug('conntrack.flushed', { networks: networks.length });
    } catch (error) {
      if (!this.#hasWarned) this.#logger.warn('conntrack.unavailable', { error });
      this.#hasWarned = true;
    }
  }
}
