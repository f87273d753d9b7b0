import type { NeighbourState } from '../datapath.js';

/** The number of addresses that are stored with their MAC; hosts with ever new IPv6 addresses must not fill the memory. */
const MAX_ADDRESSES = 4096;
/** Among so many of the oldest, one that is no router's is looked for when one has to go. */
const MAX_KEPT = 512;
/** An address that changes more often than so many times within this time is disputed. */
const MAX_CHANGES = 4;
const CHANGES_MS = 10_000;

interface Known {
  readonly device: string;
  readonly address: string;
  mac: string;
  /** The last MAC that had it and was a router whose frames came; null: none so far. */
  proven: string | null;
  changes: number;
  sinceMs: number;
}

/** What a report of the neighbour table changed. */
export interface Claim {
  /** The MAC that had the address before; null: it is new, or was there already. */
  readonly from: string | null;
  /** The address changed so often lately that its last holder says little. */
  readonly isDisputed: boolean;
}

/**
 * Which MAC has which address, by the neighbour table. What is not resolved any more stays, so that the next claim of
 * the address is seen as a move. Bounded; a flood of forged addresses does not displace those of routers.
 */
export class KnownAddresses {
  readonly #known = new Map<string, Known>();
  readonly #isProven: (device: string, mac: string) => boolean;
  readonly #nowMs: () => number;

  /** @param isProven frames of VPN flows came from this MAC */
  constructor(isProven: (device: string, mac: string) => boolean, nowMs: () => number) {
    this.#isProven = isProven;
    this.#nowMs = nowMs;
  }

  /** The MAC that has an address; null: not known. */
  macOf(device: string, address: string): string | null {
    return this.#known.get(`${device} ${address}`)?.mac ?? null;
  }

  /** The addresses at a MAC. */
  at(device: string, mac: string): string[] {
    return [...this.#known.values()].flatMap((known) =>
      known.device === device && known.mac === mac ? [known.address] : [],
    );
  }

  /** The last MAC that had an address and had proved to be a router; null: none, or it has it. */
  provenHolder(device: string, address: string): string | null {
    const known = this.#known.get(`${device} ${address}`);
    return known === undefined || known.proven === known.mac ? null : known.proven;
  }

  /** Takes a report; null if it says nothing new. */
  note({ device, address }: NeighbourState, mac: string): Claim | null {
    const key = `${device} ${address}`;
    const known = this.#known.get(key);
    if (known?.mac === mac) return null;
    if (known === undefined) {
      this.#known.set(key, { device, address, mac, proven: null, changes: 0, sinceMs: this.#nowMs() });
      this.#forgetOne();
      return { from: null, isDisputed: false };
    }
    const from = known.mac;
    if (this.#isProven(device, from)) known.proven = from;
    known.mac = mac;
    if (this.#nowMs() - known.sinceMs > CHANGES_MS) Object.assign(known, { changes: 0, sinceMs: this.#nowMs() });
    known.changes += 1;
    // The latest change is the last to be forgotten.
    this.#known.delete(key);
    this.#known.set(key, known);
    return { from, isDisputed: known.changes > MAX_CHANGES };
  }

  /** A router proved alive: it has every address that was last its own. */
  restore(device: string, mac: string): void {
    for (const known of this.#known.values()) if (known.device === device && known.proven === mac) known.mac = mac;
  }

  removeDevice(device: string): void {
    for (const [key, known] of this.#known) if (known.device === device) this.#known.delete(key);
  }

  #forgetOne(): void {
    if (this.#known.size <= MAX_ADDRESSES) return;
    let looked = 0;
    let [victim] = this.#known.keys();
    for (const [key, { device, mac }] of this.#known) {
      looked += 1;
      if (looked > MAX_KEPT) break;
      if (this.#isProven(device, mac)) continue;
      victim = key;
      break;
    }
    if (victim !== undefined) this.#known.delete(victim);
  }
}
