import { setTimeout as delay } from 'node:timers/promises';

import type { Logger } from '../log/logger.js';
import { type KernelEvent, NeighbourMonitor } from './neighbour-monitor.js';

export interface RestartingMonitorOptions {
  /** The protocol number that our own neighbours carry. */
  readonly protocol: number;
  readonly onEvent: (event: KernelEvent) => void;
  /** It was lost and is back: read what it would have reported meanwhile. */
  readonly onRestarted: () => Promise<void>;
  readonly logger: Logger;
}

/** The monitor of the kernel's events, restarted a second after it ended, until it is disposed of. */
export class RestartingMonitor implements AsyncDisposable {
  readonly #options: RestartingMonitorOptions;
  readonly #stop = new AbortController();
  #monitor: NeighbourMonitor | null = null;

  constructor(options: RestartingMonitorOptions) {
    this.#options = options;
    this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#monitor?.[Symbol.asyncDispose]();
  }

  #start(): void {
    const { protocol, onEvent, logger } = this.#options;
    const onEnd = (cause: Error): void => {
      logger.warn('routing.monitor_lost', { reason: cause.message });
      this.#monitor = null;
      void this.#restart();
    };
    this.#monitor = new NeighbourMonitor({ protocol, onEvent, onEnd });
  }

  async #restart(): Promise<void> {
    await delay(1000, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    if (this.#stop.signal.aborted) return;
    this.#start();
    await this.#options
      .onRestarted()
      .catch((error: unknown) => this.#options.logger.warn('daemon.check_failed', { error }));
  }
}
