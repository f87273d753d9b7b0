import { printable } from '../log/printable.js';
import type { SourceStatus, StatusDocument } from '../status.js';
import { type Cell, type Colour, formatTable, paint } from './table.js';
import { count, formatSince, formatTransport, type ViewOptions } from './view-words.js';

type Shown = Pick<StatusDocument, 'sources' | 'peers'>;

const COLOURS: Readonly<Record<SourceStatus['state'], Colour>> = { waiting: 'yellow', ready: 'green' };

/** `2 peers` that are connected; nothing if there is no VPN of another program. */
export function connectedPeers({ sources = [], peers = [] }: Shown): readonly string[] {
  return sources.length === 0 ? [] : [count(peers.filter(({ isConnected }) => isConnected).length, 'peer')];
}

/** For `gwmark status`: VPNs of other programs; empty if there are none. */
export function sourcesTable({ sources = [] }: Shown, { hasColours }: ViewOptions): string {
  if (sources.length === 0) return '';
  const rows = sources.map(({ kind, name, state, transport, transportSource }): readonly (string | Cell)[] => [
    kind,
    name,
    { text: state, colour: COLOURS[state] },
    transport.map((socket) => formatTransport(socket, '')).join(', '),
    transportSource ?? '',
  ]);
  return formatTable(['VPN', 'DEVICE', 'STATE', 'TRANSPORT', 'TOLD BY'], rows, hasColours);
}

/** For `gwmark clients`: the peers of other VPNs, and the networks of those that have none; empty if there are none. */
export function sourcesView(document: Shown, options: ViewOptions): string {
  const { sources = [], peers = [] } = document;
  const tunnels = sources.filter(({ kind }) => kind === 'tunnel');
  const networks = formatTable(
    ['TUNNEL', 'NETWORKS'],
    tunnels.map(({ name, networks: some }) => [name, some.join(' ')]),
    options.hasColours,
  );
  const parts = [
    ...(sources.length > tunnels.length ? [peersTable(peers, options)] : []),
    ...(tunnels.length > 0 ? [networks] : []),
  ];
  const refused = sources
    .flatMap(({ name, refused: some = [] }) => some.map((each) => ({ ...each, name })))
    .map(
      ({ name, network, reason }) =>
        `  ${paint('!', 'yellow', options.hasColours)} ${printable(`${name}: ${network} is not served: ${reason}`)}\n`,
    );
  return `${parts.join('\n')}${refused.length === 0 ? '' : `\nrefused:\n${refused.join('')}`}`;
}

/** Networks that two VPNs have, for the warnings of `gwmark status`. */
export function sourceWarnings({ sources = [] }: Shown): readonly string[] {
  return sources.flatMap(({ name, shared = [], refused = [] }) => [
    ...shared.map(({ network, devices }) => `${network} is on ${name} and on ${devices.join(', ')}: one has to go`),
    ...refused.map(({ network, reason }) => `${network} on ${name} is not served: ${reason}`),
  ]);
}

function peersTable(peers: NonNullable<Shown['peers']>, { hasColours, nowMs }: ViewOptions): string {
  if (peers.length === 0) return 'no peer is configured\n';
  const rows = peers.map((peer): readonly (string | Cell)[] => [
    peer.name,
    peer.source,
    peer.addresses.join(' '),
    peer.realAddress ?? '',
    peer.isConnected ? { text: 'connected', colour: 'green' } : { text: 'silent', colour: 'yellow' },
    peer.lastHandshake === null ? 'never' : formatSince(peer.lastHandshake, nowMs),
  ]);
  return formatTable(['PEER', 'DEVICE', 'ADDRESSES', 'REAL ADDRESS', 'STATE', 'HANDSHAKE'], rows, hasColours);
}
