import { type Gateway, isGroupMac, isUnicastMac, type Vacancy } from '../../../rules/index.js';
import type { NeighbourState } from '../datapath.js';
import type { Doubt, GatewayChange, MoveReason } from './gateway-change.js';
import { type Entry, key, makeEntry, toGateway } from './gateway-entry.js';
import { Ids } from './ids.js';
import { KnownAddresses } from './known-addresses.js';
import { Vacancies } from './vacancies.js';

/**
 * For so long after a router proved alive whose address another machine had claimed, nothing moves at a claim of its
 * addresses alone: the router is asked first.
 */
const TRUSTED_MS = 10_000;

/**
 * Which link-layer neighbours are gateways, and under which ids.
 *
 * Ids live on in conntrack marks, so an id is given to another MAC only after `gone` was reported for it and the
 * caller had the chance to clear those marks; fresh ids are taken in rotation for the same reason.
 *
 * A gateway is a MAC whose frames are learnt as it; where its answers go is another matter. When the last known
 * address of MAC A is claimed by MAC B, what went to A goes to B from then on. When A has other addresses, or had, it
 * is asked first. A that proves alive has everything back that was taken from it: the freshest evidence wins.
 */
export class GatewayTable {
  readonly #entries = new Map<number, Entry>();
  readonly #bySource = new Map<string, Entry>();
  readonly #addresses: KnownAddresses;
  /** (device, MAC) that lost an address -> the open question. */
  readonly #doubts = new Map<string, Doubt & { claimedBy: string }>();
  /** The ids that routers get before they are known. */
  readonly vacancies: Vacancies;
  readonly #max: number;
  readonly #isLearntFrom: (device: string, mac: string) => boolean;
  readonly #nowMs: () => number;
  readonly #isPinned: (device: string, mac: string) => boolean;
  readonly #ids: Ids;

