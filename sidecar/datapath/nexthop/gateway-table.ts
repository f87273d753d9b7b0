import { type Gateway, isUnicastMac, type Vacancy } from '../../../rules/index.js';
import type { NeighbourState } from '../datapath.js';
import type { Doubt, GatewayChange, MoveReason } from './gateway-change.js';
import { type Entry, toGateway } from './gateway-entry.js';
import { Vacancies } from './vacancies.js';

/** The number of addresses that are stored with their MAC; hosts with ever new IPv6 addresses must not fill the memory. */
const MAX_NEIGHBOURS = 4096;

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
  /** (device, address) -> MAC, from the neighbour table. */
  readonly #neighbours = new Map<string, NeighbourState & { readonly mac: string }>();
  /** (device, MAC) that lost an address -> the open question. */
  readonly #doubts = new Map<string, Doubt>();
  /** The ids that routers get before they are known. */
  readonly vacancies: Vacancies;
  readonly #max: number;
  readonly #isLearntFrom: (device: string, mac: string) => boolean;
  #lastId = 0;
  #lastVacantId = 1;

  /**
   * @param max highest id, 1..254. Neighbours fill at most three quarters of the ids, so that gateways that really
   *   send VPN traffic find a place.
   * @param isLearntFrom false for senders that are no gateways, whatever they send
   */
  constructor(max: number, isLearntFrom: (device: string, mac: string) => boolean = () => true) {
    this.#max = max;
    this.vacancies = new Vacancies(max);
    this.#isLearntFrom = isLearntFrom;
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
    return entry !== undefined && entry.mac !== entry.home;
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
    const mac = this.#neighbours.get(key(device, address))?.mac;
    const entry = mac === undefined ? undefined : (this.#bySource.get(key(device, mac)) ?? this.#at(device, mac)[0]);
    return entry === undefined ? null : toGateway(entry);
  }

  /** Addresses that the neighbour table has at the MAC to which this gateway's answers go. */
  addressesOf(id: number): string[] {
    const entry = this.#entries.get(id);
    if (entry === undefined) return [];
    return this.#addressesAt(entry.device, entry.mac).toSorted();
  }

  /** What the neighbour table has for an address; null for nothing. */
  macOf(device: string, address: string): string | null {
    return this.#neighbours.get(key(device, address))?.mac ?? null;
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
    this.#insert({
      id: gateway.id,
      device: gateway.device,
      home,
      mac: gateway.mac,
      left: gateway.mac === home ? null : home,
      isActive: true,
      isOrdered,
    });
    this.#lastId = Math.max(this.#lastId, gateway.id);
    return true;
  }

  /** Makes ids vacant on these devices, as many as there are to be. True if there are new ones. */
  reserve(devices: Iterable<string>): boolean {
    const { list } = this.vacancies;
    for (const device of devices) {
      while (this.vacancies.isWanted(device)) {
        const id = this.#nextVacantId();
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
    this.#lastVacantId = vacancy.id;
  }

  /**
   * The packet path gave a vacant id to a sender. One that became a gateway just then, under another id, has both: its
   * flows of that moment keep theirs.
   */
  seat(id: number, device: string, mac: string): GatewayChange[] {
    if (this.vacancies.take(id) === null) return [];
    const known = this.#bySource.get(key(device, mac));
    const entry: Entry = {
      id,
      device,
      home: known === undefined ? mac : null,
      mac: known?.mac ?? mac,
      left: null,
      isActive: known === undefined,
      isOrdered: known?.isOrdered === true,
    };
    const gateway = toGateway(entry);
    if (!isUnicastMac(mac) || !this.#isLearntFrom(device, mac)) return [{ kind: 'gone', gateway, why: 'excluded' }];
    this.#insert(entry);
    return [{ kind: 'found', gateway, by: 'frame' }];
  }

  /** The neighbour table reported an address. */
  neighbour(state: NeighbourState): GatewayChange[] {
    const address = key(state.device, state.address);
    const known = this.#neighbours.get(address);
    const { mac } = state;
    // A neighbour that is not resolved any more, or was dropped from the kernel's table, says nothing of where its
    // router is now. What we knew stays, so that the next claim of the address is seen as a move.
    if (mac === null || !isUnicastMac(mac)) return [];
    if (known?.mac === mac) return [];
    this.#neighbours.delete(address);
    this.#neighbours.set(address, { ...state, mac });
    this.#forgetOldest();
    // A machine that claims an address is alive, whatever was assumed before.
    const changes =
      known === undefined
        ? []
        : [...this.alive(state.device, mac, 'claim'), ...this.#claimed(state.device, state.address, known.mac, mac)];
    return [...changes, ...this.#find(state.device, mac, 'neighbour')];
  }

  /** A MAC proved to be alive after one of its addresses was claimed: its packets go to it again. */
  alive(device: string, mac: string, by: MoveReason): GatewayChange[] {
    this.#doubts.delete(key(device, mac));
    const lost = [...this.#entries.values()].filter(
      (entry) => entry.device === device && (entry.home === mac || entry.left === mac),
    );
    return this.#send(lost, mac, by);
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

  /** A selected frame came from a MAC that no rule knew. */
  frame(device: string, mac: string): GatewayChange[] {
    const known = this.#bySource.get(key(device, mac));
    if (known !== undefined) {
      known.isActive = true;
      return [];
    }
    return isUnicastMac(mac) ? this.#find(device, mac, 'frame') : [];
  }

  /** A bridge learnt a sender: it may be a router, like a neighbour. */
  bridged(device: string, mac: string): GatewayChange[] {
    return isUnicastMac(mac) ? this.#find(device, mac, 'neighbour') : [];
  }

  /** A rule counted frames of this gateway. */
  used(id: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.isActive = true;
  }

  /** A device is gone, or no longer one on which gateways are learnt. */
  removeDevice(device: string): GatewayChange[] {
    for (const [address, neighbour] of this.#neighbours) {
      if (neighbour.device === device) this.#neighbours.delete(address);
    }
    return [...this.#entries.values()]
      .filter((entry) => entry.device === device)
      .map((entry) => this.#remove(entry, 'device'));
  }

  #claimed(device: string, address: string, from: string, to: string): GatewayChange[] {
    if (this.#at(device, from).length === 0) return [];
    const others = this.#addressesAt(device, from);
    if (others.length > 0) {
      const doubt: Doubt = {
        device,
        mac: from,
        claimedBy: to,
        address,
        others,
        wasClaimantActive: this.#bySource.get(key(device, to))?.isActive === true,
      };
      this.#doubts.set(key(device, from), doubt);
      return [{ kind: 'doubted', doubt }];
    }
    this.#doubts.delete(key(device, from));
    return this.#send(this.#at(device, from), to, 'claim', address);
  }

  /** Gateways whose answers go to a MAC. */
  #at(device: string, mac: string): Entry[] {
    return [...this.#entries.values()].filter((entry) => entry.device === device && entry.mac === mac);
  }

  #addressesAt(device: string, mac: string): string[] {
    return [...this.#neighbours.values()]
      .filter((neighbour) => neighbour.device === device && neighbour.mac === mac)
      .map(({ address }) => address);
  }

  #send(entries: readonly Entry[], to: string, by: MoveReason, address?: string): GatewayChange[] {
    return entries.flatMap((entry) => {
      if (entry.isOrdered || entry.mac === to) return [];
      const from = entry.mac;
      entry.mac = to;
      entry.left = to === entry.home ? null : from;
      return [
        { kind: 'moved', gateway: toGateway(entry), from, by, ...(address === undefined ? {} : { address }) } as const,
      ];
    });
  }

  #forgetOldest(): void {
    const [oldest] = this.#neighbours.keys();
    if (this.#neighbours.size > MAX_NEIGHBOURS && oldest !== undefined) this.#neighbours.delete(oldest);
  }

  #find(device: string, mac: string, by: 'neighbour' | 'frame'): GatewayChange[] {
    if (this.#bySource.has(key(device, mac)) || !this.#isLearntFrom(device, mac)) return [];
    const evicted = this.#makeRoom(by);
    const id = this.#nextId(by);
    if (id === null) return [...evicted, { kind: 'limit', device, mac }];
    const entry: Entry = { id, device, home: mac, mac, left: null, isActive: by === 'frame', isOrdered: false };
    this.#insert(entry);
    return [...evicted, { kind: 'found', gateway: toGateway(entry), by }];
  }

  /**
   * When ids are used up, a gateway that frames came from displaces one that is known from the neighbour table only.
   * Next come gateways whose answers go elsewhere, the longest known first: a router that was replaced leaves one, and
   * only flows from before it still have its id.
   */
  #makeRoom(by: 'neighbour' | 'frame'): GatewayChange[] {
    if (this.#entries.size < this.#limit(by)) return [];
    const entries = [...this.#entries.values()];
    const idle = by === 'frame' ? entries.find(({ isActive }) => !isActive) : undefined;
    const victim = idle ?? entries.find(({ home, mac, isOrdered }) => mac !== home && !isOrdered);
    return victim === undefined ? [] : [this.#remove(victim, 'unused')];
  }

  #limit(by: 'neighbour' | 'frame'): number {
    return by === 'neighbour' ? Math.max(1, Math.floor((this.#max * 3) / 4)) : this.#max - this.vacancies.list.length;
  }

  #nextId(by: 'neighbour' | 'frame'): number | null {
    if (this.#entries.size >= this.#limit(by)) return null;
    for (let step = 1; step <= this.#max; step += 1) {
      const id = ((this.#lastId + step - 1) % this.#max) + 1;
      if (this.#entries.has(id) || this.vacancies.has(id)) continue;
      this.#lastId = id;
      return id;
    }
    return null;
  }

  /** From the highest one down, so that routers that are known first have low ids; in rotation, too. */
  #nextVacantId(): number | null {
    if (this.#entries.size >= this.#limit('frame')) return null;
    for (let step = 1; step <= this.#max; step += 1) {
      const id = ((this.#lastVacantId - 1 - step + 2 * this.#max) % this.#max) + 1;
      if (this.#entries.has(id) || this.vacancies.has(id)) continue;
      this.#lastVacantId = id;
      return id;
    }
    return null;
  }

  #insert(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    if (entry.home !== null) this.#bySource.set(key(entry.device, entry.home), entry);
  }

  #remove(entry: Entry, why: 'device' | 'unused' | 'excluded'): GatewayChange {
    this.#entries.delete(entry.id);
    if (entry.home !== null) this.#bySource.delete(key(entry.device, entry.home));
    return { kind: 'gone', gateway: toGateway(entry), why };
  }
}

function key(device: string, mac: string): string {
  return `${device} ${mac}`;
}
