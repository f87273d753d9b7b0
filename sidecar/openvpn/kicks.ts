import { commands, isManagementError, type ManagementClient, parseRealAddress } from 'openvpn-management-client';
import type { Logger } from '../log/logger.js';
import type { SessionNetworks } from '../sessions/session-networks.js';
import type { Session } from '../sessions/session-table.js';

/** What a client is told that is kicked. */
export interface KickWords {
  /** Shown by the client; null: none. At most 200 bytes, no control characters. */
  readonly message: string | null;
  /** The client's OpenVPN is to end, and not to connect again. */
  readonly isHalt: boolean;
}

/** Whether OpenVPN ends a client. */
export type KickAnswer =
  /** It does, within five seconds. */
  | { readonly kind: 'told' }
  /** It has left by itself meanwhile. */
  | { readonly kind: 'gone' }
  /** Not yet; it is told again until it does. */
  | { readonly kind: 'untold'; readonly reason: string };

export interface KicksOptions {
  /** Borrowed. */
  readonly client: ManagementClient;
  /** Borrowed. */
  readonly networks: Pick<SessionNetworks, 'withhold'>;
  /** Everybody who is connected. */
  readonly sessions: () => Iterable<Session>;
  /** It is known who is connected: else OpenVPN's CIDs may mean others. */
  readonly isKnown: () => boolean;
  /** A kick found that the list of sessions may be wrong. */
  readonly onDoubt: () => void;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

interface Kick {
  readonly words: KickWords;
  /** When OpenVPN was last told, or is about to be; null: it is told as soon as possible. */
  toldAtMs: number | null;
}

/** OpenVPN ends a client 5 s after `client-kill` (options.c scheduled_exit_interval): one that is there later is told again. */
const REPEAT_MS = 10_000;

/**
 * Clients of one OpenVPN server that were kicked: nothing of them is served, and OpenVPN is told to end them, again and
 * again while it has them.
 */
export class Kicks {
  readonly #options: KicksOptions;
  readonly #now: () => number;
  readonly #kicked = new Map<Session, Kick>();
  #count = 0;

  constructor(options: KicksOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Clients that were kicked so far. */
  get count(): number {
    return this.#count;
  }

  isKicked(session: Session): boolean {
    return this.#kicked.has(session);
  }

  /** Stops serving a client at once; call {@link tell} when the kernel has no rules for it any more. Idempotent. */
  withhold(session: Session, words: KickWords): void {
    this.#options.networks.withhold(session);
    if (!this.#kicked.has(session)) this.#count += 1;
    this.#kicked.set(session, { words, toldAtMs: this.#now() });
  }

  /** Tells OpenVPN to end a client that is withheld. Never rejects. */
  async tell(session: Session): Promise<KickAnswer> {
    const { client, isKnown, logger, onDoubt } = this.#options;
    const kick = this.#kicked.get(session);
    if (kick === undefined) return { kind: 'gone' };
    kick.toldAtMs = null;
    if (client.session === undefined || !isKnown())
      return { kind: 'untold', reason: 'the management connection is lost' };
    kick.toldAtMs = this.#now();
    try {
      const reason = await this.#send(session, kick.words);
      return reason === null ? { kind: 'told' } : { kind: 'untold', reason };
    } catch (error) {
      if (!isManagementError(error)) throw error;
      // It answered that it has no such client.
      if (error.code === 'MGMT_COMMAND' || error.code === 'MGMT_STALE_EPOCH') {
        onDoubt();
        return { kind: 'gone' };
      }
      if (error.code !== 'MGMT_ARGUMENT') kick.toldAtMs = null;
      logger.warn('client.kick_failed', { cid: session.cid, commonName: session.commonName, reason: error.message });
      return { kind: 'untold', reason: error.message };
    }
  }

  /** OpenVPN told who is connected: it is told again about those that it should have ended. */
  repeat(): void {
    for (const [session, { toldAtMs }] of this.#kicked)
      if (toldAtMs === null || this.#now() - toldAtMs > REPEAT_MS) void this.tell(session);
  }

  /** The session ended: its CID may belong to another client soon. */
  forget(session: Session): void {
    this.#kicked.delete(session);
  }

  /**
   * By CID; where OpenVPN does not say it (a `status 1`, because of a user name that breaks the other forms), by the real
   * address, or by name if nobody else has it.
   *
   * @returns why it cannot be sent; null if OpenVPN said yes
   */
  async #send(session: Session, { message, isHalt }: KickWords): Promise<string | null> {
    const { client, sessions } = this.#options;
    const { cid, commonName, realAddress } = session;
    if (/^\d+$/.test(cid)) {
      await client.clientKill({ epoch: client.epoch, cid }, killMessage(message, isHalt));
      return null;
    }
    const real = parseRealAddress(realAddress ?? '');
    if (real?.family === 4 && real.port !== undefined) {
      const { address, port, protocol = 'udp' } = real;
      await client.execute(commands.killAddress(client.capabilities, address, port, protocol));
      return null;
    }
    const sameName = [...sessions()].filter((other) => other.commonName === commonName);
    if (sameName.length > 1)
      return `OpenVPN told no CID of it, and ${sameName.length} clients are named ${commonName}`;
    await client.kill(commonName);
    return null;
  }
}

/**
 * As the client reads it (push.c server_pushed_signal, OpenVPN 2.3 to 2.7): RESTART or HALT, a comma, text. Text that
 * begins with a bracket would be flags.
 */
function killMessage(message: string | null, isHalt: boolean): string | undefined {
  const order = isHalt ? 'HALT' : 'RESTART';
  if (message === null) return isHalt ? order : undefined;
  return `${order},${message.startsWith('[') ? ' ' : ''}${message}`;
}
