import type { AnnouncedAddress } from '../../rules/index.js';
import { announcedKey } from '../../rules/index.js';

/**
 * Addresses of a family that are looked for on the links at a time: its neighbour table has room for a thousand
 * (gc_thresh3).
 */
const MAX_PROBED = 256;
/** Pauses before a taken address is looked for again: the first, and the longest. */
const RETRY_MS = [2000, 60_000] as const;

/** An address that another host has, so that it is not announced. */
export interface TakenAddress extends AnnouncedAddress {
  /** The MAC that answered for it. */
  readonly mac: string;
}

interface Entry {
  readonly address: AnnouncedAddress;
  /** Client networks that have it. */
  holders: number;
  /**
   * `waiting`: to be looked for on its link. `probing`: its link is being asked. `free`: nobody else has it. `taken`:
   * another host has it.
   */
  state: 'waiting' | 'probing' | 'free' | 'taken';
  /** The kernel has our proxy neighbour, as far as is known. */
  isInstalled: boolean;
  /** Of the host that has it; empty if none. */
  mac: string;
  attempts: number;
  retryAtMs: number;
}

/**
 * What is to be announced, and how far each address is: first its link is asked whether a host there has it, then it
 * is announced, until that host appears or the last client network with it is gone. It knows no clock and no kernel.
 */
export class AnnouncementTable {
  readonly #entries = new Map<string, Entry>();
  readonly #withdrawn = new Map<string, AnnouncedAddress>();
  /** Those that are being removed. */
  #leaving = 0;
  /** Those that another program announces: they stay as they are. */
  #foreign: ReadonlySet<string> = new Set();

  /** Nothing is to be announced, or to be removed. */
  get isEmpty(): boolean {
    return this.#entries.size === 0 && this.#withdrawn.size === 0;
  }

  /** Addresses with our proxy neighbour, those included that are about to lose it. */
  get installed(): number {
    return this.#count((entry) => entry.isInstalled) + this.#withdrawn.size + this.#leaving;
  }

