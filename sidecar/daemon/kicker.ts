import { setTimeout as delay } from 'node:timers/promises';

import { formatNetwork } from '../../rules/index.js';
import type { KickOrder, KickReport, ReleaseOrder } from '../control/kick-order.js';
import { GwmarkError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../log/logger.js';
import type { Instance } from '../openvpn/instance.js';
import type { KickAnswer, Kicks, KickWords } from '../openvpn/kicks.js';
import type { Servers } from '../openvpn/servers.js';
import { type Candidate, describeClient, findClients } from '../sessions/client-search.js';
import type { Hold, Holds } from '../sessions/holds.js';

/** OpenVPN is told even if the kernel has not taken the change by then. */
const KERNEL_MS = 2000;
/** The command gets an answer even if OpenVPN gives none by then. */
const OPENVPN_MS = 3000;
/** What it waits for the kernel once more, when OpenVPN has been told: a machine that is short of processor time. */
const REST_MS = 5000;
/** So many clients are listed in an error. */
const MAX_LISTED = 10;

export interface KickerOptions {
  readonly servers: Pick<Servers, 'list'>;
  readonly kernel: {
    readonly reconciler: Pick<Kernel['reconciler'], 'applied'>;
    readonly connections: Pick<Kernel['connections'], 'flushed'>;
  };
  readonly holds: Holds;
  readonly logger: Logger;
}

/** A client, and what ends it. */
interface Victim extends Candidate {
  readonly kicks: Kicks;
}

/** Does what `gwmark kick` asks for: first the kernel, then OpenVPN. */
export class Kicker {
  readonly #options: KickerOptions;

  constructor(options: KickerOptions) {
    this.#options = options;
  }

  /**
   * Ends clients. Resolves when the kernel has neither their rules nor their connections, and OpenVPN has answered; or
   * after ten seconds, and says what is missing. OpenVPN is told after two, whatever the kernel does.
   *
   * @throws GwmarkError CLIENT_UNKNOWN, CLIENT_AMBIGUOUS, HOLD_IMPOSSIBLE; nothing was changed then
   */
  async kick(order: KickOrder): Promise<KickReport> {
    const { holds, logger } = this.#options;
    const servers = this.#serversOf(order.server);
    const victims = choose(order, servers.flatMap(victimsOf));
    const newHolds = holdsFor(order, victims, servers);
    for (const hold of newHolds) holds.add(hold);
    const heldUntil = newHolds[0] === undefined ? null : new Date(newHolds[0].untilMs).toISOString();
    const clients = victims.map(describeVictim);
    const words: KickWords = { message: order.message, isHalt: order.isHalt };
    for (const { server, session, kicks } of victims) {
      kicks.withhold(session, words);
      logger.info('client.kicked', {
        management: server,
        cid: session.cid,
        commonName: session.commonName,
        reason: 'command',
        ...(heldUntil === null ? {} : { heldUntil }),
      });
    }
    const removal = this.#rulesRemoved();
    const isSoon = await within(removal, KERNEL_MS, false);
    const answers = await Promise.all(victims.map(tell));
    const areRulesRemoved = isSoon || (await within(removal, REST_MS, false));
    return {
      clients: clients.map((client, index) => ({ ...client, ...wordsOf(answers[index]) })),
      areRulesRemoved,
      heldUntil,
    };
  }

  /**
   * Ends the holds of a name.
   *
   * @throws GwmarkError CLIENT_UNKNOWN if it is not kept out
   */
  release({ client, server }: ReleaseOrder): void {
    const { holds, logger } = this.#options;
    const only = server === null ? null : (this.#serversOf(server)[0]?.name ?? null);
    const ended = holds.release(client, only);
    if (ended.length === 0)
      throw new GwmarkError(
        'CLIENT_UNKNOWN',
        `no client ${client} is kept out${listed(holds.list().map(({ name, server: at }) => `${name}${at === null ? '' : ` at ${at}`}`))}`,
      );
    logger.info('client.hold_released', { commonName: client });
  }

  async #rulesRemoved(): Promise<boolean> {
    const { reconciler, connections } = this.#options.kernel;
    await reconciler.applied();
    await connections.flushed();
    return true;
  }

  /** @throws GwmarkError CLIENT_UNKNOWN if there is no such server */
  #serversOf(word: string | null): readonly Instance[] {
    const { list } = this.#options.servers;
    if (word === null) return list;
    const found = list.filter(
      ({ name, place }) =>
        name === word || name.replace(/^(?:listen:)?(?:unix:)?/, '') === word || place.tunnel?.device === word,
    );
    if (found.length > 0) return found;
    throw new GwmarkError('CLIENT_UNKNOWN', `no OpenVPN is at ${word}${listed(list.map(({ name }) => name))}`);
  }
}

