import type { Disconnect } from 'openvpn-management-client';
import type { Logger } from '../log/logger.js';

/** The password is at fault: only the operator can mend that. */
const REFUSED: ReadonlySet<string> = new Set(['MGMT_AUTH', 'MGMT_PASSWORD_REQUIRED', 'MGMT_ARGUMENT']);

/** Says when a management connection is lost, and why it cannot be made: each reason once, not at every attempt. */
export class ConnectionLog {
  readonly #logger: Logger;
  readonly #said = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  lost({ cause, wasReady, retryInMs }: Disconnect): void {
    const fields = { reason: cause.message, code: cause.code, retryInMs };
    const isNew = wasReady || !this.#said.has(cause.code);
    this.#said.add(cause.code);
    if (!isNew) return;
    if (REFUSED.has(cause.code)) this.#logger.error('management.auth_failed', fields);
    else if (cause.code === 'MGMT_BUSY') this.#logger.warn('management.busy', fields);
    else if (cause.code === 'MGMT_PROTOCOL' || cause.code === 'MGMT_OVERFLOW') this.#logger.warn('management.protocol_error', fields);
    else this.#logger.warn('management.lost', fields);
  }
}
