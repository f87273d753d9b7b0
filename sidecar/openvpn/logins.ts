import {
  type Cid,
  type Environment,
  isManagementError,
  type ManagementClient,
  type Notification,
  type Origin,
  parseKid,
  type PositionedStatus,
} from 'openvpn-management-client';
import type { Logger } from '../log/logger.js';
import type { Hold, Holds } from '../sessions/holds.js';

/** A client logs in, or renegotiates. */
export type Login = Notification & { readonly kind: 'client:connect' | 'client:reauth' };

/**
 * How many key ids are tried for a client that waits: each new beginning of a client at the same address and port,
 * before OpenVPN gave up on the one before, takes another.
 */
const KIDS_TRIED = 8;

/** Of the variable IV_PROTO: the client tries again after a temporary failure (ssl.h IV_PROTO_AUTH_FAIL_TEMP, 2.6). */
const KNOWS_TEMPORARY_FAILURE = 1 << 8;

export interface LoginAnswersOptions {
  /** Borrowed. */
  readonly client: ManagementClient;
  /** The management endpoint. */
  readonly server: string;
  /** Asked at each login: settings can change. */
  readonly isAccepting: () => boolean;
  /** Another program may answer. */
  readonly areAnswered: () => boolean;
  /** Who is kept out. */
  readonly holds: Holds;
  readonly logger: Logger;
}

/** Answers the logins that one OpenVPN server asks about, or leaves them to another program and says so once. */
export class LoginAnswers {
  readonly #client: ManagementClient;
  readonly #server: string;
  readonly #isAccepting: () => boolean;
  readonly #areAnswered: () => boolean;
  readonly #holds: Holds;
  readonly #logger: Logger;
  /** Those that came with the banner, before anything can be sent. */
  #early: { message: Login; origin: Origin }[] = [];
  /** Clients whose login was requested on this connection. */
  readonly #asked = new Set<Cid>();
  #hasWarned = false;
  /** Earlier logins that still wait were searched for on this connection. */
  #hasLooked = false;

  constructor({ client, server, isAccepting, areAnswered, holds, logger }: LoginAnswersOptions) {
    this.#client = client;
    this.#server = server;
    this.#isAccepting = isAccepting;
    this.#areAnswered = areAnswered;
    this.#holds = holds;
    this.#logger = logger;
  }

  /** Refuses one that is kept out, whoever else answers logins; accepts the others, or leaves them alone. */
  take(message: Login, origin: Origin): void {
    const { cid, kid, env } = message;
    const hold = this.#holdOf(env);
    if (hold === null && !this.#isAccepting()) {
      if (this.#areAnswered()) return;
      if (!this.#hasWarned) this.#logger.warn('management.logins_unanswered', { cid });
      this.#hasWarned = true;
      return;
    }
    this.#asked.add(cid);
    if (this.#client.session === undefined) {
      this.#early.push({ message, origin });
      return;
    }
    const client = { epoch: origin.epoch, cid };
    const answered =
      hold === null
        ? this.#client.clientAuthNt(client, kid)
        : this.#client.clientDeny(client, kid, refusal(hold), this.#excuse(hold, env));
    if (hold !== null)
      this.#logger.info('client.login_held', {
        cid,
        commonName: hold.name,
        secondsLeft: this.#holds.secondsLeft(hold),
      });
    answered.catch((error: unknown) => {
      this.#logger.warn('client.authorize_failed', { cid, error });
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
      for (const { cid, hasAddress, commonName, username } of clients) {
        // OpenVPN drops one that is kept out after its hand-window.
        if (this.#holds.find(this.#server, [commonName, username]) !== null) continue;
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

  /** Each look for a variable searches the whole block: with nobody kept out, there is none. */
  #holdOf(env: Environment): Hold | null {
    if (this.#holds.list().length === 0) return null;
    return this.#holds.find(this.#server, [env.get('common_name'), env.get('username')]);
  }

  /**
   * What the client is told. One that knows temporary failures waits and tries again when the hold ends; an older one
   * ends, or as its `auth-retry` says (push.c receive_auth_failed).
   */
  #excuse(hold: Hold, env: Environment): string {
    const secondsLeft = this.#holds.secondsLeft(hold);
    const text = hold.message ?? `kept out by the administrator for ${secondsLeft} s`;
    const isTemporary = (Number(env.get('IV_PROTO') ?? 0) & KNOWS_TEMPORARY_FAILURE) !== 0;
    return isTemporary ? `TEMP[backoff ${secondsLeft}]:${text}` : text;
  }
}

/** For OpenVPN's log. */
function refusal({ name, untilMs }: Hold): string {
  return `gwmark keeps ${name} out until ${new Date(untilMs).toISOString()}`;
}
