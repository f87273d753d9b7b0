import type { Cid, ClientAddress, Notification, StatusClient, StatusSnapshot } from 'openvpn-management-client';
import { Environment, parseCid, parseClientAddress, parseKid, parseRealAddress } from 'openvpn-management-client';

/** Notifications and snapshots as a test's author writes them. */

export function address(text: string): ClientAddress {
  const parsed = parseClientAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

export function cidOf(cid: number | string): Cid {
  return parseCid(String(cid));
}

export function connect(cid: number | string, env: Readonly<Record<string, string>> = {}, kid = 1): Notification {
  return {
    kind: 'client:connect',
    cid: cidOf(cid),
    kid: parseKid(String(kid)),
    env: Environment.from(Object.entries(env)),
  };
}

export function reauth(cid: number | string, kid: number, env: Readonly<Record<string, string>> = {}): Notification {
  return {
    kind: 'client:reauth',
    cid: cidOf(cid),
    kid: parseKid(String(kid)),
    env: Environment.from(Object.entries(env)),
  };
}

export function addressOf(cid: number | string, text: string, isPrimary = true): Notification {
  return { kind: 'client:address', cid: cidOf(cid), address: address(text), isPrimary };
}

export function established(cid: number | string, env: Readonly<Record<string, string>> = {}): Notification {
  return { kind: 'client:established', cid: cidOf(cid), env: Environment.from(Object.entries(env)) };
}

export function disconnect(cid: number | string, env: Readonly<Record<string, string>> = {}): Notification {
  return { kind: 'client:disconnect', cid: cidOf(cid), env: Environment.from(Object.entries(env)) };
}

export interface Row {
  /** Absent as in `status 1`. */
  readonly cid?: number;
  readonly commonName?: string;
  readonly realAddress?: string;
  /** Empty for a client that did not log in yet. */
  readonly addresses?: readonly string[];
  readonly subnets?: readonly string[];
  readonly connectedSinceSeconds?: number;
  /** Received and sent. Default: nothing. */
  readonly bytes?: readonly [received: bigint, sent: bigint];
}

/** A snapshot with these rows; `unassigned` are addresses in the routing table that belong to no single row. */
export function snapshot(
  rows: readonly Row[],
  unassigned: readonly (readonly [realAddress: string, text: string, commonName?: string])[] = [],
): StatusSnapshot {
  return {
    format: 3,
    daemonMode: 'server',
    title: 'OpenVPN 2.6.14',
    timeSeconds: 1_767_225_600,
    clients: rows.map(clientOf),
    routes: [],
    unassignedRoutes: unassigned.map(([realAddressText, text, commonName = 'client']) => ({
      address: address(text),
      mac: undefined,
      isCached: false,
      commonName,
      realAddressText,
    })),
    isDcoEnabled: false,
    unread: [],
  };
}

function clientOf({
  cid,
  commonName = 'client',
  realAddress = '',
  addresses = [],
  subnets = [],
  connectedSinceSeconds,
  bytes: [bytesReceived, bytesSent] = [0n, 0n],
}: Row): StatusClient {
  return {
    cid: cid === undefined ? undefined : cidOf(cid),
    commonName,
    username: undefined,
    realAddress: parseRealAddress(realAddress),
    realAddressText: realAddress,
    addresses: addresses.map(address),
    subnets: subnets.map(address),
    bytesReceived,
    bytesSent,
    connectedSinceSeconds,
    peerId: undefined,
    cipher: undefined,
    hasAddress: addresses.length + subnets.length > 0,
  };
}
