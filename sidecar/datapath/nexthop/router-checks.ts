import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { PacketPath, RuleCounters } from '../../firewall/firewall.js';
import type { Logger } from '../../log/logger.js';
import type { KernelRouting } from '../../routing/kernel-routing.js';
import { mayBeAsked, resolveQuestion, stateQuestion } from '../../routing/neighbour-questions.js';
import { isUsable } from '../../routing/neighbours.js';
import { OngoingWork } from '../../system/ongoing-work.js';
import { CounterReadings } from './counter-readings.js';
import type { Doubt, GatewayChange } from './gateway-change.js';
import type { GatewayTable } from './gateway-table.js';

/** Rules for the machine that claimed the address come first: its frames are the best evidence. */
const RULES_MS = 50;
/**
 * So long a router that lost one of its addresses is waited for before what went to it goes to the claimant. An answer
 * takes less than a millisecond on an idle link. A router that takes longer has its packets back with its answer, and
 * a dead one costs a flow that only answers no more than this.
 */
const ANSWER_MS = 10;
/**
 * A router that lately proved alive after a claim of its address is looked for at these times, three seconds in all,
 * before it loses anything.
 */
const CONTESTED_LOOKS_MS: readonly number[] = Array.from({ length: 15 }, () => 200);
/**
 * After a move, an answer may come late, from a busy router or because it was lost: the kernel repeats a question
 * after one second and after two (neigh/default/retrans_time_ms).
 */
const LATE_ANSWERS_MS = [10, 20, 40, 80, 160, 1000, 2000];
/** After a move, frames of the old MAC are looked for at these times, and from then on with each poll. */
const LOOKS_MS = [20, 40, 80, 160, 300, 400];
/**
 * A router that answers and has sent nothing of a VPN flow for so long, while the one that took its address did, has
 * handed over.
 */
const HANDED_OVER_MS = 3000;
/** How long to watch for that. */
const WATCHED_MS = 60_000;

/** The kernel's neighbour table. */
type Neighbours = Pick<KernelRouting, 'neighboursAt' | 'ask'>;

export interface RouterChecksOptions {
  readonly table: GatewayTable;
  readonly firewall: Pick<PacketPath, 'readCounters'>;
  readonly routing: Neighbours;
  readonly logger: Logger;
  /** Receives the results of the checks. */
  readonly onChanges: (changes: readonly GatewayChange[]) => void;
  /** Receives counters that were read in between. */
  readonly onCounters: (counters: RuleCounters) => void;
}

/** A router that answers after one of its addresses went. */
interface Rival {
  readonly doubt: Doubt;
  readonly sinceMs: number;
  /** Packets received from either when first looked at; null before. */
  before: { readonly old: number; readonly claimant: number } | null;
}

/**
 * Finds out whether a router lives that lost an address: by asking it for its other addresses, and by the frames that
 * the rules count. A frame is evidence only where it came after the claim, so counters are compared with those of a
 * reading that began after it.
 */
export class RouterChecks {
  readonly #options: RouterChecksOptions;
  /** `device MAC` of routers that are being asked; true: once more after that. */
  readonly #asked = new Map<string, boolean>();
  /** Gateway id -> packets from its own MAC, of a reading that began after the last claim. */
  readonly #baselines = new Map<number, number>();
  readonly #wantedBaselines = new Set<number>();
  /** Ids whose baseline is about to be taken. */
  readonly #looking = new Set<number>();
  #reading: Promise<void> | null = null;
  readonly #rivals = new Map<string, Rival>();
  readonly #readings: CounterReadings;
  readonly #closing = new AbortController();
  readonly #work = new OngoingWork();

