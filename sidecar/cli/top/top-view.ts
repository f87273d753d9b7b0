import { printable } from '../../log/printable.js';
import { formatBytes } from '../../live/format-bytes.js';
import type { GatewayState } from '../../status.js';
import { formatDuration } from '../duration.js';
import { connectedPeers } from '../source-views.js';
import { type Cell, type Colour, cutLine, formatTable, paint } from '../table.js';
import type { Measured, MeasuredClient, MeasuredGateway } from '../../live/measure.js';
import { ORDERS, sortedClients, sortedGateways } from './order.js';
import { TOP_KEYS, type TableName, type TopExtent, type TopState } from './top-state.js';

export interface TopSize {
  readonly rows: number;
  readonly columns: number;
}

export interface TopScreen {
  readonly lines: readonly string[];
  readonly extent: TopExtent;
}

const GATEWAY_COLOURS: Readonly<Record<GatewayState, Colour>> = {
  active: 'green',
  known: 'none',
  moved: 'yellow',
  down: 'red',
};
/** Lines around the tables: two of summary, two headings and headers, a blank line between, the keys. */
const FRAME_ROWS = 8;
/** Below this height, only the table of the focus is shown. */
const LOW_ROWS = 14;

/**
 * Everything that `gwmark top` shows, at most one line per row and as wide as the terminal. Pure.
 *
 * @param fault why the sidecar does not answer now; null while it does
 */
export function topScreen(
  measured: Measured,
  state: TopState,
  size: TopSize,
  options: { readonly hasColours: boolean; readonly nowMs: number; readonly fault: string | null },
): TopScreen {
  const { hasColours } = options;
  const clients = sortedClients(measured.clients, state.order, state.isReversed, state.filters.clients);
  const gateways = sortedGateways(measured.gateways, state.order, state.isReversed, state.filters.gateways);
  const pages = pagesOf(size.rows, state.focus, gateways.length);
  const extent = { pages, counts: { clients: clients.length, gateways: gateways.length } };
  const head = [summary(measured, options), notice(measured, options)];
  const blocks = state.isHelpShown
    ? [helpLines(hasColours)]
    : (['gateways', 'clients'] as const)
        .filter((name) => pages[name] > 0)
        .map((name) => {
          const offset = Math.max(0, Math.min(state.offsets[name], extent.counts[name] - pages[name]));
          const end = offset + pages[name];
          const table =
            name === 'clients'
              ? clientsTable(clients.slice(offset, end), options)
              : gatewaysTable(gateways.slice(offset, end), measured.document.uplink, hasColours);
          return [heading(name, offset, measured, state, extent, hasColours), ...table];
        });
  const body = [...head, ...blocks.flatMap((block) => ['', ...block])].slice(0, size.rows - 1);
  const lines = [...body, ...Array<string>(Math.max(0, size.rows - 1 - body.length)).fill(''), footer(state)];
  return { lines: lines.map((line) => cutLine(line, size.columns)), extent };
}

/** The same for `--once`: all rows, and no keys. */
export function topText(measured: Measured, state: TopState, hasColours: boolean, nowMs: number): string {
  const rows = measured.clients.length + measured.gateways.length + FRAME_ROWS + LOW_ROWS;
  const { lines } = topScreen(measured, state, { rows, columns: Infinity }, { hasColours, nowMs, fault: null });
  return `${lines.slice(0, -1).join('\n').replace('> clients', '  clients').trimEnd()}\n`;
}

/** How the rows are shared: gateways are few, and get a third at most. */
function pagesOf(rows: number, focus: TableName, gateways: number): Readonly<Record<TableName, number>> {
  if (rows < LOW_ROWS) {
    const page = Math.max(0, rows - FRAME_ROWS + 2);
    return focus === 'clients' ? { clients: page, gateways: 0 } : { clients: 0, gateways: page };
  }
  const room = rows - FRAME_ROWS - 1;
  const forGateways = Math.max(1, Math.min(gateways, Math.floor(room / 3)));
  return { gateways: forGateways, clients: room - forGateways };
}

function summary(
  { document }: Measured,
  { hasColours, nowMs }: { readonly hasColours: boolean; readonly nowMs: number },
): string {
  const { version, ready, datapath, firewall, clients, gateways, uplink, startedAt } = document;
  return [
    `gwmark ${printable(version)}`,
    ready ? paint('ready', 'green', hasColours) : paint('not ready', 'red', hasColours),
    `${datapath}, ${firewall}`,
    `${clients.length} clients`,
    ...connectedPeers(document),
    `${gateways.length} gateways`,
    uplink === null ? 'no uplink' : `uplink ${uplink}`,
    `for ${formatDuration(nowMs - Date.parse(startedAt))}`,
  ].join('  ');
}

/** What needs attention most: the sidecar is gone, a problem, packets that took the normal route now. */
function notice(
  { document, reasons, atMs }: Measured,
  {
    hasColours,
    nowMs,
    fault,
  }: { readonly hasColours: boolean; readonly nowMs: number; readonly fault: string | null },
): string {
  if (fault !== null)
    return paint(printable(`${fault}; shown: ${formatDuration(nowMs - atMs)} ago`), 'red', hasColours);
  const [problem] = document.problems;
  if (problem !== undefined) return paint(printable(problem), 'red', hasColours);
  const now = reasons.filter(({ perSecond }) => perSecond !== null && perSecond > 0);
  if (now.length === 0) return '';
  const texts = now.map(({ reason, perSecond }) => `${reason} ${Math.max(1, Math.round(perSecond ?? 0))}/s`);
  return paint(printable(`took the normal route: ${texts.join(', ')}`), 'yellow', hasColours);
}

