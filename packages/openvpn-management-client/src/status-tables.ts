import type { ClientAddress } from './client-address.js';
import { detach } from './text.js';
import type { StatusClient, StatusRoute, StatusSnapshot } from './status.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A client's row; its addresses may be incomplete until its routes are known. */
export type ClientRow = Mutable<Omit<StatusClient, 'addresses' | 'subnets'>> & {
  addresses: ClientAddress[];
  subnets: ClientAddress[];
};

export type StatusHead = Pick<StatusSnapshot, 'format' | 'daemonMode' | 'title' | 'timeSeconds' | 'isDcoEnabled'>;

/** Shared by all that have none: thousands of empty lists would be most of a snapshot. Never added to in place. */
export const NO_ADDRESSES: ClientAddress[] = [];

/** How many rows that cannot be read are kept, and how much of each: enough to see what it is. */
const MAX_UNREAD = 20;
const MAX_UNREAD_LENGTH = 512;

/** Clients of one real address by their names; null for a name that two have. */
type Namesakes = Map<string | undefined, ClientRow | null>;

/** Both tables of `status` while they come in, and which client a route belongs to. */
export class StatusTables {
  readonly #clients: ClientRow[] = [];
  readonly #routes: StatusRoute[] = [];
  readonly #unread: string[] = [];
  /** A real address is unique unless the port is missing; then the name tells clients apart, or nothing does. */
  readonly #byRealAddress = new Map<string, ClientRow | Namesakes>();

  addClient(client: ClientRow): void {
    this.#clients.push(client);
    const known = this.#byRealAddress.get(client.realAddressText);
    if (known === undefined) this.#byRealAddress.set(client.realAddressText, client);
    else if (known instanceof Map) known.set(client.commonName, known.has(client.commonName) ? null : client);
    else {
      const isTwin = known.commonName === client.commonName;
      this.#byRealAddress.set(
        client.realAddressText,
        new Map([
          [known.commonName, isTwin ? null : known],
          ...(isTwin ? [] : [[client.commonName, client] as const]),
        ]),
      );
    }
  }

  addRoute(route: StatusRoute): void {
    this.#routes.push(route);
  }

  /** Takes what a row is of that cannot be read; no counters and times, so that it is the same in every status. */
  addUnread(...columns: readonly string[]): void {
    if (this.#unread.length < MAX_UNREAD) this.#unread.push(detach(columns.join('\t').slice(0, MAX_UNREAD_LENGTH)));
  }

  /**
   * A client with this real address among the rows so far, whatever its name: so that its route can share the texts.
   */
  someClientAt(realAddressText: string): ClientRow | undefined {
    const known = this.#byRealAddress.get(realAddressText);
    return known instanceof Map ? undefined : known;
  }

  /** Gives each route to its client, once, after the last row. */
  snapshot(head: StatusHead): StatusSnapshot {
    const unassignedRoutes: StatusRoute[] = [];
    for (const route of this.#routes) {
      const client = this.#ownerOf(route);
      if (client === null) unassignedRoutes.push(route);
      else if (route.address !== undefined && !route.isCached) assign(head.format, client, route.address);
    }
    for (const client of this.#clients) client.hasAddress = client.addresses.length + client.subnets.length > 0;
    return { ...head, clients: this.#clients, routes: this.#routes, unassignedRoutes, unread: this.#unread };
  }

  #ownerOf({ realAddressText, commonName }: StatusRoute): ClientRow | null {
    const known = this.#byRealAddress.get(realAddressText);
    if (known === undefined) return null;
    if (known instanceof Map) return known.get(commonName) ?? null;
    return known.commonName === commonName ? known : null;
  }
}

function assign(format: 1 | 3, client: ClientRow, address: ClientAddress): void {
  if (client.addresses.some(({ cidr }) => cidr === address.cidr)) return;
  // `status 1` has no virtual address columns: a host route is the client's own, as far as one can tell.
  if (format === 1 && address.prefixLength === (address.family === 4 ? 32 : 128))
    client.addresses = added(client.addresses, address);
  else client.subnets = added(client.subnets, address);
}

function added(list: ClientAddress[], address: ClientAddress): ClientAddress[] {
  if (list.length === 0) return [address];
  list.push(address);
  return list;
}
