import type { ComponentChildren, VNode } from 'preact';
import { useState } from 'preact/hooks';

import type { Measured, MeasuredClient, MeasuredGateway } from '../sidecar/live/measure.js';
import type { FlowPage } from '../sidecar/web/flow-page.js';
import { age, bytes, total } from './format.js';

const ROW_HEIGHT = 30;
/** Between columns, pixels; as in style.css. */
const GAP = 12;
/** Rows beyond those that are seen, so that scrolling shows no gap. */
const SPARE_ROWS = 10;
/** At most this many rows are seen at a time. */
const SEEN_ROWS = 60;

interface Column<Row> {
  readonly title: string;
  /** At least, in pixels. */
  readonly width: number;
  /** Its share of the width that is left; 0: none. */
  readonly share?: number;
  readonly isNumber?: boolean;
  readonly text: (row: Row) => string;
}

interface TableProps<Row> {
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row, index: number) => string;
  readonly empty: string;
  readonly onChoose?: (row: Row) => void;
}

/** A table that draws the rows in view alone, so that ten thousand cost as much as sixty. */
function Table<Row>({ columns, rows, keyOf, empty, onChoose }: TableProps<Row>): VNode {
  const [top, setTop] = useState(0);
  // Widths that do not depend on what is in a row: every row is a grid of its own.
  const style = {
    gridTemplateColumns: columns
      .map(({ width, share }) => (share === undefined ? `${width}px` : `minmax(${width}px, ${share}fr)`))
      .join(' '),
    minWidth: `${columns.reduce((all, { width }) => all + width + GAP, 0)}px`,
  };
  const first = Math.max(0, Math.min(Math.floor(top / ROW_HEIGHT) - SPARE_ROWS, rows.length - SEEN_ROWS));
  const seen = rows.slice(first, first + SEEN_ROWS + SPARE_ROWS);
  if (rows.length === 0) return <p class="soft">{empty}</p>;
  return (
    <div class="table" role="table" onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
      <div class="row head" role="row" style={style}>
        {columns.map(({ title, isNumber }) => (
          <span key={title} role="columnheader" class={isNumber === true ? 'number' : ''}>
            {title}
          </span>
        ))}
      </div>
      <div style={{ height: `${first * ROW_HEIGHT}px` }} />
      {seen.map((row, index) => (
        <div
          key={keyOf(row, first + index)}
          class={`row${onChoose === undefined ? '' : ' choice'}`}
          role="row"
          style={style}
          {...(onChoose === undefined ? {} : { tabIndex: 0, onClick: () => onChoose(row) })}
        >
          {columns.map(({ title, isNumber, text }) => (
            <span key={title} role="cell" class={isNumber === true ? 'number' : ''} title={text(row)}>
              {text(row)}
            </span>
          ))}
        </div>
      ))}
      <div style={{ height: `${Math.max(0, rows.length - first - seen.length) * ROW_HEIGHT}px` }} />
    </div>
  );
}

interface SearchedProps {
  readonly search: string;
}

/** Clients, the fastest first. */
export function ClientTable({ measured, search }: SearchedProps & { readonly measured: Measured }): VNode {
  const rows = measured.clients
    .filter(({ client }) => has(search, [client.commonName, client.realAddress ?? '', ...client.addresses]))
    .toSorted((a, b) => total(b.rate) - total(a.rate) || (a.client.commonName < b.client.commonName ? -1 : 1));
  const columns: readonly Column<MeasuredClient>[] = [
    { title: 'name', width: 110, share: 1.2, text: ({ client }) => client.commonName },
    { title: 'in/s', width: 80, isNumber: true, text: ({ rate }) => bytes(rate.received) },
    { title: 'out/s', width: 80, isNumber: true, text: ({ rate }) => bytes(rate.sent) },
    { title: 'addresses', width: 180, share: 3, text: ({ client }) => client.addresses.join(' ') },
    { title: 'in', width: 80, isNumber: true, text: ({ client }) => bytes(client.traffic?.received) },
    { title: 'out', width: 80, isNumber: true, text: ({ client }) => bytes(client.traffic?.sent) },
    {
      title: 'connected',
      width: 80,
      isNumber: true,
      text: ({ client }) => age(Date.parse(client.since), measured.atMs),
    },
    { title: 'from', width: 150, share: 1.5, text: ({ client }) => client.realAddress ?? '-' },
  ];
  return <Table columns={columns} rows={rows} keyOf={({ key }) => key} empty="no such client is connected" />;
}

