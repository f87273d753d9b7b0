import type { Transport } from '../../rules/index.js';
import type { Datapath } from '../datapath/datapath.js';
import type { Session } from '../sessions/session-table.js';
import type { ClientStatus, StatusDocument, TransportStatus } from '../status.js';
import type { ManagedServer } from '../openvpn/managed-server.js';
import type { Repairs } from './repairs.js';

export interface StatusInput extends Pick<
  StatusDocument,
  'version' | 'firewall' | 'elements' | 'unreachable' | 'markMask' | 'settings'
> {
  readonly appliedPass: number;
  readonly repairs: Repairs;
  readonly datapath: Datapath;
  readonly servers: readonly ManagedServer[];
  readonly problems: readonly string[];
  /** The kernel has what is wanted. */
  readonly isSettled: boolean;
}

/** Puts the status document together. */
export function buildStatus(input: StatusInput): StatusDocument {
  const problems =
    input.isSettled || input.problems.length > 0 ? input.problems : ['the first rules are not installed yet'];
  const { datapath, repairs } = input;
  return {
    version: input.version,
    datapath: datapath.kind,
    firewall: input.firewall,
    ready: problems.length === 0,
    problems,
    servers: input.servers.map((server) => ({
      management: server.name,
      state: server.state,
      device: server.place.tunnel?.device ?? null,
      transport: server.place.transports.filter(({ remote }) => remote === undefined).map(toTransport),
      role: server.role,
      epoch: server.epoch,
      transportSource: server.place.sources.transport,
      deviceSource: server.place.sources.device,
      remote: server.vpnClient?.remote ?? null,
      networks: server.vpnClient?.networks ?? [],
      reconnects: Math.max(0, server.counted.connects - 1),
      resyncs: server.counted.resyncs,
      question: server.question,
    })),
    clients: input.servers.flatMap((server) =>
      [...server.sessions()].map((session) => toClient(session, server.networks.refusedOf(session))),
    ),
    unreachable: input.unreachable ?? [],
    gateways: datapath.status(),
    sourceLists: datapath.sources.status(),
    uplink: datapath.uplinkId,
    startedAt: repairs.startedAt,
    repairs: repairs.repairs,
    fallThrough: Object.fromEntries(datapath.fallThrough),
    moduleCounters: datapath.moduleCounters === null ? null : Object.fromEntries(datapath.moduleCounters),
    elements: input.elements,
    appliedPass: input.appliedPass,
    markMask: input.markMask,
    ...(input.settings === undefined ? {} : { settings: input.settings }),
    networkNamespace: repairs.networkNamespace,
  };
}

/** The document in one line, for `systemctl status`. */
export function summarize({ ready, problems, clients, gateways, datapath }: StatusDocument): string {
  if (!ready) return `not ready: ${problems.join('; ')}`;
  return `ready, datapath ${datapath}: ${clients.length} clients, ${gateways.length} gateways`;
}

function toTransport({ protocol, address, families, port }: Transport): TransportStatus {
  return { protocol, address: address ?? (families.includes(6) ? '::' : '0.0.0.0'), port };
}

function toClient(
  { cid, epoch, commonName, realAddress, addresses, since }: Session,
  refused: ClientStatus['refused'],
): ClientStatus {
  return {
    cid,
    epoch,
    commonName,
    realAddress,
    addresses: [...addresses.values()].map(({ address, prefixLength, family, cidr }) =>
      prefixLength === (family === 4 ? 32 : 128) ? address : cidr,
    ),
    since: since.toISOString(),
    ...(refused === undefined || refused.length === 0 ? {} : { refused }),
  };
}
