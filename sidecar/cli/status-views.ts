import { printable } from '../log/printable.js';
import type {
  ClientStatus,
  GatewayState,
  GatewayStatus,
  PassThroughStatus,
  ServerState,
  ServerStatus,
  StatusDocument,
  TrafficCount,
} from '../status.js';
import { formatDuration } from './duration.js';
import { count, formatSince, formatTransport, type ViewOptions } from './view-words.js';
import { connectedPeers, sourcesTable, sourcesView, sourceWarnings } from './source-views.js';
import { type Cell, type Colour, formatTable, paint } from './table.js';

const SERVER_COLOURS: Readonly<Record<ServerState, Colour>> = { connecting: 'red', waiting: 'yellow', ready: 'green' };
const GATEWAY_COLOURS: Readonly<Record<GatewayState, Colour>> = {
  active: 'green',
  known: 'none',
  moved: 'yellow',
  down: 'red',
};

export type { ViewOptions } from './view-words.js';

/** `gwmark status`: one line of summary, the servers, then the problems. */
export function statusView(document: StatusDocument, options: ViewOptions): string {
  const { hasColours } = options;
  const ready = document.ready ? paint('ready', 'green', hasColours) : paint('not ready', 'red', hasColours);
  const counts = [
    count(document.clients.length, 'client'),
    ...connectedPeers(document),
    count(document.gateways.length, 'gateway'),
  ].join(', ');
  const head = `gwmark ${printable(document.version)}, datapath ${document.datapath}, ${document.firewall}: ${ready}\n${counts}, ${describeUplink(document)}\n`;
  const problems = document.problems.map((problem) => `  ${paint('!', 'red', hasColours)} ${printable(problem)}\n`);
  const problemBlock = problems.length === 0 ? '' : `\nproblems:\n${problems.join('')}`;
  const warnings = warningsOf(document).map(
    (warning) => `  ${paint('!', 'yellow', hasColours)} ${printable(warning)}\n`,
  );
  const warningBlock = warnings.length === 0 ? '' : `\nwarnings:\n${warnings.join('')}`;
  return `${head}${sinceStart(document, options.nowMs)}${fallenThrough(document)}${announced(document)}${offloaded(document)}\n${vpnsTables(document, options)}${passThroughTable(document.servers, options)}${problemBlock}${warningBlock}`;
}

function warningsOf(document: StatusDocument): readonly string[] {
  const { unreachable = [], announcements = null } = document;
  const { taken = [], omitted = [] } = announcements ?? {};
  return [
    ...sourceWarnings(document),
    ...unreachable.map(
      ({ network, device, leadsTo }) =>
        `${network} belongs to a client on ${device}, but the endpoint routes it ${leadsTo === null ? 'nowhere' : `to ${leadsTo}`}`,
    ),
    ...taken.map(
      ({ address, device, mac }) =>
        `${address} belongs to a client, but ${mac} on ${device} has it too: not announced`,
    ),
    ...omitted.map(({ network, device }) => `${network} on ${device} has too many addresses: not announced`),
  ];
}

/** With `announce: proxy`: for how many addresses the endpoint answers. */
function announced({ announcements = null }: StatusDocument): string {
  if (announcements === null) return '';
  const { announced: many, pending } = announcements;
  return `announced: ${many} ${many === 1 ? 'address' : 'addresses'}${pending === 0 ? '' : `, ${pending} more soon`}\n`;
}

/** With the settings `offload: on` and `auto`. */
function offloaded({ offload = null }: StatusDocument): string {
  if (offload === null) return '';
  const { isOn, reason, renewals } = offload;
  const why = reason === null ? '' : `: ${printable(reason)}`;
  return `offload: ${isOn ? `on, ${count(renewals, 'renewal')}` : 'off'}${why}\n`;
}

/** Failures that were repaired. */
function sinceStart({ startedAt, servers, repairs }: StatusDocument, nowMs: number): string {
  const reconnects = servers.reduce((sum, server) => sum + server.reconnects, 0);
  const resyncs = servers.reduce((sum, server) => sum + server.resyncs, 0);
  const counts = [
    count(reconnects, 'reconnect'),
    count(resyncs, 'resync'),
    count(repairs.firewall + repairs.routing, 'repair'),
  ];
  return `in ${formatSince(startedAt, nowMs)}: ${counts.join(', ')}\n`;
}

/** Reasons that never occurred are omitted. */
function fallenThrough({ fallThrough }: StatusDocument): string {
  const reasons = Object.entries(fallThrough).filter(([, many]) => many > 0);
  if (reasons.length === 0) return '';
  return `took the normal route: ${reasons.map(([reason, many]) => `${printable(reason)} ${many}`).join(', ')}\n`;
}

/**
 * `gwmark clients`: who is connected to servers; below, where the tunnels of clients lead to, and the peers and networks
 * of other VPNs, if there are any.
 */
export function clientsAndNetworksView(document: StatusDocument, options: ViewOptions): string {
  const others = sourcesView(document, options);
  if (others === '') return openvpnView(document, options);
  return document.servers.length === 0 ? others : `${openvpnView(document, options)}\n${others}`;
}

function openvpnView(document: StatusDocument, options: ViewOptions): string {
  const followed = document.servers.filter(({ role }) => role === 'client');
  const held = heldView(document, options);
  if (followed.length === 0) return `${clientsView(document.clients, options)}${held}`;
  const rows = followed.map(({ management, device, networks = [] }) => [management, device ?? '', networks.join(' ')]);
  const networks = formatTable(['OPENVPN CLIENT', 'DEVICE', 'NETWORKS'], rows, options.hasColours);
  return followed.length === document.servers.length
    ? networks
    : `${clientsView(document.clients, options)}${held}\n${networks}`;
}

