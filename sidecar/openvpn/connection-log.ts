import type { Disconnect, ManagementClient, Notification, StatusSnapshot } from 'openvpn-management-client';
import type { Logger } from '../log/logger.js';

/** The password is wrong: only the operator can fix that. */
const REFUSED: ReadonlySet<string> = new Set(['MGMT_AUTH', 'MGMT_PASSWORD_REQUIRED', 'MGMT_ARGUMENT']);

/** The logged part of an unreadable text. */
const MAX_SHOWN = 200;
/** The largest number of different unreadable texts that are logged. */
const MAX_UNREAD = 100;

/**
 * Says when a management connection is lost, why it cannot be made, and what on it cannot be read: each once, not at
 * every attempt.
 */
export class ConnectionLog {
  readonly #logger: Logger;
  readonly #said = new Set<string>();
  readonly #unread = new Set<string>();

  constructor(client: ManagementClient, logger: Logger) {
    this.#logger = logger;
    client.onDisconnected((disconnect) => this.#lost(disconnect));
    client.onRefused(() => this.#logger.warn('management.second_refused'));
    client.onMessage((message) => this.#heard(message));
  }

  /** Rows of a status that do not parse completely. */
  seen({ unread }: StatusSnapshot): void {
    for (const row of unread) this.#cannotRead(row, 'a row of status cannot be parsed');
  }

  #lost({ cause, wasReady, retryInMs }: Disconnect): void {
    const fields = { reason: cause.message, code: cause.code, retryInMs };
    const isNew = wasReady || !this.#said.has(cause.code);
    this.#said.add(cause.code);
    if (!isNew) return;
    if (REFUSED.has(cause.code)) this.#logger.error('management.auth_failed', fields);
    else if (cause.code === 'MGMT_BUSY') this.#logger.warn('management.busy', fields);
    else if (cause.code === 'MGMT_PROTOCOL' || cause.code === 'MGMT_OVERFLOW')
      this.#logger.warn('management.protocol_error', fields);
    else this.#logger.warn('management.lost', fields);
  }

  /** A message that this version does not know, or cannot parse completely. */
  #heard(message: Notification): void {
    if (message.kind === 'unknown') this.#cannotRead(`>${message.source}:${message.text}`, message.reason);
  }

  #cannotRead(text: string, reason: string): void {
    const shown = text.slice(0, MAX_SHOWN);
    if (this.#unread.has(shown) || this.#unread.size >= MAX_UNREAD) return;
    this.#unread.add(shown);
    this.#logger.warn('management.unread', { text: shown, reason });
  }
}
