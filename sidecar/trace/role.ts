import {
  contains,
  formatNetwork,
  isHost,
  type Network,
  parseNetwork,
  routingTables,
  type Transport,
} from '../../rules/index.js';
import type { TraceReading } from './reading.js';
import { isAsked, type Steps, type Stopped, type TraceQuery } from './trace.js';

/** Who it is that answers. */
export interface Role {
  readonly text: string;
  /** How the packet filter selects the destination, in its own terms. */
  readonly selector: string;
  /** The device that answers come out of; null if the endpoint sends them itself. */
  readonly tunnel: string | null;
  /** The socket of OpenVPN that sends them; null for everything else. */
  readonly transport: Transport | null;
}

/** Finds out who the destination is, and notes it as a step. Pure. */
export function findRole(reading: TraceReading, query: TraceQuery, steps: Steps): Role | Stopped {
  const role = clientRole(reading, query) ?? ownRole(reading, query) ?? transportRole(reading, query);
  if (role === null) return steps.stop('destination', ...noRole(reading, query));
  if ('missing' in role) {
    const program = isOnlyOthers(reading) ? 'the VPN program' : 'OpenVPN';
    return steps.stop('destination', role.missing, `see the log of ${program}, and "gwmark doctor"`);
  }
  steps.pass('destination', role.text);
  return role;
}

/** The network of a list that says most of an address; null if none holds it. */
export function mostSpecific<T extends Network>(networks: readonly T[], address: string): T | null {
  const host = hostOf(address);
  return (
    networks.filter((network) => contains(network, host)).toSorted((a, b) => b.prefixLength - a.prefixLength)[0] ??
    null
  );
}

/** An address as a network; it has passed the command line. */
export function hostOf(address: string): Network {
  const network = parseNetwork(address);
  if (network === null) throw new Error(`${address} passed the check of the command line and is no address`);
  return network;
}

function clientRole(reading: TraceReading, { destination }: TraceQuery): Role | { readonly missing: string } | null {
  const client = mostSpecific(reading.rules.clients, destination);
  if (client === null) return null;
  const tunnel = tunnelTo(reading, destination);
  if (tunnel === null)
    return {
      missing: `${destination} is selected, but ${isOnlyOthers(reading) ? 'the VPN' : 'OpenVPN'} has no tunnel device now`,
    };
  const lost = reading.status?.unreachable?.find(({ network }) => network === formatNetwork(client));
  if (lost !== undefined)
    return {
      missing: `${destination} belongs to a client on ${lost.device}, but the endpoint routes it ${lost.leadsTo === null ? 'nowhere' : `to ${lost.leadsTo}`}: no packet reaches it`,
    };
  const owner = ownerOf(reading, client);
  const text = isHost(client)
    ? `${destination} is the address of ${owner}, over ${tunnel}`
    : `${destination} is in ${formatNetwork(client)}, behind ${owner}, over ${tunnel}`;
  return { text, selector: `set ${reading.rules.setOf(client)}`, tunnel, transport: null };
}

function ownerOf({ status }: TraceReading, network: Network): string {
  const text = formatNetwork(network);
  const client = status?.clients.find(({ addresses }) => addresses.includes(text));
  if (client !== undefined) return `client ${client.commonName} (CID ${client.cid})`;
  const server = status?.servers.find(({ role, networks = [] }) => role === 'client' && networks.includes(text));
  if (server !== undefined) return `the server of the OpenVPN client ${server.management}`;
  const peer = status?.peers?.find(({ addresses, isConnected }) => isConnected && addresses.includes(text));
  if (peer !== undefined) return `peer ${peer.name} of WireGuard`;
  const source = status?.sources?.find(({ networks }) => networks.includes(text));
  return source === undefined ? 'a client' : `the tunnel ${source.name}`;
}

/** By our routes, by those of the device itself, or because there is but one. */
function tunnelTo({ plan, policy, devices: { tunnels } }: TraceReading, address: string): string | null {
  const { clients, contested } = routingTables(policy);
  const ours = plan.routes
    .filter((route) => [clients, contested].includes(route.table) && route.device !== '')
    .flatMap(({ destination, device }) => {
      const network = parseNetwork(destination);
      return network === null ? [] : [{ ...network, device }];
    });
  const theirs = tunnels.flatMap(({ device, connected, covered }) =>
    [...connected, ...covered].map((network) => ({ ...network, device })),
  );
  return mostSpecific([...ours, ...theirs], address)?.device ?? tunnels[0]?.device ?? null;
}

/** There is no OpenVPN, but another VPN. */
function isOnlyOthers({ status }: TraceReading): boolean {
  return status !== null && status.servers.length === 0 && (status.sources?.length ?? 0) > 0;
}

