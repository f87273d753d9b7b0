import type { MeasuredClient, MeasuredGateway, Rate } from '../../live/measure.js';

/** What `gwmark top` sorts by, and how it is called. */
export const ORDERS = {
  rate: 'rate, the fastest first',
  name: 'name',
  received: 'bytes received, the most first',
  sent: 'bytes sent, the most first',
  connected: 'time connected, the longest first',
} as const;

export type Order = keyof typeof ORDERS;

const NAMES = new Intl.Collator('en', { numeric: true });

interface Sortable {
  readonly name: string;
  readonly rate: number;
  readonly received: number;
  readonly sent: number;
  /** ISO 8601; the same for all where there is none. */
  readonly since: string;
}

/** Clients in this order; those that are equal by name. Leaves out those that do not have the text. */
export function sortedClients(
  clients: readonly MeasuredClient[],
  order: Order,
  isReversed: boolean,
  filter: string,
): readonly MeasuredClient[] {
  const wanted = clients.filter(({ client }) =>
    hasText(filter, [client.commonName, client.realAddress ?? '', client.management ?? '', ...client.addresses]),
  );
  return sorted(wanted, order, isReversed, ({ client, rate }) => ({
    name: client.commonName,
    rate: total(rate),
    received: client.traffic?.received ?? -1,
    sent: client.traffic?.sent ?? -1,
    since: client.since,
  }));
}

/** The same for gateways, of which the name is the id. */
export function sortedGateways(
  gateways: readonly MeasuredGateway[],
  order: Order,
  isReversed: boolean,
  filter: string,
): readonly MeasuredGateway[] {
  const wanted = gateways.filter(({ gateway }) =>
    hasText(filter, [gateway.device, gateway.mac, gateway.state, ...gateway.addresses]),
  );
  return sorted(wanted, order, isReversed, ({ gateway, rate }) => ({
    name: String(gateway.id),
    rate: total(rate),
    received: gateway.received?.bytes ?? -1,
    sent: gateway.sent?.bytes ?? -1,
    since: '',
  }));
}

function sorted<Row>(
  rows: readonly Row[],
  order: Order,
  isReversed: boolean,
  describe: (row: Row) => Sortable,
): readonly Row[] {
  const list = rows.map((row) => ({ row, ...describe(row) }));
  const sign = isReversed ? -1 : 1;
  list.sort((a, b) => sign * compare(a, b, order) || NAMES.compare(a.name, b.name));
  return list.map(({ row }) => row);
}

function compare(a: Sortable, b: Sortable, order: Order): number {
  if (order === 'name') return NAMES.compare(a.name, b.name);
  if (order === 'connected') return a.since < b.since ? -1 : a.since > b.since ? 1 : 0;
  return b[order] - a[order];
}

/** -1 where nothing is known, below everything that is. */
function total({ received, sent }: Rate): number {
  return received === null && sent === null ? -1 : (received ?? 0) + (sent ?? 0);
}

function hasText(filter: string, texts: readonly string[]): boolean {
  const wanted = filter.toLowerCase();
  return wanted === '' || texts.some((text) => text.toLowerCase().includes(wanted));
}
