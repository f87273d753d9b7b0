import { parseClientAddress, type ClientAddress } from './client-address.js';
import { ManagementError } from './errors.js';
import { readCid, type Cid } from './ids.js';
import { parseRealAddress, type RealAddress } from './real-address.js';
import type { StreamPosition } from './reply.js';
import { detach } from './text.js';

/** One row of the table CLIENT_LIST, with what the table ROUTING_TABLE has for it. */
export interface StatusClient {
  /** Undefined in `status 1` and before 2.4. */
  readonly cid: Cid | undefined;
  readonly commonName: string | undefined;
  readonly username: string | undefined;
  /** Undefined where it does not parse; `realAddressText` has it as it came. */
  readonly realAddress: RealAddress | undefined;
  readonly realAddressText: string;
  /** What OpenVPN gave to the client itself: at most one IPv4 and one IPv6. */
  readonly addresses: readonly ClientAddress[];
  /** Subnets behind it (iroutes), from the routing table. Cached single addresses are not here. */
  readonly subnets: readonly ClientAddress[];
  readonly bytesReceived: bigint;
  readonly bytesSent: bigint;
  /** Unix time; undefined in `status 1`, which has it in local words only. */
  readonly connectedSinceSeconds: number | undefined;
  readonly peerId: number | undefined;
  readonly cipher: string | undefined;
  /** False for a client that did not log in yet (or never will): it has no virtual address. Under TAP too. */
  readonly hasAddress: boolean;
}

/** One row of the table ROUTING_TABLE. */
export interface StatusRoute {
  /** Undefined for a MAC address (TAP). */
  readonly address: ClientAddress | undefined;
  /** TAP: `da:d6:61:1e:21:ec`, without the VLAN. */
  readonly mac: string | undefined;
  /** Learnt from traffic through a subnet (suffix `C`): it is in that subnet already. */
  readonly isCached: boolean;
  readonly commonName: string | undefined;
  readonly realAddressText: string;
}

/** What `status` says: who is connected, at one instant of the daemon. */
export interface StatusSnapshot {
  readonly format: 1 | 3;
  /** `OpenVPN 2.6.14 x86_64-pc-linux-gnu ...`; empty in `status 1`. */
  readonly title: string;
  readonly timeSeconds: number | undefined;
  readonly clients: readonly StatusClient[];
  readonly routes: readonly StatusRoute[];
  /** Routes that no client row, or more than one, explains: without ports (IPv6 before 2.7) two clients can look the same. */
  readonly unassignedRoutes: readonly StatusRoute[];
  /** 2.6 and later. */
  readonly isDcoEnabled: boolean | undefined;
}

/** A snapshot with its place in the stream of notifications: events after it may change what it says, events before it are in it. */
export interface PositionedStatus extends StatusSnapshot {
  readonly position: StreamPosition;
}

type Row = ReadonlyMap<string, string>;
type Tables = ReadonlyMap<string, readonly Row[]>;

/**
 * Parses the rows of `status 3`. Columns are found by the names in the HEADER rows, so a version that adds or moves
 * one changes nothing.
 *
 * @throws ManagementError MGMT_PROTOCOL where the tables have no header
 */
export function parseStatus3(lines: readonly string[]): StatusSnapshot {
  const headers = new Map<string, readonly string[]>();
  const tables = new Map<string, Row[]>([
    ['CLIENT_LIST', []],
    ['ROUTING_TABLE', []],
  ]);
  let title = '';
  let timeSeconds: number | undefined;
  let isDcoEnabled: boolean | undefined;
  for (const line of lines) {
    const fields = line.split('\t');
    const [label = '', first = '', second = ''] = fields;
    if (label === 'HEADER') headers.set(first, fields.slice(2));
    else if (label === 'TITLE') title = detach(first);
    else if (label === 'TIME') timeSeconds = readNumber(second);
    else if (label === 'GLOBAL_STATS' && first === 'dco_enabled') isDcoEnabled = second === '1';
    else if (label !== 'GLOBAL_STATS') tables.get(label)?.push(namedRow(label, headers.get(label), fields));
  }
  return assemble({ format: 3, title, timeSeconds, isDcoEnabled }, tables);
}

/**
 * Parses the rows of `status 1`, which has neither CIDs nor user names, but survives a user name that breaks `status 3`.
 * A common name may hold commas: the other columns are counted from the far end.
 */