function heading(
  name: TableName,
  offset: number,
  measured: Measured,
  state: TopState,
  { pages, counts }: TopExtent,
  hasColours: boolean,
): string {
  const count = counts[name];
  const filter = state.filters[name];
  const all = measured[name].length;
  const parts = [
    `${name === state.focus ? '>' : ' '} ${name}: ${count}${filter === '' ? '' : ` of ${all} with "${printable(filter)}"`}`,
    ...(count > pages[name] ? [`rows ${offset + 1}-${offset + pages[name]}`] : []),
    ...(name === 'clients' ? [`by ${ORDERS[state.order]}${state.isReversed ? ', reversed' : ''}`] : []),
  ];
  return paint(parts.join(', '), name === state.focus ? 'bold' : 'none', hasColours);
}

function clientsTable(
  rows: readonly MeasuredClient[],
  { hasColours, nowMs }: { readonly hasColours: boolean; readonly nowMs: number },
): readonly string[] {
  const columns = [
    left('NAME', rows, ({ client }) => client.commonName),
    right('IN/S', rows, ({ rate }) => bytes(rate.received)),
    right('OUT/S', rows, ({ rate }) => bytes(rate.sent)),
    right('IN', rows, ({ client }) => bytes(client.traffic?.received ?? null)),
    right('OUT', rows, ({ client }) => bytes(client.traffic?.sent ?? null)),
    right('CONNECTED', rows, ({ client }) => formatDuration(nowMs - Date.parse(client.since))),
    left('ADDRESSES', rows, ({ client }) => client.addresses.join(' ')),
    left('REAL ADDRESS', rows, ({ client }) => client.realAddress ?? ''),
  ];
  return tableOf(columns, rows.length, hasColours);
}

function gatewaysTable(
  rows: readonly MeasuredGateway[],
  uplink: number | null,
  hasColours: boolean,
): readonly string[] {
  const columns = [
    right('ID', rows, ({ gateway }) => String(gateway.id)),
    left('DEVICE', rows, ({ gateway }) => gateway.device),
    left('MAC', rows, ({ gateway }) => gateway.mac),
    left('STATE', rows, ({ gateway }) => ({
      text: gateway.id === uplink ? `${gateway.state}, uplink` : gateway.state,
      colour: GATEWAY_COLOURS[gateway.state],
    })),
    right('IN/S', rows, ({ rate }) => bytes(rate.received)),
    right('OUT/S', rows, ({ rate }) => bytes(rate.sent)),
    right('IN', rows, ({ gateway }) => bytes(gateway.received?.bytes ?? null)),
    right('OUT', rows, ({ gateway }) => bytes(gateway.sent?.bytes ?? null)),
    right('MOVES', rows, ({ gateway }) => String(gateway.moves)),
    left('ADDRESSES', rows, ({ gateway }) => gateway.addresses.join(' ')),
  ];
  return tableOf(columns, rows.length, hasColours);
}

interface Column {
  readonly header: string;
  readonly cells: readonly (string | Cell)[];
}

function tableOf(columns: readonly Column[], count: number, hasColours: boolean): readonly string[] {
  const rows = Array.from({ length: count }, (_, row) => columns.map(({ cells }) => cells[row] ?? ''));
  const text = formatTable(
    columns.map(({ header }) => header),
    rows,
    hasColours,
  );
  return text.trimEnd().split('\n');
}

function left<Row>(header: string, rows: readonly Row[], text: (row: Row) => string | Cell): Column {
  return { header, cells: rows.map(text) };
}

function right<Row>(header: string, rows: readonly Row[], text: (row: Row) => string): Column {
  const texts = rows.map((row) => text(row) || '-');
  const width = Math.max(header.length, ...texts.map(({ length }) => length));
  return { header: header.padStart(width), cells: texts.map((cell) => cell.padStart(width)) };
}

function bytes(count: number | null): string {
  return count === null ? '' : formatBytes(count);
}

function helpLines(hasColours: boolean): readonly string[] {
  return [
    paint('keys', 'bold', hasColours),
    ...TOP_KEYS.map(([keys, meaning]) => `  ${keys.padEnd(28)}${meaning}`),
    '',
    `  IN and OUT are bytes that the endpoint received and sent. Those of clients are OpenVPN's or WireGuard's counters, which`,
    `  gwmark reads every two seconds or less often; those of gateways are read from the kernel every second.`,
  ];
}

function footer({ isTyping, isPaused, isHelpShown, focus, filters }: TopState): string {
  if (isTyping) return `filter of ${focus}: ${printable(filters[focus])}_`;
  if (isHelpShown) return 'any key: back';
  return `${isPaused ? 'PAUSED, Space continues  ' : ''}q quit  / filter  s sort  r reverse  Tab table  ? help`;
}
