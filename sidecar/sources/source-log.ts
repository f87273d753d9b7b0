import type { Logger, LogFields } from '../log/logger.js';

/** Says once when a source becomes ready, and why it is not. */
export class SourceLog {
  readonly #logger: Logger;
  #said: string | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * The source was looked at.
   *
   * @param problem null when it is served
   * @param fields what is known of it
   */
  looked(problem: string | null, fields: LogFields): void {
    const saying = problem ?? JSON.stringify(fields);
    if (saying === this.#said) return;
    this.#said = saying;
    if (problem === null) this.#logger.info('source.ready', fields);
    else this.#logger.warn('source.waiting', { reason: problem });
  }
}
