import type { FlowPair } from '../sidecar/web/flow-page.js';
import type { Measured, Rate } from '../sidecar/live/measure.js';
import { total } from './format.js';

/** A box of the picture. */
export interface Box {
  readonly key: string;
  readonly title: string;
  readonly detail: string;
  /** Beside the title. */
  readonly note: string;
  /** A state of a gateway, or `client`, or `fold` of several. */
  readonly look: 'active' | 'known' | 'moved' | 'down' | 'client' | 'fold';
  readonly rate: Rate;
  readonly y: number;
}

/** Flows between two boxes. */
export interface Line {
  readonly from: string;
  readonly to: string;
  readonly flows: number;
}

/** What is drawn, from top to bottom on each side. */
export interface Topology {
  readonly gateways: readonly Box[];
  readonly clients: readonly Box[];
  readonly lines: readonly Line[];
  readonly links: readonly string[];
  readonly tunnels: readonly string[];
  readonly height: number;
}

/** More than these are folded into one box: the busiest stay. */
export const MAX_GATEWAYS = 12;
export const MAX_CLIENTS = 20;
export const BOX_HEIGHT = 46;
const PITCH = BOX_HEIGHT + 12;
const MARGIN = 8;
export const FOLD = 'fold';

interface Wish extends Omit<Box, 'y'> {
  readonly order: string;
}

/** Where everything is. Those that are shown keep their order while rates change. Pure. */
export function topologyOf(measured: Measured, pairs: readonly FlowPair[]): Topology {
  const { document } = measured;
  const gateways = folded(
    measured.gateways.map(({ key, gateway, rate }) => ({
      key,
      title: gateway.mac,
      detail: [gateway.device, ...gateway.addresses.slice(0, 1)].join(', '),
      note: gateway.id === document.uplink ? 'uplink' : '',
      look: gateway.state,
      rate,
      order: `${gateway.device} ${String(gateway.id).padStart(10, '0')}`,
    })),
    MAX_GATEWAYS,
    'gateways',
  );
  const clients = folded(
    measured.clients.map(({ key, client, rate }) => ({
      key,
      title: client.commonName,
      detail: client.addresses.join(' '),
      note: '',
      look: 'client' as const,
      rate,
      order: `${client.commonName} ${key}`,
    })),
    MAX_CLIENTS,
    'clients',
  );
  const rows = Math.max(gateways.length, clients.length, 2);
  const height = rows * PITCH + 2 * MARGIN;
  return {
    gateways: placed(gateways, height),
    clients: placed(clients, height),
    lines: linesOf(pairs, gateways, clients),
    links: unique(document.gateways.map(({ device }) => device)),
    tunnels: unique([
      ...document.servers.flatMap(({ device }) => device ?? []),
      ...(document.sources ?? []).flatMap(({ name, state }) => (state === 'ready' ? name : [])),
    ]),
    height,
  };
}

function folded(wishes: readonly Wish[], max: number, noun: string): readonly Wish[] {
  const sorted = wishes.toSorted((a, b) => (a.order < b.order ? -1 : 1));
  if (wishes.length <= max) return sorted;
  const busiest = new Set(
    sorted
      .toSorted((a, b) => total(b.rate) - total(a.rate))
      .slice(0, max - 1)
      .map(({ key }) => key),
  );
  const rest = sorted.filter(({ key }) => !busiest.has(key));
  const sum = (direction: keyof Rate): number => rest.reduce((all, { rate }) => all + (rate[direction] ?? 0), 0);
  return [
    ...sorted.filter(({ key }) => busiest.has(key)),
    {
      key: FOLD,
      title: `${rest.length.toLocaleString('en')} more ${noun}`,
      detail: 'see the table',
      note: '',
      look: 'fold',
      rate: { received: sum('received'), sent: sum('sent') },
      order: '',
    },
  ];
}

/** In the middle of the height. */
function placed(wishes: readonly Wish[], height: number): readonly Box[] {
  const top = (height - wishes.length * PITCH) / 2 + (PITCH - BOX_HEIGHT) / 2;
  return wishes.map((wish, row) => ({ ...wish, y: top + row * PITCH }));
}

function linesOf(pairs: readonly FlowPair[], gateways: readonly Wish[], clients: readonly Wish[]): readonly Line[] {
  const [shownGateways, shownClients] = [gateways, clients].map((boxes) => new Set(boxes.map(({ key }) => key)));
  const lines = new Map<string, Line>();
  for (const { gateway, client, flows } of pairs) {
    const from = shownGateways?.has(String(gateway)) === true ? String(gateway) : FOLD;
    const to = client !== null && shownClients?.has(client) !== true ? FOLD : client;
    if (to === null || (from === FOLD && shownGateways?.has(FOLD) !== true)) continue;
    if (to === FOLD && shownClients?.has(FOLD) !== true) continue;
    const key = `${from} ${to}`;
    lines.set(key, { from, to, flows: (lines.get(key)?.flows ?? 0) + flows });
  }
  return [...lines.values()];
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].toSorted();
}
