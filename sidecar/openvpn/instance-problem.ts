import type { ManagementClient, ManagementErrorCode, Notification } from 'openvpn-management-client';
import { questionIn } from '../discovery/management-question.js';
import type { Logger } from '../log/logger.js';
import type { ServerState } from '../status.js';

const NOBODY: ReadonlySet<ManagementErrorCode> = new Set(['MGMT_REFUSED', 'MGMT_NOT_FOUND', 'MGMT_NOBODY']);

/**
 * Why one OpenVPN is not served: its management connection fails, it asks its management client for what the sidecar
 * does not have, or it is not that far yet.
 */
export class InstanceProblem {
  readonly #name: string;
  readonly #logger: Logger;
  #failure: string | null = null;
  #question: string | null = null;
  #isRefused = false;

  /** @param name of the endpoint, as in the status */
  constructor(name: string, client: ManagementClient, logger: Logger) {
    this.#name = name;
    this.#logger = logger;
    client.onDisconnected(({ cause }) => {
      this.#isRefused = NOBODY.has(cause.code);
      this.#failure = cause.message;
      this.#question = null;
    });
    client.onMessage((message) => this.#heard(message));
  }

  /**
   * What OpenVPN waits for an answer to, as the end of "OpenVPN waits for ..."; null while it asks nothing that the
   * sidecar cannot answer.
   */
  get question(): string | null {
    return this.#question;
  }

  /** The latest attempt found no OpenVPN: nobody listens, or nobody has connected. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** The connection is established and prepared. */
  connected(): void {
    this.#failure = null;
    this.#isRefused = false;
  }

  /** In a sentence; null when there is none. @param waiting why one that is connected is not ready */
  describe(state: ServerState, waiting: string | null): string | null {
    const reason =
      this.#failure ??
      (this.#question === null
        ? whyNotYet(state, waiting)
        : `OpenVPN waits for ${this.#question}, but gwmark, its management client, does not have it`);
    if (reason === null) return null;
    // What the package says of a connection begins with what was tried: the endpoint is in front anyway.
    return `${this.#name}: ${reason}`;
  }

  #heard(message: Notification): void {
    if (message.kind === 'state') this.#question = null;
    const question = questionIn(message);
    if (question === null || question === this.#question) return;
    this.#question = question;
    this.#logger.error('management.question', { question });
  }
}

function whyNotYet(state: ServerState, waiting: string | null): string | null {
  if (state === 'ready') return null;
  return state === 'connecting' ? 'not connected yet' : (waiting ?? 'its state is being read');
}
