import { parseClientAddress, type ClientAddress } from './client-address.js';
import { readCounter } from './digits.js';
import { ManagementError } from './errors.js';
import { readCid } from './ids.js';
import { parseRealAddress } from './real-address.js';
import { NO_ADDRESSES, StatusTables, type ClientRow } from './status-tables.js';
import type { StatusRoute, StatusSnapshot } from './status.js';
import { TabbedRow } from './tabbed-row.js';
import { detach } from './text.js';

/** Which column has what, by the names in a HEADER row; -1 if there is none. */
type Columns<Name extends string> = Readonly<Record<Name, number>>;

const CLIENT_COLUMNS = {
  commonName: 'Common Name',
  realAddress: 'Real Address',
  ipv4: 'Virtual Address',
  ipv6: 'Virtual IPv6 Address',
  bytesReceived: 'Bytes Received',
  bytesSent: 'Bytes Sent',
  connectedSince: 'Connected Since (time_t)',
  username: 'Username',
  cid: 'Client ID',
  peerId: 'Peer ID',
  cipher: 'Data Channel Cipher',
} as const;

const ROUTE_COLUMNS = { address: 'Virtual Address', commonName: 'Common Name', realAddress: 'Real Address' } as const;

/** How every form of `status` begins in a client: sig.c print_status, OpenVPN 2.6. */
const STATISTICS = 'OpenVPN STATISTICS';

/** OpenVPN writes it for a missing name. */
const UNDEFINED = 'UNDEF';

/**
 * Parses the rows of `status 3`.
 *
 * @throws ManagementError MGMT_PROTOCOL if the tables have no header
 */
export function parseStatus3(lines: readonly string[]): StatusSnapshot {
  const parser = new Status3Parser();
  for (const line of lines) parser.push(line);
  return parser.finish();
}

/** Parses the rows of `status 1`: see {@link Status1Parser}. */
export function parseStatus1(lines: readonly string[]): StatusSnapshot {
  const parser = new Status1Parser();
  for (const line of lines) parser.push(line);
  return parser.finish();
}

/**
 * Parses `status 3` row by row. Columns are found by the names in the HEADER rows, so a version that adds or moves one
 * changes nothing.
 *
 * Tens of thousands of rows come in one reply: nothing is made for a row but what the snapshot keeps, and a text that
 * an earlier row had already is not copied again.
 */
export class Status3Parser {
  readonly #row = new TabbedRow();
  readonly #tables = new StatusTables();
  #clientColumns: Columns<keyof typeof CLIENT_COLUMNS> | undefined;
  #routeColumns: Columns<keyof typeof ROUTE_COLUMNS> | undefined;
  #title = '';
  #timeSeconds: number | undefined;
  #isDcoEnabled: boolean | undefined;
  #cipher: string | undefined;
  #failure: ManagementError | undefined;
  #daemonMode: StatusSnapshot['daemonMode'] = 'server';

  push(line: string): void {
    const row = this.#row;
    row.cut(line);
    if (row.is(0, 'CLIENT_LIST')) this.#readClient();
    else if (row.is(0, 'ROUTING_TABLE')) this.#readRoute();
    else if (row.is(0, 'HEADER')) this.#readHeader();
    else if (row.is(0, STATISTICS)) this.#daemonMode = 'client';
    else if (row.is(0, 'TITLE')) this.#title = row.keep(1);
    else if (row.is(0, 'TIME')) this.#timeSeconds = row.number(2);
    else if (row.is(0, 'GLOBAL_STATS') && row.is(1, 'dco_enabled')) this.#isDcoEnabled = row.is(2, '1');
  }

