import type {
  Cid,
  ClientAddress,
  Environment,
  Notification,
  StatusClient,
  StatusSnapshot,
} from 'openvpn-management-client';
import { cidsOf, canBeNamed, subnetsOf } from './status-rows.js';

/** One OpenVPN session, identified permanently by (epoch, CID). */
export interface Session {
  readonly epoch: number;
  readonly cid: Cid;
  readonly commonName: string;
  readonly realAddress: string | null;
  /** By `address/prefixLength`. */
  readonly addresses: ReadonlyMap<string, ClientAddress>;
  readonly since: Date;
  /** What it sent and got, as the latest snapshot counts; null before the first that names it. */
  readonly traffic: SessionTraffic | null;
  /** Grows whenever one of the other fields may have changed. */
  readonly revision: number;
}

/** Bytes inside the tunnel's packets, since the session began. */
export interface SessionTraffic {
  /** From the client. */
  readonly received: number;
  /** To the client. */
  readonly sent: number;
  /** When OpenVPN counted. */
  readonly at: Date;
}

/** Where in the stream something was said. */
export interface Position {
  readonly epoch: number;
  /** Grows with every message of a connection. */
  readonly seq: number;
}

export type SessionChange =
  /** The session got its first address, or is established. */
  | { readonly kind: 'connected'; readonly session: Session }
  | { readonly kind: 'address-added'; readonly session: Session; readonly address: ClientAddress }
  | { readonly kind: 'address-removed'; readonly session: Session; readonly address: ClientAddress }
  /** After `address-removed` for each of its addresses. */
  | { readonly kind: 'gone'; readonly session: Session; readonly why: GoneReason };

/** `resync`: a snapshot does not have it any more. `epoch`: OpenVPN restarted. */
export type GoneReason = 'disconnect' | 'resync' | 'epoch' | 'retired';

interface Entry extends Session {
  commonName: string;
  username: string;
  realAddress: string | null;
  since: Date;
  traffic: { received: number; sent: number; at: Date } | null;
  readonly addresses: Map<string, ClientAddress>;
  isConnected: boolean;
  revision: number;
  /** The latest event that named this CID; a snapshot that is older says nothing of it. */
  seq: number;
}

/** How many CIDs of former clients are remembered: only those whose last messages may still arrive matter. */
const MAX_GONE = 4096;

/**
 * Who is connected to one OpenVPN process: events and snapshots in, changes out. No I/O and no clock.
 *
 * Messages may come in any order that OpenVPN was seen to use: ESTABLISHED after DISCONNECT for a client that was
 * rejected, the old session's DISCONNECT after the new one's ADDRESS, no DISCONNECT at all without
 * `--management-client-auth`.
 */
export class SessionTable {
  readonly #entries = new Map<Cid, Entry>();
  readonly #gone = new Set<Cid>();
  #epoch = 0;