  constructor(options: RouterChecksOptions) {
    this.#options = options;
    this.#readings = new CounterReadings(options.firewall);
    // Any number of routers may be probed at a time.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Counters may contain evidence. */
  get isWatching(): boolean {
    return this.#rivals.size > 0 || this.#options.table.watched().length > 0;
  }

  /** Starts the checks that a change requires; returns immediately. */
  take(change: GatewayChange): void {
    // Frames from before a claim are no evidence, so a reading from before the last one is none either.
    if (change.kind === 'doubted') {
      const { device, mac } = change.doubt;
      this.#baselines.delete(this.#options.table.bySource(device, mac)?.id ?? 0);
      this.#begin(this.#ask(change.doubt));
    } else if (change.kind === 'moved' && change.by !== 'command' && change.by !== 'policy') {
      const { id, sources } = change.gateway;
      // Frames since the first claim are evidence, however many machines claim its address after that: in a flood of
      // claims, no reading would be later than the last one.
      const isFirst = sources.length === 0 || sources.includes(change.from);
      if (!isFirst && (this.#baselines.has(id) || this.#looking.has(id))) return;
      // It was silent since it was asked, so every frame since then is evidence: also one that comes right now.
      if (change.by !== 'silence') this.#baselines.delete(id);
      this.#begin(this.#lookAfterMove(id));
    }
  }

  /** Stops every check; resolves when none runs any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#work.idle();
  }

  /** Compares what the rules counted. */
  counted({ received }: RuleCounters): void {
    const { table } = this.#options;
    const packetsOf = (id: number): number => received.get(id)?.packets ?? 0;
    for (const { id, device, mac } of table.watched()) {
      const before = this.#baselines.get(id);
      if (before === undefined || packetsOf(id) === before) continue;
      // Fewer than before: the rules were rewritten, or this reading is older.
      if (packetsOf(id) < before) this.#begin(this.#takeBaselines([id]));
      else this.#found(device, mac, 'frame');
    }
    this.#compareRivals(packetsOf);
  }

  #compareRivals(packetsOf: (id: number) => number): void {
    const { table } = this.#options;
    const nowMs = performance.now();
    for (const [name, rival] of this.#rivals) {
      const { device, mac, claimedBy } = rival.doubt;
      const [old, claimant] = [table.bySource(device, mac), table.bySource(device, claimedBy)].map((gateway) =>
        gateway === null ? 0 : packetsOf(gateway.id),
      );
      rival.before ??= { old: old ?? 0, claimant: 0 };
      if (old !== rival.before.old || nowMs - rival.sinceMs > WATCHED_MS) this.#rivals.delete(name);
      else if ((claimant ?? 0) > rival.before.claimant && nowMs - rival.sinceMs > HANDED_OVER_MS) {
        this.#rivals.delete(name);
        this.#options.onChanges(table.handOver(rival.doubt));
      }
    }
  }

  async #ask(doubt: Doubt): Promise<void> {
    const name = `${doubt.device} ${doubt.mac}`;
    if (this.#asked.has(name)) {
      this.#asked.set(name, true);
      return;
    }
    try {
      do {
        this.#asked.set(name, false);
        await this.#askOnce(doubt);
      } while (this.#asked.get(name) === true);
    } finally {
      this.#asked.delete(name);
    }
  }

  async #askOnce({ device, mac }: Doubt): Promise<void> {
    const { table, routing } = this.#options;
    this.#rivals.delete(`${device} ${mac}`);
    if (table.doubtOf(device, mac)?.isContested === true) await this.#pause(RULES_MS);
    const doubt = table.doubtOf(device, mac);
    if (doubt === null) return;
    const { others } = doubt;
    const own = table.bySource(device, mac);
    await askNeighbours(routing, device, mac, others);
    const baseline = own === null ? Promise.resolve() : this.#takeBaselines([own.id]);
    const isOpen = (): boolean => table.doubtOf(device, mac) === doubt;
    for (const pauseMs of doubt.isContested ? CONTESTED_LOOKS_MS : [ANSWER_MS]) {
      await this.#pause(pauseMs);
      // Its other addresses may have gone as well by now.
      if (isOpen() && (await hasAnswered(routing, device, mac, others))) this.#found(device, mac, 'answer');
      // Counters are read in the time of many answers.
      if (isOpen() && doubt.isContested) await baseline.then(() => this.#readCounters());
      if (!isOpen()) return baseline;
    }
    const changes = table.silent(device, mac);
    this.#options.onChanges(changes);
    await baseline;
    if (changes.length === 0) return;
    await this.#readCounters();
    for (const pauseMs of LATE_ANSWERS_MS) {
      await this.#pause(pauseMs);
      if (await hasAnswered(routing, device, mac, others)) this.#options.onChanges(table.alive(device, mac, 'answer'));
    }
  }

  /** The router is there: it has what was taken from it, and keeps what was not. */
  #found(device: string, mac: string, by: 'answer' | 'frame'): void {
    const { table, logger, onChanges } = this.#options;
    const doubt = table.doubtOf(device, mac);
    onChanges(table.alive(device, mac, by));
    if (doubt === null) return;
    // Of many claims, the first that was false is enough for the log.
    if (!doubt.isContested)
      logger.info('gateway.kept', { device, mac, address: doubt.address, claimedBy: doubt.claimedBy, by });
    if (by === 'answer' && !doubt.wasClaimantActive)
      this.#rivals.set(`${device} ${mac}`, { doubt, sinceMs: performance.now(), before: null });
  }

  async #lookAfterMove(id: number): Promise<void> {
    this.#looking.add(id);
    try {
      await this.#pause(RULES_MS);
      if (!this.#baselines.has(id)) await this.#takeBaselines([id]);
    } finally {
      this.#looking.delete(id);
    }
    for (const pauseMs of LOOKS_MS) {
      await this.#pause(pauseMs);
      if (!this.#options.table.watched().some((watched) => watched.id === id)) return;
      await this.#readCounters();
    }
  }

  async #readCounters(): Promise<void> {
    const counters = await this.#readings.next();
    if (counters !== null) this.#options.onCounters(counters);
  }

  #takeBaselines(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      this.#baselines.delete(id);
      this.#wantedBaselines.add(id);
    }
    this.#reading ??= this.#readBaselines().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  /** An id that is asked for while a reading is under way waits for the next one. */
  async #readBaselines(): Promise<void> {
    while (this.#wantedBaselines.size > 0) {
      const ids = [...this.#wantedBaselines];
      this.#wantedBaselines.clear();
      const counters = await this.#readings.next();
      for (const id of ids) {
        if (!this.#wantedBaselines.has(id)) this.#baselines.set(id, counters?.received.get(id)?.packets ?? 0);
      }
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return delay(milliseconds, undefined, { ref: false, signal: this.#closing.signal });
  }

  #begin(work: Promise<void>): void {
    this.#work.add(work).catch((error: unknown) => {
      // A check that closing ended is no failure.
      if (!this.#closing.signal.aborted) this.#options.logger.warn('daemon.check_failed', { error });
    });
  }
}

/** Makes the kernel ask for addresses: those that it has at this MAC there (NUD_PROBE), others by broadcast or multicast. */
async function askNeighbours(
  routing: Neighbours,
  device: string,
  mac: string,
  addresses: readonly string[],
): Promise<void> {
  const known = new Map(
    (await routing.neighboursAt(device, addresses)).map((neighbour) => [neighbour.dst, neighbour]),
  );
  await routing.ask(
    addresses.flatMap((address) => {
      const neighbour = known.get(address);
      if (neighbour === undefined || !isUsable(neighbour)) return [resolveQuestion(device, address)];
      return neighbour.lladdr === mac && mayBeAsked(neighbour) ? [stateQuestion(device, neighbour, 'probe')] : [];
    }),
  );
}

async function hasAnswered(
  routing: Neighbours,
  device: string,
  mac: string,
  addresses: readonly string[],
): Promise<boolean> {
  return (await routing.neighboursAt(device, addresses)).some(
    ({ lladdr, state }) => lladdr === mac && state.includes('REACHABLE'),
  );
}
