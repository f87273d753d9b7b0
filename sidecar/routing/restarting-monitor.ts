import { setTimeout as delay } from 'node:timers/promises';

import type { Logger } from '../log/logger.js';
import { Debounced } from '../system/debounced.js';
import type { KernelRouting } from './kernel-routing.js';
import type { KernelEvent } from './neighbour-monitor.js';

/** Lost events come in bursts; what they would have told is read once. */
const LOST_MS = 100;

export interface RestartingMonitorOptions {
  /** Borrowed. */
  readonly routing: Pick<KernelRouting, 'watch'>;
  /** The protocol number that our own neighbours carry. */
  readonly protocol: number;
  readonly onEvent: (event: KernelEvent) => void;
  /** It was lost and is back, or events were: read what it would have reported meanwhile. */
  readonly onRestarted: () => Promise<void>;
  readonly logger: Logger;
}

/** The monitor of the kernel's events, restarted a second after it ended, until it is disposed of. */
export class RestartingMonitor implements AsyncDisposable {
  readonly #options: RestartingMonitorOptions;
  readonly #stop = new AbortController();
  readonly #reread: Debounced;
  #monitor: AsyncDisposable | null = null;

  private constructor(options: RestartingMonitorOptions) {
    this.#options = options;
    this.#reread = new Debounced(LOST_MS, () => this.#readAgain(), options.logger);
  }

  /** Resolves when it watches, or tries again in a second. */
  static async open(options: RestartingMonitorOptions): Promise<RestartingMonitor> {
    const monitor = new RestartingMonitor(options);
    await monitor.#start();
    return monitor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#reread.stop();
    await this.#monitor?.[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    const { routing, protocol, onEvent, logger } = this.#options;
    const onEnd = (cause: Error): void => {
      logger.warn('routing.monitor_lost', { reason: cause.message });
      this.#monitor = null;
      void this.#restart();
    };
    const onLost = (): void => {
      this.#reread.soon();
    };
    try {
      this.#monitor = await routing.watch({ protocol, onEvent, onLost, onEnd });
      if (this.#stop.signal.aborted) await this.#monitor[Symbol.asyncDispose]();
    } catch (error) {
      onEnd(error as Error);
    }
  }

  async #restart(): Promise<void> {
    await delay(1000, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    if (this.#stop.signal.aborted) return;
    await this.#start();
    await this.#options
      .onRestarted()
      .catch((error: unknown) => this.#options.logger.warn('daemon.check_failed', { error }));
  }

  #readAgain(): Promise<void> {
    this.#options.logger.info('routing.events_lost');
    return this.#options.onRestarted();
  }
}
