import type { Logger } from '../log/logger.js';

/**
 * Says, once for each set of bridges, that no frames can be captured from them: the packet filter has no rules for
 * bridges. A bridge may be the link of an endpoint that is not inline, and then nothing is missing.
 */
export class BridgeWarning {
  readonly #logger: Logger;
  #last = '';

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param bridges names of the links that are bridges; none: a later one is new */
  about(bridges: readonly string[]): void {
    if (bridges.length > 0 && bridges.join() !== this.#last)
      this.#logger.warn('firewall.no_bridge', { devices: bridges });
    this.#last = bridges.join();
  }
}