/** Who was kicked: those whom OpenVPN still ends, and those who are kept out. Empty if there are none. */
function heldView({ clients, holds = [] }: StatusDocument, { hasColours, nowMs }: ViewOptions): string {
  const lines = [
    ...clients
      .filter(({ isKicked }) => isKicked === true)
      .map(({ commonName }) => `${commonName}: OpenVPN is ending it`),
    ...holds.map(
      ({ commonName, management, until }) =>
        `${commonName}: is kept out${management === null ? '' : ` at ${management}`} for ${formatDuration(Date.parse(until) - nowMs)}`,
    ),
  ];
  if (lines.length === 0) return '';
  return `\nkicked:\n${lines.map((line) => `  ${paint('!', 'yellow', hasColours)} ${printable(line)}\n`).join('')}`;
}

/** Who is connected, in the order of the document. */
export function clientsView(clients: readonly ClientStatus[], options: ViewOptions): string {
  if (clients.length === 0) return 'no client is connected\n';
  const rows = clients.map((client) => [
    client.commonName,
    client.addresses.join(' '),
    client.realAddress ?? '',
    formatSince(client.since, options.nowMs),
    client.cid,
    String(client.epoch),
  ]);
  const refused = clients.flatMap(({ commonName, refused: some = [] }) =>
    some.map(
      ({ network, reason }) =>
        `  ${paint('!', 'yellow', options.hasColours)} ${printable(`${commonName}: ${network} is not served: ${reason}`)}\n`,
    ),
  );
  return `${formatTable(['NAME', 'ADDRESSES', 'REAL ADDRESS', 'CONNECTED', 'CID', 'EPOCH'], rows, options.hasColours)}${refused.length === 0 ? '' : `\nrefused:\n${refused.join('')}`}`;
}

/** `gwmark gateways`, in the order of the document. Received and sent are packets. */
export function gatewaysView(gateways: readonly GatewayStatus[], uplink: number | null, options: ViewOptions): string {
  if (gateways.length === 0)
    return 'no gateway is known yet; gwmark learns one when a router sends something to this endpoint\n';
  const rows = gateways.map((gateway): readonly (string | Cell)[] => [
    String(gateway.id),
    gateway.device,
    gateway.mac,
    {
      text: gateway.isOrdered === true ? `${gateway.state} (by command)` : gateway.state,
      colour: GATEWAY_COLOURS[gateway.state],
    },
    gateway.id === uplink ? 'yes' : 'no',
    packets(gateway.received),
    packets(gateway.sent),
    gateway.learnedFlows === null ? '' : String(gateway.learnedFlows),
    String(gateway.moves),
    gateway.addresses.join(' '),
  ]);
  return formatTable(
    ['ID', 'DEVICE', 'MAC', 'STATE', 'UPLINK', 'RECEIVED', 'SENT', 'FLOWS', 'MOVES', 'ADDRESSES'],
    rows,
    options.hasColours,
  );
}

/** OpenVPNs, and the VPNs of other programs; a table without rows is left out if the other has some. */
function vpnsTables(document: StatusDocument, options: ViewOptions): string {
  const others = sourcesTable(document, options);
  if (others === '') return serversTable(document.servers, options);
  return document.servers.length === 0 ? others : `${serversTable(document.servers, options)}\n${others}`;
}

function serversTable(servers: readonly ServerStatus[], options: ViewOptions): string {
  if (servers.length === 0) return 'no OpenVPN server is configured\n';
  const rows = servers.map((server): readonly (string | Cell)[] => [
    server.management,
    server.role ?? '',
    { text: server.state, colour: SERVER_COLOURS[server.state] },
    server.device ?? '',
    [
      ...server.transport.map((transport) => formatTransport(transport, '')),
      ...(server.remote == null ? [] : [formatTransport(server.remote, 'to ')]),
    ].join(', '),
    server.transportSource ?? server.deviceSource ?? '',
  ]);
  return formatTable(['OPENVPN', 'ROLE', 'STATE', 'DEVICE', 'TRANSPORT', 'TOLD BY'], rows, options.hasColours);
}

/** Sockets where other programs attach; nothing if there are none. */
function passThroughTable(servers: readonly ServerStatus[], options: ViewOptions): string {
  const rows = servers.flatMap(({ management, passThrough = [] }) =>
    passThrough.map((socket): readonly (string | Cell)[] => [
      socket.socket,
      management,
      stateOf(socket),
      String(socket.programs),
      socket.answersLogins ? 'yes' : 'no',
      String(socket.dropped),
    ]),
  );
  if (rows.length === 0) return '';
  const headings = ['PASS-THROUGH', 'OPENVPN', 'STATE', 'PROGRAMS', 'ANSWERS LOGINS', 'DROPPED'];
  return `\n${formatTable(headings, rows, options.hasColours)}`;
}

function stateOf({ isOpen, problem }: PassThroughStatus): Cell {
  if (problem !== null) return { text: problem, colour: 'red' };
  return isOpen ? { text: 'open', colour: 'green' } : { text: 'closed', colour: 'yellow' };
}

function describeUplink({ uplink, gateways }: StatusDocument): string {
  if (uplink === null) return 'no uplink learnt yet';
  const gateway = gateways.find(({ id }) => id === uplink);
  return gateway === undefined
    ? `uplink ${uplink}`
    : `uplink ${uplink} (${printable(`${gateway.mac} on ${gateway.device}`)})`;
}

function packets(traffic: TrafficCount | null): string {
  return traffic === null ? '' : String(traffic.packets);
}
