import type { ManagementClient, Notification, Origin } from 'openvpn-management-client';
import type { Logger } from '../log/logger.js';

/** A client asks OpenVPN to be let in, or to stay. */
export type Login = Notification & { readonly kind: 'client:connect' | 'client:reauth' };

/** Answers the logins that one OpenVPN server asks about, or leaves them to somebody else and says so once. */
export class LoginAnswers {
  readonly #client: ManagementClient;
  readonly #isAccepting: () => boolean;
  readonly #logger: Logger;
  /** Those that came with the banner, before anything can be sent. */
  #early: { message: Login; origin: Origin }[] = [];
  #hasWarned = false;

  /** @param isAccepting asked at each login: settings can change */
  constructor(client: ManagementClient, isAccepting: () => boolean, logger: Logger) {
    this.#client = client;
    this.#isAccepting = isAccepting;
    this.#logger = logger;
  }

  take(message: Login, origin: Origin): void {
    if (!this.#isAccepting()) {
      if (!this.#hasWarned) this.#logger.warn('management.logins_unanswered', { cid: message.cid });
      this.#hasWarned = true;
      return;
    }
    if (this.#client.session === undefined) {
      this.#early.push({ message, origin });
      return;
    }
    this.#client.clientAuthNt({ epoch: origin.epoch, cid: message.cid }, message.kid).catch((error: unknown) => {
      this.#logger.warn('client.authorize_failed', { cid: message.cid, error });
    });
  }

  /** Commands can be sent from now on. */
  answerEarly(): void {
    const logins = this.#early;
    this.#early = [];
    for (const { message, origin } of logins) this.take(message, origin);
  }

  /** The connection is lost, and with it every login that was asked about. */
  forget(): void {
    this.#early = [];
  }
}