/** Whose socket that is: OpenVPN's, unless a source has it. */
export function programOf(status: TraceReading['status'], { protocol, port }: Transport): string {
  const source = status?.sources?.find(({ transport }) =>
    transport.some((socket) => socket.protocol === protocol && socket.port === port),
  );
  if (source === undefined) return 'OpenVPN';
  return source.kind === 'wireguard' ? `WireGuard ${source.name}` : `the program of ${source.name}`;
}

function ownRole({ devices }: TraceReading, { destination }: TraceQuery): Role | null {
  const own = devices.tunnels.find(({ addresses }) => addresses.some(({ address }) => address === destination));
  if (own === undefined) return null;
  const text = `${destination} is the endpoint's own address on ${own.device}`;
  return { text, selector: `the endpoint's own address on ${own.device}`, tunnel: null, transport: null };
}

function transportRole(
  { devices, status, rules: { transports } }: TraceReading,
  { source, destination, protocol, sourcePort, destinationPort }: TraceQuery,
): Role | null {
  const isLocal = isLocalAddress(devices, destination);
  const family = source.includes(':') ? 6 : 4;
  const transport = transports.find((candidate) => {
    if (!candidate.families.includes(family) || (protocol !== null && candidate.protocol !== protocol)) return false;
    const { remote } = candidate;
    if (remote !== undefined) return isLocal && remote.address === source && isAsked(sourcePort, remote.port);
    return (
      (candidate.address === null ? isLocal : candidate.address === destination) &&
      isAsked(destinationPort, candidate.port)
    );
  });
  if (transport === undefined) return null;
  const { remote } = transport;
  const program = programOf(status, transport);
  const selector =
    remote === undefined
      ? `${transport.protocol} port ${transport.port} of ${program}`
      : `what ${remote.address} sends from ${transport.protocol} port ${remote.port}`;
  const text =
    remote === undefined
      ? `${program} listens on ${destination}, ${transport.protocol} port ${transport.port}`
      : `${destination} is the address of the OpenVPN client of server ${source}, ${transport.protocol} port ${remote.port}`;
  return { text, selector, tunnel: null, transport };
}

function noRole(reading: TraceReading, { source, destination }: TraceQuery): readonly [text: string, remedy: string] {
  const {
    devices,
    rules: { clients, transports },
  } = reading;
  if (transports.some(({ remote }) => remote?.address === destination)) {
    return [
      `${destination} is the server of an OpenVPN client here: its answers come to the endpoint`,
      `for the other direction: gwmark trace ${destination} ${source}`,
    ];
  }
  if (
    isLocalAddress(devices, destination) &&
    reading.status?.servers.some(
      ({ role, device, transport }) => role === 'server' && device !== null && transport.length === 0,
    ) === true
  ) {
    return [
      `${destination} is the endpoint itself, but OpenVPN's sockets are unknown`,
      'set transport, for example udp/1194; "gwmark status" says what was tried',
    ];
  }
  if (isLocalAddress(devices, destination))
    return [
      `${destination} is the endpoint itself, but no ${isOnlyOthers(reading) ? 'VPN' : 'OpenVPN'} listens there on the given protocol and ports`,
      'see "gwmark status" for the transports',
    ];
  if (mostSpecific(clients, source) !== null) {
    return [
      `${source} is a client: answers of a flow that it opens come back into the tunnel`,
      `for what the client sends: gwmark trace ${destination} ${source}`,
    ];
  }
  const refused = reading.status?.clients
    .flatMap(({ commonName, refused: some = [] }) => some.map((each) => ({ ...each, commonName })))
    .find(({ network }) => isWithin(network, destination));
  if (refused !== undefined) {
    return [
      `${destination} is in ${refused.network} of client ${refused.commonName}, which is not served: ${refused.reason}`,
      `correct the iroute of ${refused.commonName}`,
    ];
  }
  const peer = reading.status?.peers?.find(
    ({ isConnected, addresses }) => !isConnected && addresses.some((network) => isWithin(network, destination)),
  );
  if (peer !== undefined)
    return [
      `${destination} is behind peer ${peer.name} of ${peer.source}, which is silent: its last handshake is too old`,
      'see "gwmark clients"; PersistentKeepalive of that peer, or wireguard.handshakeTimeout: 0, keeps it connected',
    ];
  const tunnel = devices.tunnels.find(({ connected }) => mostSpecific(connected, destination) !== null);
  if (tunnel !== undefined)
    return [
      `no client has ${destination} now: it is unused in the network of ${tunnel.device}`,
      'see "gwmark clients": the client left, or has not connected yet',
    ];
  return [
    `${destination} is not a VPN address: no client has it, or a subnet that contains it`,
    'see "gwmark clients"; a subnet behind a client needs an iroute in OpenVPN',
  ];
}

function isWithin(network: string, address: string): boolean {
  const parsed = parseNetwork(network);
  return parsed !== null && contains(parsed, hostOf(address));
}

function isLocalAddress({ links }: TraceReading['devices'], address: string): boolean {
  return links.some(({ addresses }) => addresses.includes(address));
}