/** Gateways, the fastest first. */
export function GatewayTable({ measured, search }: SearchedProps & { readonly measured: Measured }): VNode {
  const { uplink } = measured.document;
  const rows = measured.gateways
    .filter(({ gateway }) => has(search, [gateway.mac, gateway.device, gateway.state, ...gateway.addresses]))
    .toSorted((a, b) => total(b.rate) - total(a.rate) || a.gateway.id - b.gateway.id);
  const columns: readonly Column<MeasuredGateway>[] = [
    { title: 'id', width: 44, isNumber: true, text: ({ gateway }) => String(gateway.id) },
    { title: 'MAC', width: 150, text: ({ gateway }) => gateway.mac },
    { title: 'device', width: 90, text: ({ gateway }) => gateway.device },
    {
      title: 'state',
      width: 120,
      text: ({ gateway }) => `${gateway.state}${gateway.id === uplink ? ', uplink' : ''}`,
    },
    { title: 'in/s', width: 80, isNumber: true, text: ({ rate }) => bytes(rate.received) },
    { title: 'out/s', width: 80, isNumber: true, text: ({ rate }) => bytes(rate.sent) },
    { title: 'moves', width: 60, isNumber: true, text: ({ gateway }) => String(gateway.moves) },
    { title: 'addresses', width: 180, share: 2, text: ({ gateway }) => gateway.addresses.join(' ') },
  ];
  return <Table columns={columns} rows={rows} keyOf={({ key }) => key} empty="no such gateway is known" />;
}

export type ListedFlow = FlowPage['flows'][number];

/** Flows that have a gateway; one that is chosen is traced. */
export function FlowTable(
  props: SearchedProps & {
    readonly page: FlowPage;
    readonly measured: Measured;
    readonly onChoose: (flow: ListedFlow) => void;
  },
): VNode {
  const { page, measured, search, onChoose } = props;
  const macs = new Map(measured.gateways.map(({ gateway }) => [gateway.id, gateway.mac]));
  const names = new Map(measured.clients.map(({ key, client }) => [key, client.commonName]));
  const columns: readonly Column<ListedFlow>[] = [
    { title: 'protocol', width: 70, text: ({ protocol }) => protocol },
    { title: 'from', width: 170, share: 2, text: ({ original }) => end(original.source, original.sourcePort) },
    {
      title: 'to',
      width: 170,
      share: 2,
      text: ({ original }) => end(original.destination, original.destinationPort),
    },
    { title: 'client', width: 90, share: 1, text: ({ client }) => names.get(client ?? '') ?? '-' },
    {
      title: 'gateway',
      width: 150,
      text: ({ gateway }) => macs.get(gateway) ?? (gateway === 0 ? '-' : String(gateway)),
    },
    {
      title: 'bytes',
      width: 80,
      isNumber: true,
      text: ({ original, reply }) =>
        original.counted === null ? '-' : bytes(original.counted.bytes + (reply.counted?.bytes ?? 0)),
    },
  ];
  const rows = page.flows.filter((flow) =>
    has(
      search,
      columns.map(({ text }) => text(flow)),
    ),
  );
  return (
    <>
      <Table
        columns={columns}
        rows={rows}
        keyOf={(_flow, index) => String(index)}
        empty="no such flow has a gateway"
        onChoose={onChoose}
      />
      <Note>
        {page.isTruncated ? `The first ${page.flows.length} are shown. ` : ''}Choose a flow to trace it. Bytes are
        counted if the sysctl net.netfilter.nf_conntrack_acct is on.
      </Note>
    </>
  );
}

function Note({ children }: { readonly children: ComponentChildren }): VNode {
  return <p class="soft">{children}</p>;
}

function has(search: string, texts: readonly string[]): boolean {
  const wanted = search.trim().toLowerCase();
  return wanted === '' || texts.some((text) => text.toLowerCase().includes(wanted));
}

function end(address: string, port: number | null): string {
  if (port === null) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