export function parseStatus1(lines: readonly string[]): StatusSnapshot {
  const clients: Row[] = [];
  const routes: Row[] = [];
  let table: 'none' | 'clients' | 'routes' = 'none';
  for (const line of lines) {
    if (line.startsWith('Common Name,Real Address,')) table = 'clients';
    else if (line.startsWith('Virtual Address,Common Name,')) table = 'routes';
    else if (line === 'ROUTING TABLE' || line === 'GLOBAL STATS') table = 'none';
    else if (table === 'clients') {
      const match = /^(.*),([^,]*),(\d+),(\d+),([^,]*)$/s.exec(line);
      if (match !== null) clients.push(row(['Common Name', 'Real Address', 'Bytes Received', 'Bytes Sent'], match.slice(1, 5)));
    } else if (table === 'routes') {
      const match = /^([^,]*),(.*),([^,]*),([^,]*)$/s.exec(line);
      if (match !== null) routes.push(row(['Virtual Address', 'Common Name', 'Real Address'], match.slice(1, 4)));
    }
  }
  const tables = new Map([
    ['CLIENT_LIST', clients],
    ['ROUTING_TABLE', routes],
  ]);
  return assemble({ format: 1, title: '', timeSeconds: undefined, isDcoEnabled: undefined }, tables);
}

function namedRow(table: string, names: readonly string[] | undefined, fields: readonly string[]): Row {
  if (names === undefined) throw new ManagementError('MGMT_PROTOCOL', `parse status 3: a row of ${table} without its HEADER`);
  return row(names, fields.slice(1));
}

function row(names: readonly string[], values: readonly string[]): Row {
  return new Map(names.map((name, index) => [name, detach(values[index] ?? '')]));
}

function assemble(head: Pick<StatusSnapshot, 'format' | 'title' | 'timeSeconds' | 'isDcoEnabled'>, tables: Tables): StatusSnapshot {
  const routes = (tables.get('ROUTING_TABLE') ?? []).map((fields) => parseRoute(fields));
  const clientRows = tables.get('CLIENT_LIST') ?? [];
  const rowsOfPeer = new Map<string, number>();
  for (const fields of clientRows) count(rowsOfPeer, peerOf(fields.get('Common Name'), fields.get('Real Address')));

  const unassignedRoutes: StatusRoute[] = [];
  const routesOfPeer = new Map<string, StatusRoute[]>();
  for (const route of routes) {
    const peer = peerOf(route.commonName ?? 'UNDEF', route.realAddressText);
    const list = routesOfPeer.get(peer) ?? [];
    routesOfPeer.set(peer, list);
    if (rowsOfPeer.get(peer) === 1) list.push(route);
    else unassignedRoutes.push(route);
  }
  const clients = clientRows.map((fields) => parseClient(head.format, fields, routesOfPeer.get(peerOf(fields.get('Common Name'), fields.get('Real Address'))) ?? []));
  return { ...head, clients, routes, unassignedRoutes };
}

function parseClient(format: 1 | 3, fields: Row, routes: readonly StatusRoute[]): StatusClient {
  const own = new Map<string, ClientAddress>();
  for (const column of ['Virtual Address', 'Virtual IPv6 Address']) {
    const address = parseClientAddress(fields.get(column) ?? '');
    if (address !== undefined) own.set(address.cidr, address);
  }
  const subnets: ClientAddress[] = [];
  for (const { address, isCached } of routes) {
    if (address === undefined || isCached || own.has(address.cidr)) continue;
    // `status 1` has no virtual address columns: a host route is the client's own, as far as one can tell.
    if (format === 1 && address.prefixLength === (address.family === 4 ? 32 : 128)) own.set(address.cidr, address);
    else subnets.push(address);
  }
  const realAddressText = fields.get('Real Address') ?? '';
  return {
    cid: readCid(fields.get('Client ID') ?? ''),
    commonName: defined(fields.get('Common Name')),
    username: defined(fields.get('Username')),
    realAddress: parseRealAddress(realAddressText),
    realAddressText,
    addresses: [...own.values()],
    subnets,
    bytesReceived: readCounter(fields.get('Bytes Received')),
    bytesSent: readCounter(fields.get('Bytes Sent')),
    connectedSinceSeconds: readNumber(fields.get('Connected Since (time_t)')),
    peerId: readNumber(fields.get('Peer ID')),
    cipher: defined(fields.get('Data Channel Cipher')),
    hasAddress: own.size > 0,
  };
}

function parseRoute(fields: Row): StatusRoute {
  const text = fields.get('Virtual Address') ?? '';
  const isCached = text.endsWith('C');
  const mac = /^((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?:@\d+)?C?$/i.exec(text)?.[1];
  return {
    // Six groups of two hex digits are no IPv6 address, so the order of the two tests does not matter.
    address: mac === undefined ? parseClientAddress(isCached ? text.slice(0, -1) : text) : undefined,
    mac: mac?.toLowerCase(),
    isCached,
    commonName: defined(fields.get('Common Name')),
    realAddressText: fields.get('Real Address') ?? '',
  };
}

function peerOf(commonName: string | undefined, realAddress: string | undefined): string {
  return `${realAddress ?? ''}\t${commonName ?? ''}`;
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** OpenVPN writes UNDEF where it has no name. */
function defined(text: string | undefined): string | undefined {
  return text === undefined || text === '' || text === 'UNDEF' ? undefined : text;
}

function readNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function readCounter(text: string | undefined): bigint {
  return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
}