  /** Addresses that are being looked for, or will be. */
  get pending(): number {
    return this.#count(
      ({ address, state, mac, isInstalled }) =>
        mac === '' && (state !== 'free' || !isInstalled) && !this.#foreign.has(announcedKey(address)),
    );
  }

  /** Addresses that another host has, also while it is asked again. */
  get taken(): readonly TakenAddress[] {
    return [...this.#entries.values()]
      .filter(({ mac }) => mac !== '')
      .map(({ address, mac }) => ({ ...address, mac }));
  }

  /** Every address that is to be announced, in no particular order. */
  *addresses(): IterableIterator<AnnouncedAddress> {
    for (const { address } of this.#entries.values()) yield address;
  }

  /** What an earlier run announces: it is not looked for again, because the endpoint itself answers for it. */
  adopt(addresses: Iterable<AnnouncedAddress>): void {
    for (const address of addresses)
      this.#entries.set(announcedKey(address), { ...newEntry(address), state: 'free', isInstalled: true });
  }

  /** A client network has the address; each call is matched by one of {@link release}. */
  hold(address: AnnouncedAddress): void {
    const key = announcedKey(address);
    const known = this.#entries.get(key);
    const entry = known ?? newEntry(address);
    entry.holders += 1;
    this.#entries.set(key, entry);
    // A client hands it on: it was about to be removed, and stays.
    if (known === undefined && this.#withdrawn.delete(key)) Object.assign(entry, { state: 'free', isInstalled: true });
  }

  release(address: AnnouncedAddress): void {
    const entry = this.#entries.get(announcedKey(address));
    if (entry === undefined) return;
    entry.holders -= 1;
    if (entry.holders <= 0) this.#drop(entry);
  }

  /** Drops what no client network holds: what an earlier run announced for clients that are gone. */
  releaseRest(): void {
    for (const entry of this.#entries.values()) if (entry.holders === 0) this.#drop(entry);
  }

  /** The proxy neighbours of ours that are to be removed now; call {@link removed} when they are. */
  takeWithdrawn(): readonly AnnouncedAddress[] {
    const addresses = [...this.#withdrawn.values()];
    this.#withdrawn.clear();
    this.#leaving = addresses.length;
    return addresses;
  }

  /** What {@link takeWithdrawn} gave is removed, or its removal failed. */
  removed(): void {
    this.#leaving = 0;
  }

  /** What {@link settle} gave has its proxy neighbour now; who is gone meanwhile, or taken, loses it again. */
  added(addresses: readonly AnnouncedAddress[]): void {
    for (const address of addresses) {
      const key = announcedKey(address);
      const entry = this.#entries.get(key);
      if (entry?.state === 'free') entry.isInstalled = true;
      else this.#withdrawn.set(key, address);
    }
  }

  /** The next addresses to look for on their links; each is given to {@link settle} later. */
  takeWaiting(nowMs: number): readonly AnnouncedAddress[] {
    const due: AnnouncedAddress[] = [];
    const room = { 4: MAX_PROBED, 6: MAX_PROBED };
    for (const [key, entry] of this.#entries) {
      const { family } = entry.address;
      const isDue = entry.state === 'waiting' || (entry.state === 'taken' && entry.retryAtMs <= nowMs);
      if (!isDue || room[family] === 0 || this.#foreign.has(key)) continue;
      room[family] -= 1;
      entry.state = 'probing';
      due.push(entry.address);
    }
    return due;
  }

  /**
   * The links were asked for these addresses.
   *
   * @param macOf who has one of them; undefined: nobody
   * @returns what changed: `announce` is to be given to {@link added}, `taken` and `freed` are news about who has them
   */
  settle(
    addresses: readonly AnnouncedAddress[],
    macOf: (address: AnnouncedAddress) => string | undefined,
    nowMs: number,
  ): {
    readonly announce: readonly AnnouncedAddress[];
    readonly taken: readonly TakenAddress[];
    readonly freed: readonly AnnouncedAddress[];
  } {
    const announce: AnnouncedAddress[] = [];
    const taken: TakenAddress[] = [];
    const freed: AnnouncedAddress[] = [];
    for (const address of addresses) {
      const entry = this.#entries.get(announcedKey(address));
      if (entry?.state !== 'probing') continue;
      const mac = macOf(address);
      if (mac !== undefined) {
        if (entry.mac !== mac) taken.push({ ...address, mac });
        this.#take(entry, mac, nowMs);
        continue;
      }
      if (entry.mac !== '') freed.push(address);
      Object.assign(entry, { state: 'free', mac: '', attempts: 0 });
      announce.push(address);
    }
    return { announce, taken, freed };
  }

  /**
   * The kernel has a neighbour with this address.
   *
   * @param mac null: it has none any more
   * @returns `unknown` if the address is not to be announced; `taken` if it was announced until now, and another host
   * turns out to have it
   */
  heard(
    address: Pick<AnnouncedAddress, 'device' | 'address'>,
    mac: string | null,
    nowMs: number,
  ): 'unknown' | 'taken' | 'known' {
    const key = announcedKey(address);
    const entry = this.#entries.get(key);
    if (entry === undefined) return 'unknown';
    if (mac === null || entry.state !== 'free' || this.#foreign.has(key)) return 'known';
    this.#take(entry, mac, nowMs);
    return 'taken';
  }

  /**
   * Compares with what the kernel has.
   *
   * @param ours with our protocol number
   * @param foreign of other programs
   * @returns those that are missing there, which are looked for again, because their link may be another network now
   */
  compare(ours: readonly AnnouncedAddress[], foreign: readonly AnnouncedAddress[]): readonly AnnouncedAddress[] {
    this.#foreign = new Set(foreign.map(announcedKey));
    const present = new Map(ours.map((address) => [announcedKey(address), address]));
    const missing: AnnouncedAddress[] = [];
    for (const [key, entry] of this.#entries) {
      const isPresent = present.delete(key);
      if (entry.isInstalled && !isPresent) missing.push(entry.address);
      else if (isPresent && entry.state === 'taken') this.#withdrawn.set(key, entry.address);
      // Its announcer is another program, or was until now.
      if (entry.state === 'free' && !isPresent) entry.state = 'waiting';
      entry.isInstalled = isPresent && entry.state !== 'taken';
    }
    for (const [key, address] of present) this.#withdrawn.set(key, address);
    return missing;
  }

  /** A link was without a carrier: what is announced on it is looked for and told again. */
  distrust(device: string): void {
    for (const entry of this.#entries.values())
      if (entry.address.device === device && entry.state === 'free') entry.state = 'waiting';
  }

  /** Addresses with our proxy neighbour on a link. */
  installedOn(device: string): readonly AnnouncedAddress[] {
    return [...this.#entries.values()]
      .filter(({ address, isInstalled }) => isInstalled && address.device === device)
      .map(({ address }) => address);
  }

  /** When the next taken address is due; null without one. */
  get nextRetryMs(): number | null {
    const due = [...this.#entries.values()].flatMap(({ state, retryAtMs }) => (state === 'taken' ? [retryAtMs] : []));
    return due.length === 0 ? null : Math.min(...due);
  }

  #take(entry: Entry, mac: string, nowMs: number): void {
    if (entry.isInstalled) this.#withdrawn.set(announcedKey(entry.address), entry.address);
    const pauseMs = Math.min(RETRY_MS[1], RETRY_MS[0] * 2 ** entry.attempts);
    Object.assign(entry, {
      state: 'taken',
      isInstalled: false,
      mac,
      attempts: entry.attempts + 1,
      retryAtMs: nowMs + pauseMs,
    });
  }

  #drop(entry: Entry): void {
    const key = announcedKey(entry.address);
    this.#entries.delete(key);
    if (entry.isInstalled) this.#withdrawn.set(key, entry.address);
  }

  #count(isCounted: (entry: Entry) => boolean): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (isCounted(entry)) count += 1;
    return count;
  }
}

function newEntry(address: AnnouncedAddress): Entry {
  return { address, holders: 0, state: 'waiting', isInstalled: false, mac: '', attempts: 0, retryAtMs: 0 };
}