  /**
   * @param max highest id, 1..254. Neighbours fill at most three quarters of the ids, so that gateways that really
   *   send VPN traffic find a place.
   * @param isLearntFrom false for senders that are no gateways, whatever they send
   * @param nowMs monotonic
   * @param isPinned answers of the gateway at this MAC do not follow evidence
   */
  constructor(
    max: number,
    isLearntFrom: (device: string, mac: string) => boolean = () => true,
    nowMs: () => number = () => performance.now(),
    isPinned: (device: string, mac: string) => boolean = () => false,
  ) {
    this.#isPinned = isPinned;
    this.#max = max;
    this.vacancies = new Vacancies(max);
    this.#ids = new Ids(max, (id) => this.#entries.has(id) || this.vacancies.has(id));
    this.#isLearntFrom = isLearntFrom;
    this.#nowMs = nowMs;
    this.#addresses = new KnownAddresses(
      (device, mac) => this.#bySource.get(key(device, mac))?.isActive === true,
      nowMs,
    );
  }

  /** All gateways in the order of their ids. */
  list(): Gateway[] {
    return [...this.#entries.values()].map(toGateway).toSorted((a, b) => a.id - b.id);
  }

  get(id: number): Gateway | null {
    const entry = this.#entries.get(id);
    return entry === undefined ? null : toGateway(entry);
  }

  isActive(id: number): boolean {
    return this.#entries.get(id)?.isActive === true;
  }

  hasMoved(id: number): boolean {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.mac !== entry.origin;
  }

  /** A command has set where its answers go. */
  isOrdered(id: number): boolean {
    return this.#entries.get(id)?.isOrdered === true;
  }

  /** Gateways whose frames are evidence: their answers go elsewhere, or one of their addresses was claimed. */
  watched(): readonly { readonly id: number; readonly device: string; readonly mac: string }[] {
    return [...this.#entries.values()].flatMap(({ id, device, home, mac, isOrdered }) => {
      const isWatched = home !== null && !isOrdered && (mac !== home || this.#doubts.has(key(device, home)));
      return isWatched ? [{ id, device, mac: home }] : [];
    });
  }

  /** The gateway that frames of this MAC are learnt as. */
  bySource(device: string, mac: string): Gateway | null {
    const entry = this.#bySource.get(key(device, mac));
    return entry === undefined ? null : toGateway(entry);
  }

  /** The gateway at the MAC that the neighbour table has for an address. */
  byAddress(device: string, address: string): Gateway | null {
    const mac = this.#addresses.macOf(device, address);
    const entry = mac === null ? undefined : (this.#bySource.get(key(device, mac)) ?? this.#at(device, mac)[0]);
    return entry === undefined ? null : toGateway(entry);
  }

  /** Addresses that the neighbour table has at the MAC to which this gateway's answers go. */
  addressesOf(id: number): string[] {
    const entry = this.#entries.get(id);
    if (entry === undefined) return [];
    return this.#addresses.at(entry.device, entry.mac).toSorted();
  }

  /** What the neighbour table has for an address; null for nothing. */
  macOf(device: string, address: string): string | null {
    return this.#addresses.macOf(device, address);
  }

  /** Removes gateways that are no longer learnt from. */
  removeExempt(): GatewayChange[] {
    const exempt = [...this.#entries.values()].filter(
      ({ device, home, mac }) => !this.#isLearntFrom(device, home ?? mac),
    );
    return exempt.map((entry) => this.#remove(entry, 'excluded'));
  }

  /**
   * Takes over a gateway that an earlier run of the sidecar left in the kernel. False when the id or a source is
   * taken.
   */
  adopt(gateway: Gateway): boolean {
    if (gateway.id < 1 || gateway.id > this.#max || this.#entries.has(gateway.id)) return false;
    const [home = null, ...others] = gateway.sources;
    // Only a table that another program wrote has several.
    if (others.length > 0 || (home !== null && this.#bySource.has(key(gateway.device, home)))) return false;
    const isOrdered = gateway.isOrdered === true;
    const left = gateway.mac === home ? null : home;
    this.#insert(makeEntry({ ...gateway, home, left, isActive: true, isOrdered }));
    this.#ids.adopt(gateway.id);
    return true;
  }

  /** Makes ids vacant on these devices, as many as there are to be. True if there are new ones. */
  reserve(devices: Iterable<string>): boolean {
    const { list } = this.vacancies;
    for (const device of devices) {
      while (this.vacancies.isWanted(device)) {
        const id = this.#entries.size >= this.#limit('frame') ? null : this.#ids.nextVacant();
        if (id === null) break;
        this.vacancies.add({ id, device });
      }
    }
    return list !== this.vacancies.list;
  }

  /** Takes over a vacancy that an earlier run left in the kernel; not one whose id is taken. */
  adoptVacancy(vacancy: Vacancy): void {
    if (vacancy.id < 1 || vacancy.id > this.#max || this.#entries.has(vacancy.id)) return;
    this.vacancies.add(vacancy);
    this.#ids.adoptVacant(vacancy.id);
  }

  /**
   * The packet path gave a vacant id to a sender. One that became a gateway just then, under another id, has both: its
   * flows of that moment keep theirs.
   */
  seat(id: number, device: string, mac: string): GatewayChange[] {
    if (this.vacancies.take(id) === null) return [];
    const known = this.#bySource.get(key(device, mac));
    const entry = makeEntry({
      id,
      device,
      home: known === undefined ? mac : null,
      mac: known?.mac ?? mac,
      origin: mac,
      isActive: known === undefined,
      isOrdered: known?.isOrdered === true,
    });
    const gateway = toGateway(entry);
    if (!isUnicastMac(mac) || !this.#isLearntFrom(device, mac)) return [{ kind: 'gone', gateway, why: 'excluded' }];
    this.#insert(entry);
    return [{ kind: 'found', gateway, by: 'frame' }];
  }

  /**
   * The neighbour table reported an address, perhaps at another MAC than before. `isNew`: its MAC was not known to have
   * it, and is to be {@link seen}.
   */
  claim(state: NeighbourState): { readonly changes: readonly GatewayChange[]; readonly isNew: boolean } {
    const { device, address, mac } = state;
    if (mac === null || !isUnicastMac(mac)) return { changes: [], isNew: false };
    // Members of a group ask from their own MAC with the group's address, and do not take it from the group.
    if (isGroupMac(this.#addresses.macOf(device, address) ?? '') && !isGroupMac(mac))
      return { changes: [], isNew: true };
    const claim = this.#addresses.note(state, mac);
    if (claim === null) return { changes: [], isNew: false };
    if (claim.from === null) return { changes: [], isNew: true };
    // A machine that claims an address is alive, whatever was assumed before.
    const changes = [
      ...this.alive(device, mac, 'claim'),
      ...this.#claimed(device, address, claim.from, mac, claim.isDisputed),
    ];
    return { changes, isNew: true };
  }

  /** A MAC proved to be alive after one of its addresses was claimed: its packets go to it again. */
  alive(device: string, mac: string, by: MoveReason): GatewayChange[] {
    const hadDoubt = this.#doubts.delete(key(device, mac));
    const lost = [...this.#entries.values()].filter(
      (entry) => entry.device === device && (entry.origin === mac || entry.left === mac),
    );
    const changes = [...this.#revive(device, mac, by), ...this.#send(lost, mac, by)];
    // An answer in time is what is expected of any router that lost an address; one that came late proves a false claim.
    const wasFalse = by === 'frame' ? hadDoubt || changes.length > 0 : by === 'answer' && changes.length > 0;
    if (wasFalse) this.#trust(device, mac);
    return changes;
  }

  /** Nothing at this MAC answers probes. */
  dead(device: string, mac: string): GatewayChange[] {
    const living = this.#at(device, mac).filter(({ isDead }) => !isDead);
    for (const entry of living) entry.isDead = true;
    return living.map((entry) => ({ kind: 'dead', gateway: toGateway(entry) }));
  }

  /** The router that lost an address showed no sign of life. Nothing where the doubt was settled meanwhile. */
  silent(device: string, mac: string): GatewayChange[] {
    const doubt = this.#doubts.get(key(device, mac));
    if (doubt === undefined) return [];
    this.#doubts.delete(key(device, mac));
    return this.#send(this.#at(device, mac), doubt.claimedBy, 'silence', doubt.address);
  }

  /** The router is alive, but another one took over: its packets go there. */
  handOver({ device, mac, claimedBy, address }: Doubt): GatewayChange[] {
    return this.#send(this.#at(device, mac), claimedBy, 'silence', address);
  }

  /** The open question about a MAC; null if it kept, or lost, all its addresses. */
  doubtOf(device: string, mac: string): Doubt | null {
    return this.#doubts.get(key(device, mac)) ?? null;
  }

  /**
   * A command: answers of the gateway that frames of `from` are learnt as go to `to`, whatever evidence says, until
   * another command. The MAC of the gateway itself ends that. Null if there is no such gateway.
   */
  order(device: string, from: string, to: string): GatewayChange[] | null {
    const entry = this.#bySource.get(key(device, from));
    if (entry === undefined) return null;
    const both = [entry, ...this.#at(device, entry.mac).filter(({ home }) => home === null)];
    for (const one of both) one.isOrdered = false;
    const changes = this.#send(both, to, 'command');
    for (const one of both) one.isOrdered = to !== from;
    return changes;
  }

  /** A command: removes the gateway at this MAC. Its next frame makes it one again. */
  forget(device: string, mac: string): GatewayChange[] {
    const own = [...this.#entries.values()].filter(
      (entry) => entry.device === device && (entry.home ?? entry.mac) === mac,
    );
    this.#doubts.delete(key(device, mac));
    return own.map((entry) => this.#remove(entry, 'command'));
  }

  /** A selected frame came from a MAC that no rule knew. */
  frame(device: string, mac: string): GatewayChange[] {
    const known = this.#bySource.get(key(device, mac));
    if (known !== undefined) {
      known.isActive = true;
      return [];
    }
    return isUnicastMac(mac) ? this.#find(device, mac, 'frame') : [];
  }

  /** A machine was seen, in the neighbour table or behind a port of a bridge: it may be a router. */
  seen(device: string, mac: string): GatewayChange[] {
    return isUnicastMac(mac) ? this.#find(device, mac, 'neighbour') : [];
  }

  /** A rule counted frames of this gateway. */
  used(id: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.isActive = true;
  }

  /** A device is gone, or no longer one on which gateways are learnt. */
  removeDevice(device: string): GatewayChange[] {
    this.#addresses.removeDevice(device);
    return [...this.#entries.values()]
      .filter((entry) => entry.device === device)
      .map((entry) => this.#remove(entry, 'device'));
  }

  #revive(device: string, mac: string, by: MoveReason): GatewayChange[] {
    const back = this.#at(device, mac).filter(({ isDead }) => isDead);
    for (const entry of back) entry.isDead = false;
    return back.map((entry) => ({ kind: 'revived', gateway: toGateway(entry), by }));
  }

  /** A claim of its addresses was false, so the next ones are looked into. */
  #trust(device: string, mac: string): void {
    const own = this.#bySource.get(key(device, mac));
    if (own !== undefined) own.trustedUntilMs = this.#nowMs() + TRUSTED_MS;
    if (this.#addresses.at(device, mac).length === 0) this.#addresses.restore(device, mac);
  }

  #claimed(device: string, address: string, from: string, to: string, isDisputed: boolean): GatewayChange[] {
    // Of many machines that claim an address while its router is being asked, the last one has it if that is silent.
    const holder = this.#addresses.provenHolder(device, address);
    const open = holder === null ? undefined : this.#doubts.get(key(device, holder));
    if (open?.address === address && holder !== to) {
      open.claimedBy = to;
      return [];
    }
    const losers = this.#at(device, from).filter(({ isActive }) => isActive || !isDisputed);
    if (losers.length === 0) return [];
    const others = this.#addresses.at(device, from);
    const own = this.#bySource.get(key(device, from));
    const isContested = isDisputed || (own !== undefined && own.trustedUntilMs > this.#nowMs());
    if ((others.length > 0 || isContested) && !losers.some(({ isDead }) => isDead)) {
      const doubt = {
        device,
        mac: from,
        claimedBy: to,
        address,
        others,
        wasClaimantActive: this.#bySource.get(key(device, to))?.isActive === true,
        isContested,
      };
      this.#doubts.set(key(device, from), doubt);
      return [{ kind: 'doubted', doubt }];
    }
    this.#doubts.delete(key(device, from));
    return this.#send(losers, to, 'claim', address);
  }

  /** Gateways whose answers go to a MAC. */
  #at(device: string, mac: string): Entry[] {
    return [...this.#entries.values()].filter((entry) => entry.device === device && entry.mac === mac);
  }

  #send(entries: readonly Entry[], to: string, by: MoveReason, address?: string): GatewayChange[] {
    return entries.flatMap((entry) => {
      const { mac: from, device, home } = entry;
      if (entry.isOrdered || from === to || (by !== 'command' && this.#isPinned(device, home ?? from))) return [];
      entry.mac = to;
      entry.isDead = false;
      entry.left = to === entry.origin ? null : from;
      return [
        { kind: 'moved', gateway: toGateway(entry), from, by, ...(address === undefined ? {} : { address }) } as const,
      ];
    });
  }

  #find(device: string, mac: string, by: 'neighbour' | 'frame'): GatewayChange[] {
    if (this.#bySource.has(key(device, mac)) || !this.#isLearntFrom(device, mac)) return [];
    const evicted = this.#makeRoom(by);
    const id = this.#entries.size >= this.#limit(by) ? null : this.#ids.next();
    if (id === null) return [...evicted, { kind: 'limit', device, mac }];
    const entry = makeEntry({ id, device, home: mac, mac, isActive: by === 'frame', isOrdered: false });
    this.#insert(entry);
    return [...evicted, { kind: 'found', gateway: toGateway(entry), by }];
  }

  /**
   * When ids are used up, a gateway that frames came from displaces one that is known from the neighbour table only.
   * Next come gateways whose answers go elsewhere, the longest known first: a router that was replaced leaves one, and
   * only flows from before it still have its id. An address that was only claimed displaces no gateway.
   */
  #makeRoom(by: 'neighbour' | 'frame'): GatewayChange[] {
    if (by === 'neighbour' || this.#entries.size < this.#limit(by)) return [];
    const entries = [...this.#entries.values()];
    const idle = entries.find(({ isActive }) => !isActive);
    const victim = idle ?? entries.find(({ home, mac, isOrdered }) => mac !== home && !isOrdered);
    return victim === undefined ? [] : [this.#remove(victim, 'unused')];
  }

  #limit(by: 'neighbour' | 'frame'): number {
    return by === 'neighbour' ? Math.max(1, Math.floor((this.#max * 3) / 4)) : this.#max - this.vacancies.list.length;
  }

  #insert(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    if (entry.home !== null) this.#bySource.set(key(entry.device, entry.home), entry);
  }

  #remove(entry: Entry, why: 'device' | 'unused' | 'excluded' | 'command'): GatewayChange {
    this.#entries.delete(entry.id);
    if (entry.home !== null) this.#bySource.delete(key(entry.device, entry.home));
    return { kind: 'gone', gateway: toGateway(entry), why };
  }
}
