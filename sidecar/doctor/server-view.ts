import { type Endpoint, formatEndpoint, parseEndpoint } from 'openvpn-management-client';
import type { Settings } from '../config/settings.js';
import { readSocketUse } from '../discovery/management-socket.js';
import { namesEndpoint } from '../discovery/openvpn-process.js';
import { type OpenVpnOptions, optionOf } from '../discovery/openvpn-options.js';
import {
  holdersOf,
  isInOurNamespace,
  openVpnOptionsOf,
  type ProcessInfo,
  readProcesses,
} from '../discovery/processes.js';
import type { ServerStatus, StatusDocument } from '../status.js';

/** One OpenVPN server, as far as it is visible without connecting to it. */
export interface ServerView {
  /** As in the settings: `unix:/path`, `tcp:host:port`. */
  readonly name: string;
  readonly endpoint: Endpoint;
  /** What the running sidecar says of it; null if none runs, or not for this server. */
  readonly reported: ServerStatus | null;
  /** A process listens, as far as this network namespace shows. */
  readonly hasListener: boolean;
  /** A management client has it: a connection was accepted or, where OpenVPN connects (`listen:`), a program listens. */
  readonly isTaken: boolean;
  /** Programs that may be this management client, as far as they are visible. */
  readonly holders: readonly ProcessInfo[];
  /** OpenVPN's process; null if it cannot be seen. */
  readonly pid: number | null;
  /** Null if they cannot be read. */
  readonly options: OpenVpnOptions | null;
}

/** Inspects every endpoint of the settings and of the running sidecar. */
export async function viewServers(settings: Settings, status: StatusDocument | null): Promise<readonly ServerView[]> {
  const reported = new Map((status?.servers ?? []).map((server) => [server.management, server]));
  const endpoints = new Map(settings.management.endpoints.map((endpoint) => [formatEndpoint(endpoint), endpoint]));
  for (const name of reported.keys()) {
    const endpoint = parseEndpoint(name);
    if (endpoint !== undefined) endpoints.set(name, endpoint);
  }
  return Promise.all([...endpoints].map(([name, endpoint]) => viewServer(name, endpoint, reported.get(name) ?? null)));
}

/**
 * OpenVPN 2.6 ignores the port of `management tunnel PORT` and listens on any: only its options tell which one is
 * meant.
 */
async function pidOnTunnel(port: number): Promise<number | null> {
  for (const { pid, name } of await readProcesses()) {
    if (name !== 'openvpn' || !(await isInOurNamespace(pid))) continue;
    const options = await openVpnOptionsOf(pid);
    const [place, itsPort] = (options === null ? undefined : optionOf(options, 'management'))?.values ?? [];
    if (place === 'tunnel' && itsPort === String(port)) return pid;
  }
  return null;
}

/**
 * The one that is OpenVPN: by its name, or by its options, which name this endpoint. Another may serve its management
 * interface to several programs.
 */
async function openVpnAmong(processes: readonly ProcessInfo[], endpoint: Endpoint): Promise<number | null> {
  for (const { pid, name } of processes) if (name === 'openvpn' || (await namesEndpoint(pid, endpoint))) return pid;
  return null;
}

/** One that has its management interface there by its options: it may not be connected, or in the other direction. */
async function pidThatNames(endpoint: Endpoint): Promise<number | null> {
  for (const { pid, name } of await readProcesses())
    if (name === 'openvpn' && (await isInOurNamespace(pid)) && (await namesEndpoint(pid, endpoint))) return pid;
  return null;
}

async function viewServer(name: string, endpoint: Endpoint, reported: ServerStatus | null): Promise<ServerView> {
  const { listeners, accepted, peers } = await readSocketUse(endpoint);
  const [listening, connected] = await Promise.all([holdersOf(listeners), holdersOf(peers)]);
  const [daemons, clients] = endpoint.listen === true ? [connected, listening] : [listening, connected];
  const pid =
    (await openVpnAmong(daemons, endpoint)) ??
    (endpoint.kind === 'tcp' && endpoint.listen !== true ? await pidOnTunnel(endpoint.port) : null) ??
    (daemons.length === 0 ? await pidThatNames(endpoint) : null);
  return {
    name,
    endpoint,
    reported,
    hasListener: listeners.size > 0,
    isTaken: (endpoint.listen === true ? listeners : accepted).size > 0,
    holders: clients,
    pid,
    options: pid === null ? null : await openVpnOptionsOf(pid),
  };
}
