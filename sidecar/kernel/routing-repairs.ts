import type { Logger } from '../log/logger.js';
import type { KernelEvent } from '../routing/neighbour-monitor.js';
import { Debounced } from '../system/debounced.js';
import { RepairPace } from '../routing/repair-pace.js';
import type { Reconciler } from './reconciler.js';
import type { RoutingCheck } from './routing-check.js';

/** A burst of events is answered once. */
const SETTLE_MS = 200;
/** How many lost things are named. */
const NAMED = 4;

export interface RoutingRepairsOptions {
  readonly reconciler: Pick<Reconciler, 'lacksNeighbour'>;
  readonly check: RoutingCheck;
  /** Reads the devices again: what went with its device is no loss. */
  readonly refresh: () => Promise<void>;
  readonly logger: Logger;
}

/** Restores what other programs remove from the kernel's routing: rules, routes and permanent neighbours of ours. */
export class RoutingRepairs {
  readonly #options: RoutingRepairsOptions;
  readonly #pace = new RepairPace();
  readonly #verify: Debounced;
  #lost = '';
  #later: NodeJS.Timeout | null = null;
  #isStopped = false;

  constructor(options: RoutingRepairsOptions) {
    this.#options = options;
    this.#verify = new Debounced(SETTLE_MS, () => this.#verifyNow(), options.logger);
  }

  /** What another program insists on removing, in a sentence; null when all is well. */
  get problem(): string | null {
    return this.#pace.isContested(performance.now()) ? `another program repeatedly removes ${this.#lost}` : null;
  }

  /** Call it once, before anything is installed: devices that are recreated later are detected by it. */
  begin(): Promise<void> {
    return this.#options.check.begin();
  }

  /** Routing changed: it is looked at within a moment. */
  soon(): void {
    if (!this.#isPaused()) this.#verify.soon();
  }

  /**
   * A neighbour changed. If it is one of ours, a gateway has no MAC now, and answers are lost: it is looked at at
   * once.
   */
  neighbourChanged({ device, address, mac }: KernelEvent & { readonly kind: 'neighbour' }): void {
    if (this.#options.reconciler.lacksNeighbour(device, address, mac) && !this.#isPaused()) void this.#verify.now();
  }

  /** Looks whatever the pace is; devices are read again as well. */
  now(): Promise<void> {
    return this.#verify.now();
  }

  stop(): void {
    this.#isStopped = true;
    this.#verify.stop();
    if (this.#later !== null) clearTimeout(this.#later);
  }

  #isPaused(): boolean {
    const pauseMs = this.#pace.pauseMs(performance.now());
    if (pauseMs === 0) return false;
    if (this.#isStopped) return true;
    this.#later ??= setTimeout(() => {
      this.#later = null;
      void this.#verify.now();
    }, pauseMs);
    return true;
  }

  async #verifyNow(): Promise<void> {
    const { check, refresh, logger } = this.#options;
    await refresh();
    const foreign = await check.run(this.#pace.isContested(performance.now()));
    if (foreign.length === 0) return;
    this.#lost = `${foreign
      .slice(0, NAMED)
      .map(({ text }) => text)
      .join(', ')}${foreign.length > NAMED ? ` and ${foreign.length - NAMED} more` : ''}`;
    if (this.#pace.repaired(performance.now())) logger.warn('routing.contested', { lost: this.#lost });
  }
}