  /** Sessions that are connected, in the order of arrival. */
  *list(): IterableIterator<Session> {
    for (const entry of this.#entries.values()) if (entry.isConnected) yield entry;
  }

  /** How many sessions are connected. */
  get size(): number {
    let size = 0;
    for (const entry of this.#entries.values()) if (entry.isConnected) size += 1;
    return size;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Takes one message in wire order. Messages that say nothing of sessions change nothing. */
  handle(message: Notification, at: Position, now: Date): SessionChange[] {
    const ended = this.#enterEpoch(at.epoch);
    const changes = this.#take(message, at, now);
    return ended.length === 0 ? changes : [...ended, ...changes];
  }

  /**
   * Takes a snapshot (`status 3`), which is right about every client that no later event named.
   *
   * @param at the place of the snapshot's last line in the stream
   */
  snapshot(snapshot: StatusSnapshot, at: Position, now: Date): SessionChange[] {
    const changes = this.#enterEpoch(at.epoch);
    const connected = new Set<Cid>();
    const waiting = new Set<Cid>();
    const cidOf = cidsOf(snapshot, this.#entries.values());
    const subnets = subnetsOf(snapshot, cidOf, (cid, cidr) => this.#entries.get(cid)?.addresses.has(cidr) === true);
    for (const client of snapshot.clients) {
      const cid = cidOf(client);
      const behind = subnets(client);
      // A client that has not logged in yet has no routes; a client may have subnets and no address.
      const hasRoute = client.addresses.length + behind.length > 0;
      (hasRoute ? connected : waiting).add(cid);
      const known = this.#entries.get(cid);
      if (!hasRoute || this.#gone.has(cid) || (known !== undefined && known.seq > at.seq)) continue;
      // After a restart that was not seen, another client has this CID.
      if (known !== undefined && !canBeNamed(known, client)) changes.push(...this.#remove(cid, 'resync'));
      changes.push(...this.#takeRow(cid, client, behind, at, now));
    }
    for (const [cid, entry] of this.#entries) {
      const isStillThere = connected.has(cid) || (waiting.has(cid) && !entry.isConnected);
      if (!isStillThere && entry.seq <= at.seq) changes.push(...this.#remove(cid, 'resync'));
    }
    return changes;
  }

  /** All sessions ended: the process ended, or the tunnel device is gone. */
  clear(why: GoneReason): SessionChange[] {
    this.#gone.clear();
    return [...this.#entries.keys()].flatMap((cid) => this.#remove(cid, why));
  }

  /** A new connection: no message about a client that is gone is on its way any more. */
  forgetGone(): void {
    this.#gone.clear();
  }

  #take(message: Notification, at: Position, now: Date): SessionChange[] {
    switch (message.kind) {
      case 'client:connect':
      case 'client:reauth': {
        if (this.#gone.has(message.cid)) return [];
        const replaced = this.#replace(message.cid, message.env);
        this.#describe(this.#touch(message.cid, at, now), message.env);
        return replaced;
      }
      case 'client:address':
        return this.#gone.has(message.cid) ? [] : this.#addAddress(this.#touch(message.cid, at, now), message.address);
      case 'client:established': {
        if (this.#gone.has(message.cid)) return [];
        const replaced = this.#replace(message.cid, message.env);
        const entry = this.#touch(message.cid, at, now);
        this.#describe(entry, message.env);
        // Without an address there is nothing to connect yet: OpenVPN says ESTABLISHED for rejected clients too.
        return [...replaced, ...(entry.addresses.size > 0 ? this.#connect(entry) : [])];
      }
      case 'client:disconnect':
        this.#rememberGone(message.cid);
        return this.#remove(message.cid, 'disconnect');
      default:
        return [];
    }
  }

  #enterEpoch(epoch: number): SessionChange[] {
    if (epoch === this.#epoch) return [];
    const changes = this.clear('epoch');
    this.#epoch = epoch;
    return changes;
  }

  /** After a restart that was not seen, another client has the CID of one that is connected. */
  #replace(cid: Cid, env: Environment): SessionChange[] {
    const known = this.#entries.get(cid);
    if (known?.isConnected !== true) return [];
    const told = { commonName: env.get('common_name'), username: env.get('username') };
    return canBeNamed(known, told) ? [] : this.#remove(cid, 'epoch');
  }

  /** The entry to be changed: whatever changes one comes by here first. */
  #touch(cid: Cid, at: Position, now: Date): Entry {
    const known = this.#entries.get(cid);
    if (known !== undefined) {
      known.seq = at.seq;
      known.revision += 1;
      return known;
    }
    const entry: Entry = {
      epoch: at.epoch,
      cid,
      commonName: '',
      username: '',
      realAddress: null,
      addresses: new Map(),
      since: now,
      traffic: null,
      isConnected: false,
      revision: 0,
      seq: at.seq,
    };
    this.#entries.set(cid, entry);
    return entry;
  }

  #takeRow(
    cid: Cid,
    client: StatusClient,
    subnets: readonly ClientAddress[],
    at: Position,
    now: Date,
  ): SessionChange[] {
    const entry = this.#touch(cid, at, now);
    entry.commonName = client.commonName ?? entry.commonName;
    entry.username = client.username ?? entry.username;
    entry.realAddress = client.realAddressText === '' ? entry.realAddress : client.realAddressText;
    const sinceMs = (client.connectedSinceSeconds ?? 0) * 1000;
    if (sinceMs > 0 && sinceMs !== entry.since.getTime()) entry.since = new Date(sinceMs);
    const [received, sent] = [Number(client.bytesReceived), Number(client.bytesSent)];
    if (entry.traffic === null) entry.traffic = { received, sent, at: now };
    else Object.assign(entry.traffic, { received, sent, at: now });
    // Most rows say what is known: of ten thousand, a snapshot that changes nothing should make no garbage.
    const rows = [client.addresses, subnets];
    const count = client.addresses.length + subnets.length;
    if (
      count === entry.addresses.size &&
      rows.every((addresses) => addresses.every(({ cidr }) => entry.addresses.has(cidr)))
    )
      return this.#connect(entry);
    const wanted = new Map(rows.flat().map((address) => [address.cidr, address]));
    const changes = [...wanted.values()].flatMap((address) => this.#addAddress(entry, address));
    for (const address of entry.addresses.values()) {
      if (wanted.has(address.cidr)) continue;
      entry.addresses.delete(address.cidr);
      changes.push({ kind: 'address-removed', session: entry, address });
    }
    return changes;
  }

  #addAddress(entry: Entry, address: ClientAddress): SessionChange[] {
    if (entry.addresses.has(address.cidr)) return [];
    entry.addresses.set(address.cidr, address);
    return [...this.#connect(entry), { kind: 'address-added', session: entry, address }];
  }

  #connect(entry: Entry): SessionChange[] {
    if (entry.isConnected) return [];
    entry.isConnected = true;
    return [{ kind: 'connected', session: entry }];
  }

  #remove(cid: Cid, why: GoneReason): SessionChange[] {
    const entry = this.#entries.get(cid);
    if (entry === undefined) return [];
    this.#entries.delete(cid);
    if (!entry.isConnected) return [];
    const changes: SessionChange[] = [...entry.addresses.values()].map((address) => ({
      kind: 'address-removed',
      session: entry,
      address,
    }));
    changes.push({ kind: 'gone', session: entry, why });
    return changes;
  }

  #rememberGone(cid: Cid): void {
    this.#gone.add(cid);
    const [oldest] = this.#gone;
    if (this.#gone.size > MAX_GONE && oldest !== undefined) this.#gone.delete(oldest);
  }

  /**
   * `common_name` is not there yet in the CONNECT of a client without a certificate; the port is missing in none. What
   * CONNECT told is not looked for again in ESTABLISHED: each look searches the whole block.
   */
  #describe(entry: Entry, env: Environment): void {
    entry.commonName =
      env.get('common_name') ?? (entry.commonName === '' ? (env.get('username') ?? '') : entry.commonName);
    if (entry.username === '') entry.username = env.get('username') ?? '';
    if (entry.realAddress === null) {
      const address =
        env.get('trusted_ip') ?? env.get('untrusted_ip') ?? env.get('trusted_ip6') ?? env.get('untrusted_ip6');
      const port = env.get('trusted_port') ?? env.get('untrusted_port');
      if (address !== undefined && port !== undefined)
        entry.realAddress = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    }
    const seconds = Number(env.get('time_unix'));
    if (seconds > 0) entry.since = new Date(seconds * 1000);
  }
}
