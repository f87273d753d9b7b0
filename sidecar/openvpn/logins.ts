import {
  type Cid,
  isManagementError,
  type ManagementClient,
  type Notification,
  type Origin,
  parseKid,
  type PositionedStatus,
} from 'openvpn-management-client';
import type { Logger } from '../log/logger.js';

/** A client logs in, or renegotiates. */
export type Login = Notification & { readonly kind: 'client:connect' | 'client:reauth' };

/**
 * How many key ids are tried for a client that waits: each new beginning of a client at the same address and port,
 * before OpenVPN gave up on the one before, takes another.
 */
const KIDS_TRIED = 8;

export interface LoginAnswersOptions {
  /** Asked at each login: settings can change. */
  readonly isAccepting: () => boolean;
  /** Another program may answer. */
  readonly areAnswered: () => boolean;
  readonly logger: Logger;
}

/** Answers the logins that one OpenVPN server asks about, or leaves them to another program and says so once. */
export class LoginAnswers {
  readonly #client: ManagementClient;
  readonly #isAccepting: () => boolean;
  readonly #areAnswered: () => boolean;
  readonly #logger: Logger;
  /** Those that came with the banner, before anything can be sent. */
  #early: { message: Login; origin: Origin }[] = [];
  /** Clients whose login was requested on this connection. */
  readonly #asked = new Set<Cid>();
  #hasWarned = false;
  /** Earlier logins that still wait were searched for on this connection. */
  #hasLooked = false;

  constructor(client: ManagementClient, { isAccepting, areAnswered, logger }: LoginAnswersOptions) {
    this.#client = client;
    this.#isAccepting = isAccepting;
    this.#areAnswered = areAnswered;
    this.#logger = logger;
  }

  take(message: Login, origin: Origin): void {
    if (!this.#isAccepting()) {
      if (this.#areAnswered()) return;
      if (!this.#hasWarned) this.#logger.warn('management.logins_unanswered', { cid: message.cid });
      this.#hasWarned = true;
      return;
    }
    this.#asked.add(message.cid);
    if (this.#client.session === undefined) {
      this.#early.push({ message, origin });
      return;
    }
    this.#client.clientAuthNt({ epoch: origin.epoch, cid: message.cid }, message.kid).catch((error: unknown) => {
      this.#logger.warn('client.authorize_failed', { cid: message.cid, error });
    });
  }

  /**
   * Lets in who asked while no sidecar was attached: OpenVPN does not ask again, and they would wait until its
   * hand-window ends. A client that only renegotiates is indistinguishable from the others; if no sidecar received its request, it
   * has to reconnect.
   *
   * @param status of the statuses of a connection only the first matters: from then on every question is heard
   */
  async answerMissed({ clients, position }: PositionedStatus): Promise<void> {
    if (this.#hasLooked || !this.#isAccepting()) return;
    this.#hasLooked = true;
    let answered = 0;
    try {
      for (const { cid, hasAddress } of clients) {
        if (cid !== undefined && !hasAddress && (await this.#answerUnheard(cid, position.epoch))) answered += 1;
      }
    } catch (error) {
      // The connection is lost, or OpenVPN restarted: the next connection checks again, and answers who asks again.
      this.#logger.debug('management.logins_lost', { error });
    }
    if (answered > 0) this.#logger.info('management.logins_found', { clients: answered });
  }

  /**
   * While a client waits for the first time, its other keys have the id 0 and OpenVPN says SUCCESS to that, whatever
   * it is the id of (ssl_verify.c tls_authenticate_key, ssl_common.h get_key_scan; 2.6.14): so every larger one is
   * tried first.
   */
  async #answerUnheard(cid: Cid, epoch: number): Promise<boolean> {
    const { firstKid } = this.#client.capabilities;
    const larger = Array.from({ length: KIDS_TRIED }, (_, index) => index + 1);
    for (const kid of firstKid === 0 ? [...larger, 0] : larger) {
      // An event asks about it after all: then that is answered.
      if (this.#asked.has(cid)) return false;
      try {
        await this.#client.clientAuthNt({ epoch, cid }, parseKid(String(kid)));
        return true;
      } catch (error) {
        // Rejected: it has no such key, has not asked yet, or is gone.
        if (!isManagementError(error) || error.code !== 'MGMT_COMMAND') throw error;
      }
    }
    return false;
  }

  /** Commands can be sent now. */
  answerEarly(): void {
    const logins = this.#early;
    this.#early = [];
    for (const { message, origin } of logins) this.take(message, origin);
  }

  /** The connection is lost, and with it every login that was asked about. */
  forget(): void {
    this.#early = [];
    this.#asked.clear();
    this.#hasLooked = false;
  }
}
