import type { Gateway } from '../../../rules/index.js';

/** Addresses that are remembered with their MAC; hosts with ever new IPv6 addresses must not fill our memory. */
const MAX_NEIGHBOURS = 4096;

/** A gateway as the table keeps it. */
interface Entry {
  readonly id: number;
  readonly device: string;
  /** Where answers go. */
  mac: string;
  /** Source MACs that are learnt as this gateway. */
  readonly sources: Set<string>;
  /** A selected frame came from it, or it was adopted from a table where it had been in use. */
  isActive: boolean;
  /** Another MAC claimed its address, and no frame of the old MAC was seen since. */
  hasMoved: boolean;
}

/** What happened to a gateway; the caller logs it and cleans up after `gone`. */
export type GatewayChange =
  | { readonly kind: 'found'; readonly gateway: Gateway; readonly by: 'neighbour' | 'frame' }
  | { readonly kind: 'moved'; readonly gateway: Gateway; readonly from: string; readonly address: string }
  | { readonly kind: 'gone'; readonly gateway: Gateway; readonly why: 'device' | 'unused' }
  | { readonly kind: 'limit'; readonly device: string; readonly mac: string };

/** A neighbour as the kernel reports it; `mac` is null when the kernel forgot it or could not resolve it. */
export interface NeighbourState {
  readonly device: string;
  readonly address: string;
  readonly mac: string | null;
}

/**
 * Which link-layer neighbours are gateways, and under which ids.
 *
 * Ids live on in conntrack marks, so an id is given to another MAC only after `gone` was reported for it and the
 * caller had the chance to clear those marks; fresh ids are taken in rotation for the same reason.
 *
 * A move: when an address that was at MAC A is claimed by MAC B, gateways that send to A send to B from then on, and
 * frames from A are not learnt as that gateway any more. A router that goes on sending from A is so found anew, under
 * an id of its own, and its flows follow with their next frame: the freshest evidence wins for each flow.
 */
export class GatewayTable {
  readonly #entries = new Map<number, Entry>();
  readonly #bySource = new Map<string, Entry>();
  /** (device, address) -> MAC, from the neighbour table. */
  readonly #neighbours = new Map<string, NeighbourState & { readonly mac: string }>();
  readonly #max: number;
  #lastId = 0;

  /**
   * @param max highest id, 1..254. Neighbours fill at most three quarters of the ids, so that gateways that really
   *   send VPN traffic find a place.
   */
  constructor(max: number) {
    this.#max = max;
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
    return this.#entries.get(id)?.hasMoved === true;
  }

  /** The gateway that frames of this MAC are learnt as. */
  bySource(device: string, mac: string): Gateway | null {
    const entry = this.#bySource.get(key(device, mac));
    return entry === undefined ? null : toGateway(entry);
  }