  /** @throws ManagementError MGMT_PROTOCOL if a table had no header */
  finish(): StatusSnapshot {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#tables.snapshot({
      format: 3,
      daemonMode: this.#daemonMode,
      title: this.#title,
      timeSeconds: this.#timeSeconds,
      isDcoEnabled: this.#isDcoEnabled,
    });
  }

  #readHeader(): void {
    if (this.#row.is(1, 'CLIENT_LIST')) this.#clientColumns = findColumns(CLIENT_COLUMNS, this.#row);
    else if (this.#row.is(1, 'ROUTING_TABLE')) this.#routeColumns = findColumns(ROUTE_COLUMNS, this.#row);
  }

  #readClient(): void {
    const row = this.#row;
    const columns = this.#clientColumns;
    if (columns === undefined) {
      this.#failure ??= withoutHeader('CLIENT_LIST');
      return;
    }
    const commonName = keepName(row, columns.commonName);
    const realAddressText = row.keep(columns.realAddress);
    this.#cipher = keepName(row, columns.cipher, this.#cipher);
    const cid = readCid(row.keep(columns.cid));
    const [ipv4, ipv6] = [parseClientAddress(row.text(columns.ipv4)), parseClientAddress(row.text(columns.ipv6))];
    const isWhole =
      (cid !== undefined || columns.cid === -1) &&
      (ipv4 !== undefined || row.is(columns.ipv4, '')) &&
      (ipv6 !== undefined || row.is(columns.ipv6, ''));
    if (!isWhole)
      this.#tables.addUnread(
        'CLIENT_LIST',
        row.text(columns.commonName),
        realAddressText,
        row.text(columns.ipv4),
        row.text(columns.ipv6),
        row.text(columns.cid),
      );
    this.#tables.addClient({
      cid,
      commonName,
      username: keepName(row, columns.username, commonName),
      realAddress: parseRealAddress(realAddressText),
      realAddressText,
      addresses: listOf(ipv4, ipv6),
      subnets: NO_ADDRESSES,
      bytesReceived: row.counter(columns.bytesReceived) ?? 0n,
      bytesSent: row.counter(columns.bytesSent) ?? 0n,
      connectedSinceSeconds: row.number(columns.connectedSince),
      peerId: row.number(columns.peerId),
      cipher: this.#cipher,
      hasAddress: false,
    });
  }

  #readRoute(): void {
    const row = this.#row;
    const columns = this.#routeColumns;
    if (columns === undefined) {
      this.#failure ??= withoutHeader('ROUTING_TABLE');
      return;
    }
    const owner = this.#tables.someClientAt(row.text(columns.realAddress));
    const commonName = keepName(row, columns.commonName, owner?.commonName);
    const realAddressText = row.keep(columns.realAddress, owner?.realAddressText);
    for (const address of owner?.addresses ?? NO_ADDRESSES) {
      if (!row.is(columns.address, address.address)) continue;
      this.#tables.addRoute({ address, mac: undefined, isCached: false, commonName, realAddressText });
      return;
    }
    const text = row.text(columns.address);
    const route = makeRoute(text, commonName, realAddressText);
    if (isRead(route)) this.#tables.addRoute(route);
    else this.#tables.addUnread('ROUTING_TABLE', text, commonName ?? UNDEFINED, realAddressText);
  }
}

/**
 * Parses `status 1` row by row. It has neither CIDs nor user names, but survives a user name that breaks `status 3`. A
 * common name may hold commas: the other columns are counted from the far end.
 */
export class Status1Parser {
  readonly #tables = new StatusTables();
  #table: 'none' | 'clients' | 'routes' = 'none';
  #daemonMode: StatusSnapshot['daemonMode'] = 'server';

