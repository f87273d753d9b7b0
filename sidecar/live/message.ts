/**
 * What the sidecar sends to whoever watches it: the whole status once, then what changed. Pure, and free of Node, so
 * that a browser reads it too.
 */
import type { ClientStatus, GatewayStatus, StatusDocument } from '../status.js';

/** Members of a list that are new or changed, and the keys of those that are gone. */
export interface ListChange<Member> {
  readonly changed: readonly Member[];
  readonly gone: readonly string[];
}

/** One look at the sidecar. */
export type LiveMessage =
  | { readonly kind: 'snapshot'; readonly atMs: number; readonly document: StatusDocument }
  | {
      readonly kind: 'change';
      /** When the sidecar looked, milliseconds since 1970 by its clock; it looks even when nothing changes. */
      readonly atMs: number;
      /** Fields of the document with another value; clients and gateways are not among them. */
      readonly fields: Partial<Omit<StatusDocument, 'clients' | 'gateways'>>;
      readonly clients: ListChange<ClientStatus>;
      readonly gateways: ListChange<GatewayStatus>;
    };

/** What a viewer knows after a message. */
export interface Look {
  readonly atMs: number;
  readonly document: StatusDocument;
}

/** Unique among the clients of a document. */
export function clientKey({ management, epoch, cid }: ClientStatus): string {
  return `${management ?? ''} ${epoch} ${cid}`;
}

/** Unique among the gateways of a document. */
export function gatewayKey({ id }: GatewayStatus): string {
  return String(id);
}

/**
 * Finds what changed between documents. A client that did not change has to be the same object as in the last one; the
 * rest is compared by what it says.
 */
export class StatusDifference {
  readonly #fields = new Map<string, string | undefined>();
  readonly #clients = new ListDifference(clientKey, () => false);
  readonly #gateways = new ListDifference(
    gatewayKey,
    (gateway, last) => JSON.stringify(gateway) === JSON.stringify(last),
  );

  /** The difference to the last document; the first time, all of it. */
  take(document: StatusDocument): Omit<LiveMessage & { kind: 'change' }, 'kind' | 'atMs'> {
    const { clients, gateways, ...rest } = document;
    const fields: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(rest)) {
      const text = JSON.stringify(value);
      if (this.#fields.get(name) === text) continue;
      this.#fields.set(name, text);
      fields[name] = value;
    }
    return {
      fields,
      clients: this.#clients.take(clients),
      gateways: this.#gateways.take(gateways),
    };
  }
}

class ListDifference<Member> {
  readonly #keyOf: (member: Member) => string;
  readonly #saysSame: (member: Member, last: Member) => boolean;
  readonly #known = new Map<string, Member>();
  #last: readonly Member[] = [];

  /** @param saysSame whether another object with the same key says the same */
  constructor(keyOf: (member: Member) => string, saysSame: (member: Member, last: Member) => boolean) {
    this.#keyOf = keyOf;
    this.#saysSame = saysSame;
  }

  take(members: readonly Member[]): ListChange<Member> {
    const changed: Member[] = [];
    for (const [index, member] of members.entries()) {
      // Of ten thousand, most are what and where they were.
      if (member === this.#last[index]) continue;
      const key = this.#keyOf(member);
      const last = this.#known.get(key);
      if (last === member) continue;
      this.#known.set(key, member);
      if (last === undefined || !this.#saysSame(member, last)) changed.push(member);
    }
    this.#last = members;
    return { changed, gone: this.#known.size === members.length ? [] : this.#forgetGone(members) };
  }

  #forgetGone(members: readonly Member[]): readonly string[] {
    const keys = new Set(members.map(this.#keyOf));
    const gone = [...this.#known.keys()].filter((key) => !keys.has(key));
    for (const key of gone) this.#known.delete(key);
    return gone;
  }
}

/**
 * What a viewer knows after one more message.
 *
 * @param look null before the first, which is a snapshot
 * @returns null if a change comes before any snapshot
 */
export function afterMessage(look: Look | null, message: LiveMessage): Look | null {
  const { atMs } = message;
  if (message.kind === 'snapshot') return { atMs, document: message.document };
  if (look === null) return null;
  const { document } = look;
  return {
    atMs,
    document: {
      ...document,
      ...message.fields,
      clients: afterChange(document.clients, message.clients, clientKey),
      gateways: afterChange(document.gateways, message.gateways, gatewayKey),
    },
  };
}

/** Members keep their places; new ones come last. The list itself if nothing changed. */
function afterChange<Member>(
  members: readonly Member[],
  { changed, gone }: ListChange<Member>,
  keyOf: (member: Member) => string,
): readonly Member[] {
  if (changed.length === 0 && gone.length === 0) return members;
  const list = new Map(members.map((member) => [keyOf(member), member]));
  for (const key of gone) list.delete(key);
  for (const member of changed) list.set(keyOf(member), member);
  return [...list.values()];
}

/** As an event of `text/event-stream`. */
export function formatMessage({ kind, ...data }: LiveMessage): string {
  return `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
}
