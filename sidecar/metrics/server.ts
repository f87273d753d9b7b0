import { formatEndpoint } from 'openvpn-management-client';

import { healthPage, type Readiness } from '../http/health.js';
import type { Place } from 'openvpn-management-client';
import { type Answer, HttpListener, plainText } from '../http/listener.js';
import type { Logger } from '../log/logger.js';

/** What the pages are made from. */
export interface MetricsPages {
  /** The text of `/metrics` and its content type. */
  metrics(): Promise<{ readonly type: string; readonly text: string }>;
  /** For `/readyz`. */
  readonly readiness: Readiness;
}

export interface MetricsServerOptions {
  readonly address: Place;
  readonly pages: MetricsPages;
  readonly logger: Logger;
  /** Milliseconds until it retries an address that is in use. Default 5000. */
  readonly retryMs?: number;
}

/**
 * Serves `/metrics`, `/livez` and `/readyz` for monitoring. An address that is taken ends nothing: it is logged and
 * tried again, for traffic matters more than being watched.
 */
export class MetricsServer implements AsyncDisposable {
  readonly #options: MetricsServerOptions;
  #listener: HttpListener | null = null;
  #opening: Promise<void>;
  #retry: NodeJS.Timeout | null = null;
  #isClosed = false;
  /** The last logged failure, so that a persistent one is logged once. */
  #reason: string | null = null;

  constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#opening = this.#open();
  }

  /** Resolves when the first attempt is over, however it ended. */
  get tried(): Promise<void> {
    return this.#opening;
  }

  /** Closes it, or stops retrying. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#opening;
    await this.#listener?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<void> {
    const { address, pages, logger, retryMs = 5000 } = this.#options;
    const listen = formatEndpoint(address);
    try {
      this.#listener = await HttpListener.open({
        address,
        answer: (page) => answerTo(page, pages),
        onFault: (url, error) => logger.error('metrics.failed', { url, error }),
      });
      logger.info('metrics.listening', { listen });
    } catch (error) {
      const reason = `cannot serve metrics on ${listen}: ${(error as Error).message}`;
      if (reason !== this.#reason) logger.error('metrics.unavailable', { listen, reason, retryInMs: retryMs });
      this.#reason = reason;
      if (this.#isClosed) return;
      this.#retry = setTimeout(() => {
        this.#opening = this.#open();
      }, retryMs);
    }
  }
}

async function answerTo(page: string, pages: MetricsPages): Promise<Answer> {
  if (page === '/metrics') {
    const { type, text } = await pages.metrics();
    return { status: 200, type, body: text };
  }
  const health = await healthPage(page, pages.readiness);
  return health ?? plainText(404, 'no such page; expected /metrics, /livez or /readyz\n');
}