  /** The gateway at the MAC that the neighbour table has for an address. */
  byAddress(device: string, address: string): Gateway | null {
    const mac = this.#neighbours.get(key(device, address))?.mac;
    const entry = mac === undefined ? undefined : (this.#bySource.get(key(device, mac)) ?? [...this.#entries.values()].find((other) => other.device === device && other.mac === mac));
    return entry === undefined ? null : toGateway(entry);
  }

  /** Addresses that the neighbour table has at the MAC to which this gateway's answers go. */
  addressesOf(id: number): string[] {
    const entry = this.#entries.get(id);
    if (entry === undefined) return [];
    return [...this.#neighbours.values()]
      .filter(({ device, mac }) => device === entry.device && mac === entry.mac)
      .map(({ address }) => address)
      .toSorted();
  }

  /** Takes over a gateway that an earlier run of the sidecar left in the kernel. False when the id or a source is taken. */
  adopt(gateway: Gateway): boolean {
    if (gateway.id < 1 || gateway.id > this.#max || this.#entries.has(gateway.id)) return false;
    if (gateway.sources.some((mac) => this.#bySource.has(key(gateway.device, mac)))) return false;
    this.#insert({
      id: gateway.id,
      device: gateway.device,
      mac: gateway.mac,
      sources: new Set(gateway.sources),
      isActive: true,
      hasMoved: !gateway.sources.includes(gateway.mac),
    });
    this.#lastId = Math.max(this.#lastId, gateway.id);
    return true;
  }

  /** The neighbour table said something of an address. */
  neighbour(state: NeighbourState): GatewayChange[] {
    const address = key(state.device, state.address);
    const known = this.#neighbours.get(address);
    const { mac } = state;
    // A neighbour that is not resolved any more, or was dropped from the kernel's table, says nothing of where its
    // router is now. What we knew stays, so that the next claim of the address is seen as a move.
    if (mac === null || !isUnicast(mac)) return [];
    if (known?.mac === mac) return [];
    this.#neighbours.delete(address);
    this.#neighbours.set(address, { ...state, mac });
    this.#forgetOldest();
    const changes = known === undefined ? [] : this.#move(state.device, state.address, known.mac, mac);
    return [...changes, ...this.#find(state.device, mac, 'neighbour')];
  }

  /** A selected frame came from a MAC that no rule knew. */
  frame(device: string, mac: string): GatewayChange[] {
    const known = this.#bySource.get(key(device, mac));
    if (known !== undefined) {
      known.isActive = true;
      return [];
    }
    return isUnicast(mac) ? this.#find(device, mac, 'frame') : [];
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
    return [...this.#entries.values()].filter((entry) => entry.device === device).map((entry) => this.#remove(entry, 'device'));
  }

  #move(device: string, address: string, from: string, to: string): GatewayChange[] {
    const changes: GatewayChange[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.device !== device || entry.mac !== from) continue;
      entry.mac = to;
      entry.hasMoved = true;
      for (const source of entry.sources) this.#bySource.delete(key(device, source));
      entry.sources.clear();
      if (!this.#bySource.has(key(device, to))) {
        entry.sources.add(to);
        this.#bySource.set(key(device, to), entry);
      }
      changes.push({ kind: 'moved', gateway: toGateway(entry), from, address });
    }
    // The old MAC may have other addresses and still forward: it becomes a gateway of its own at once.
    const staysBehind = [...this.#neighbours.values()].some((neighbour) => neighbour.device === device && neighbour.mac === from);
    if (changes.length > 0 && staysBehind) changes.push(...this.#find(device, from, 'neighbour'));
    return changes;
  }

  #forgetOldest(): void {
    const [oldest] = this.#neighbours.keys();
    if (this.#neighbours.size > MAX_NEIGHBOURS && oldest !== undefined) this.#neighbours.delete(oldest);
  }

  #find(device: string, mac: string, by: 'neighbour' | 'frame'): GatewayChange[] {
    if (this.#bySource.has(key(device, mac))) return [];
    const evicted = this.#makeRoom(by);
    const id = this.#nextId(by);
    if (id === null) return [...evicted, { kind: 'limit', device, mac }];
    const entry: Entry = { id, device, mac, sources: new Set([mac]), isActive: by === 'frame', hasMoved: false };
    this.#insert(entry);
    return [...evicted, { kind: 'found', gateway: toGateway(entry), by }];
  }

  /**
   * When ids are used up, a gateway that frames came from displaces one that is known from the neighbour table only. Next
   * come gateways that no frame is learnt as any more, the longest known first: every failover leaves one, and only
   * flows from before it still have its id.
   */
  #makeRoom(by: 'neighbour' | 'frame'): GatewayChange[] {
    if (this.#entries.size < this.#limit(by)) return [];
    const entries = [...this.#entries.values()];
    const idle = by === 'frame' ? entries.find(({ isActive }) => !isActive) : undefined;
    const victim = idle ?? entries.find(({ sources }) => sources.size === 0);
    return victim === undefined ? [] : [this.#remove(victim, 'unused')];
  }

  #limit(by: 'neighbour' | 'frame'): number {
    return by === 'neighbour' ? Math.max(1, Math.floor((this.#max * 3) / 4)) : this.#max;
  }

  #nextId(by: 'neighbour' | 'frame'): number | null {
    if (this.#entries.size >= this.#limit(by)) return null;
    for (let step = 1; step <= this.#max; step += 1) {
      const id = ((this.#lastId + step - 1) % this.#max) + 1;
      if (this.#entries.has(id)) continue;
      this.#lastId = id;
      return id;
    }
    return null;
  }

  #insert(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    for (const mac of entry.sources) this.#bySource.set(key(entry.device, mac), entry);
  }

  #remove(entry: Entry, why: 'device' | 'unused'): GatewayChange {
    this.#entries.delete(entry.id);
    for (const mac of entry.sources) this.#bySource.delete(key(entry.device, mac));
    return { kind: 'gone', gateway: toGateway(entry), why };
  }
}

function toGateway({ id, device, mac, sources }: Entry): Gateway {
  return { id, device, mac, sources: [...sources] };
}

function key(device: string, mac: string): string {
  return `${device} ${mac}`;
}

/** Group addresses and the zero address are nobody's source. */
function isUnicast(mac: string): boolean {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && mac !== '00:00:00:00:00:00';
}
