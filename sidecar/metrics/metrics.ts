import type { Place } from 'openvpn-management-client';
import type { Logger } from '../log/logger.js';
import type { StatusDocument } from '../status.js';
import { Exposition } from './exposition.js';
import { MetricsServer } from './server.js';

/** What the metrics need of a daemon. */
export interface WatchedDaemon {
  status(): StatusDocument;
  /** Updates the kernel's counters in the status. */
  settle(): Promise<void>;
  /** Why traffic is not carried, after a look at the kernel; empty when it is. */
  readiness(): Promise<readonly string[]>;
}

/** The metrics of a daemon and the server for them. Disposal closes the server. */
export class Metrics implements AsyncDisposable {
  readonly #exposition = new Exposition();
  readonly #server: MetricsServer;

  /** Starts to listen; retries while the address is in use. */
  constructor(address: Place, daemon: WatchedDaemon, logger: Logger) {
    const metrics = async (): Promise<{ type: string; text: string }> => {
      await daemon.settle();
      const text = await this.#exposition.text(() => daemon.status());
      return { type: this.#exposition.contentType, text };
    };
    this.#server = new MetricsServer({ address, logger, pages: { metrics, readiness: () => daemon.readiness() } });
  }

  /** Records a pass of the reconciler. */
  passed(pass: { readonly seconds: number; readonly hasFailed: boolean }): void {
    this.#exposition.passed(pass);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}
