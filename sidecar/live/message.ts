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

/** Finds what changed between documents. It keeps the text of each part of the last one. */
export class StatusDifference {
  readonly #fields = new Map<string, string | undefined>();
  readonly #clients = new ListDifference(clientKey);
  readonly #gateways = new ListDifference(gatewayKey);

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

/** A member as it was, and as text. */
interface Known<Member> {
  readonly member: Member;
  readonly text: string;
}

class ListDifference<Member> {
  readonly #keyOf: (member: Member) => string;
  #known = new Map<string, Known<Member>>();

  constructor(keyOf: (member: Member) => string) {
    this.#keyOf = keyOf;
  }

  take(members: readonly Member[]): ListChange<Member> {
    const changed: Member[] = [];
    const known = new Map<string, Known<Member>>();
    for (const member of members) {
      const key = this.#keyOf(member);
      const last = this.#known.get(key);
      // Its fields are read-only: the same object says the same.
      if (last?.member === member) {
        known.set(key, last);
        continue;
      }
      const text = JSON.stringify(member);
      known.set(key, { member, text });
      if (last?.text !== text) changed.push(member);
    }
    const gone = [...this.#known.keys()].filter((key) => !known.has(key));
    this.#known = known;
    return { changed, gone };
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