  push(line: string): void {
    if (line.startsWith('Common Name,Real Address,')) this.#table = 'clients';
    else if (line.startsWith('Virtual Address,Common Name,')) this.#table = 'routes';
    else if (line === 'ROUTING TABLE' || line === 'GLOBAL STATS') this.#table = 'none';
    else if (line === STATISTICS && this.#table === 'none') this.#daemonMode = 'client';
    else if (this.#table === 'clients') this.#readClient(line);
    else if (this.#table === 'routes') this.#readRoute(line);
  }

  finish(): StatusSnapshot {
    return this.#tables.snapshot({
      format: 1,
      daemonMode: this.#daemonMode,
      title: '',
      timeSeconds: undefined,
      isDcoEnabled: undefined,
    });
  }

  #readClient(line: string): void {
    const match = /^(.*),([^,]*),(\d+),(\d+),([^,]*)$/s.exec(line);
    if (match === null) {
      this.#tables.addUnread('status 1', line);
      return;
    }
    const [, name = '', realAddress = '', bytesReceived = '', bytesSent = ''] = match;
    const realAddressText = detach(realAddress);
    const client: ClientRow = {
      cid: undefined,
      commonName: definedName(name),
      username: undefined,
      realAddress: parseRealAddress(realAddressText),
      realAddressText,
      addresses: NO_ADDRESSES,
      subnets: NO_ADDRESSES,
      bytesReceived: readCounter(bytesReceived, 0, bytesReceived.length) ?? 0n,
      bytesSent: readCounter(bytesSent, 0, bytesSent.length) ?? 0n,
      connectedSinceSeconds: undefined,
      peerId: undefined,
      cipher: undefined,
      hasAddress: false,
    };
    this.#tables.addClient(client);
  }

  #readRoute(line: string): void {
    const [, address, name = '', realAddress = ''] = /^([^,]*),(.*),([^,]*),([^,]*)$/s.exec(line) ?? [];
    if (address === undefined) {
      this.#tables.addUnread('status 1', line);
      return;
    }
    const route = makeRoute(
      address,
      definedName(name),
      this.#tables.someClientAt(realAddress)?.realAddressText ?? detach(realAddress),
    );
    if (isRead(route)) this.#tables.addRoute(route);
    else this.#tables.addUnread('ROUTING TABLE', address, name, realAddress);
  }
}

function findColumns<Name extends string>(names: Readonly<Record<Name, string>>, header: TabbedRow): Columns<Name> {
  // Rows have their label first, the header has two: `HEADER` and theirs.
  const find = (name: string): number => {
    for (let column = 2; column < header.count; column += 1) if (header.is(column, name)) return column - 1;
    return -1;
  };
  // The same keys with other values, which fromEntries does not know.
  return Object.fromEntries(Object.entries<string>(names).map(([key, name]) => [key, find(name)])) as Record<
    Name,
    number
  >;
}

function makeRoute(text: string, commonName: string | undefined, realAddressText: string): StatusRoute {
  const isCached = text.endsWith('C');
  // Six groups of two hex digits are no IPv6 address, so the order of the two tests does not matter.
  const mac = text.charAt(2) === ':' ? /^((?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?:@\d+)?C?$/i.exec(text)?.[1] : undefined;
  return {
    address: mac === undefined ? parseClientAddress(withZeros(isCached ? text.slice(0, -1) : text)) : undefined,
    mac: mac?.toLowerCase(),
    isCached,
    commonName,
    realAddressText,
  };
}

/**
 * OpenVPN writes 0.0.0.0/1 as `/1` in this table, and nowhere else: mroute.c mroute_addr_print_ex,
 * MAPF_IA_EMPTY_IF_UNDEF.
 */
function withZeros(text: string): string {
  return text.startsWith('/') ? `0.0.0.0${text}` : text;
}

function isRead({ address, mac }: StatusRoute): boolean {
  return address !== undefined || mac !== undefined;
}

function listOf(first: ClientAddress | undefined, second: ClientAddress | undefined): ClientAddress[] {
  if (first === undefined) return second === undefined ? NO_ADDRESSES : [second];
  return second === undefined || second.cidr === first.cidr ? [first] : [first, second];
}

function keepName(row: TabbedRow, column: number, known?: string): string | undefined {
  return row.is(column, '') || row.is(column, UNDEFINED) ? undefined : row.keep(column, known);
}

function definedName(text: string): string | undefined {
  return text === '' || text === UNDEFINED ? undefined : detach(text);
}

function withoutHeader(table: string): ManagementError {
  return new ManagementError('MGMT_PROTOCOL', `parse status 3: a row of ${table} without its HEADER`);
}
