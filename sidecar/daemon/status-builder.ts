import type { Transport } from '../../rules/index.js';
import type { Session } from '../sessions/session-table.js';
import type { ClientStatus, GatewayStatus, StatusDocument, TransportStatus } from '../status.js';
import type { ManagedServer } from './managed-server.js';

export interface StatusInput {
  readonly version: string;
  readonly datapath: StatusDocument['datapath'];
  readonly servers: readonly ManagedServer[];
  readonly gateways: readonly GatewayStatus[];
  readonly uplink: number | null;
  readonly problems: readonly string[];
  /** The kernel has what is wanted. */
  readonly isSettled: boolean;
}

/** Puts the status document together. */
export function buildStatus(input: StatusInput): StatusDocument {
  const problems = input.isSettled || input.problems.length > 0 ? input.problems : ['the first rules are not installed yet'];
  return {
    version: input.version,
    datapath: input.datapath,
    ready: problems.length === 0,
    problems,
    servers: input.servers.map((server) => ({
      management: server.name,
      state: server.state,
      device: server.tunnel?.device ?? null,
      transport: server.transports.map(toTransport),
      pid: server.pid,
    })),
    clients: input.servers.flatMap((server) => [...server.sessions()].map(toClient)),
    gateways: input.gateways,
    uplink: input.uplink,
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

function toClient({ cid, epoch, commonName, realAddress, addresses, since }: Session): ClientStatus {
  return {
    cid,
    epoch,
    commonName,
    realAddress,
    addresses: [...addresses.values()].map(({ address, prefixLength, family, cidr }) => (prefixLength === (family === 4 ? 32 : 128) ? address : cidr)),
    since: since.toISOString(),
  };
}