function victimsOf({ name, clients }: Instance): readonly Victim[] {
  return clients === null
    ? []
    : [...clients.sessions].map((session) => ({ server: name, session, kicks: clients.kicks }));
}

function choose({ client, isAll }: KickOrder, victims: readonly Victim[]): readonly Victim[] {
  const matching = findClients(client, victims);
  // One that was kicked before may still be listed beside its next session.
  const served = matching.filter(({ session, kicks }) => !kicks.isKicked(session));
  const found = served.length > 0 ? served : matching;
  if (found.length === 0)
    throw new GwmarkError('CLIENT_UNKNOWN', `no client ${client} is connected${listed(victims.map(describeClient))}`);
  if (found.length > 1 && !isAll)
    throw new GwmarkError(
      'CLIENT_AMBIGUOUS',
      `${found.length} clients are meant by ${client}${listed(found.map(describeClient))}\nname one by cid:N, with --server if several OpenVPNs have that CID; or give --all`,
    );
  return found;
}

/** One for each name, at the one server that was asked for, or at all. */
function holdsFor(
  { holdSeconds, server, message }: KickOrder,
  victims: readonly Victim[],
  servers: readonly Instance[],
): readonly Hold[] {
  if (holdSeconds === null) return [];
  const nameless = victims.find(({ session: { commonName } }) => commonName === '' || commonName === 'UNDEF');
  if (nameless !== undefined)
    throw new GwmarkError(
      'HOLD_IMPOSSIBLE',
      `${describeClient(nameless)}: it has no common name, by which a hold would know it again; kick it without --hold`,
    );
  const untilMs = Date.now() + holdSeconds * 1000;
  const names = new Set(victims.map(({ session }) => session.commonName));
  const places = server === null ? [null] : servers.map(({ name }) => name);
  return [...names].flatMap((name) => places.map((place) => ({ name, server: place, untilMs, message })));
}

async function tell({ session, kicks }: Victim): Promise<KickAnswer> {
  return await within(kicks.tell(session), OPENVPN_MS, {
    kind: 'untold',
    reason: `OpenVPN has not answered within ${OPENVPN_MS} ms`,
  });
}

function describeVictim({ server, session }: Victim) {
  const { cid, epoch, commonName, realAddress, addresses } = session;
  return {
    management: server,
    cid,
    epoch,
    commonName,
    realAddress,
    addresses: [...addresses.values()].map(formatNetwork),
  };
}

function wordsOf(answer: KickAnswer | undefined): Pick<KickReport['clients'][number], 'openvpn' | 'reason'> {
  return {
    openvpn: answer?.kind ?? 'untold',
    reason: answer?.kind === 'untold' ? answer.reason : null,
  };
}

/** The rest of an error: who there is. */
function listed(lines: readonly string[]): string {
  if (lines.length === 0) return ', and nobody else is';
  const more = lines.length > MAX_LISTED ? [`and ${lines.length - MAX_LISTED} more`] : [];
  return [':', ...lines.slice(0, MAX_LISTED), ...more].join('\n  ');
}

/** What work resolves with, or `otherwise` if it has not in time. */
async function within<T>(work: Promise<T>, limitMs: number, otherwise: T): Promise<T> {
  const limit = new AbortController();
  try {
    return await Promise.race([
      work,
      delay(limitMs, otherwise, { signal: limit.signal, ref: false }).catch(() => otherwise),
    ]);
  } finally {
    limit.abort();
  }
}
