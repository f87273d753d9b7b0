import type { Environment } from 'openvpn-management-client';
import type { Family, Transport } from '../../rules/index.js';
import { isHost, parseNetwork } from '../../rules/index.js';
import type { OpenVpnOptions } from './openvpn-options.js';
import { optionOf } from './openvpn-options.js';
import type { BoundSocket } from './sockets.js';
import { transportsOf } from './sockets.js';

/** A socket that OpenVPN reported, in its log, its options or the environment of an event. */
export interface ToldSocket {
  readonly protocol: 'udp' | 'tcp';
  /** Of the socket itself: one of family 6 that is bound to `::` may serve IPv4, too. Both if it is unknown. */
  readonly families: readonly Family[];
  /** Canonical; null when bound to every address. */
  readonly address: string | null;
  /** 1..65535 */
  readonly port: number;
}

/** More variables than OpenVPN 2.7 has sockets: socket.h, MAX_LOCAL_ENTRIES is 64. */
const MAX_SOCKETS = 64;
const DEFAULT_PORT = '1194';

/**
 * An IP address in canonical text; null for `*` (any), undefined for a name: what it stands for is not ours to
 * resolve.
 */
export function addressOf(text: string): string | null | undefined {
  if (text === '*') return null;
  const network = parseNetwork(text.replace(/%.*$/, ''));
  if (network === null || !isHost(network)) return undefined;
  return network.address === '0.0.0.0' || network.address === '::' ? null : network.address;
}

/**
 * Looks for these sockets among those that are bound in this network namespace: OpenVPN may have told of another
 * namespace's.
 *
 * @returns empty when one of them is not there, or may be one of several
 */
export function confirm(told: readonly ToldSocket[], bound: readonly BoundSocket[]): Transport[] {
  const found = told.map((socket) => transportsOf(bound.filter((candidate) => isSame(socket, candidate))));
  return found.every((transports) => transports.length === 1) ? found.flat() : [];
}

function isSame({ protocol, families, address, port }: ToldSocket, candidate: BoundSocket): boolean {
  const isAny = candidate.address === '0.0.0.0' || candidate.address === '::';
  return (
    candidate.protocol === protocol &&
    candidate.port === port &&
    families.includes(candidate.family) &&
    (address === null ? isAny : candidate.address === address)
  );
}

/**
 * Reads `proto_N`, `local_N` and `local_port_N` of an event, N = 1 and up: OpenVPN 2.7 has one for each `local` line,
 * earlier ones have the first alone. Null where one of them is not told, or by a name.
 */
export function toldByEnvironment(env: Environment): readonly ToldSocket[] | null {
  const sockets: ToldSocket[] = [];
  for (let number = 1; number <= MAX_SOCKETS; number += 1) {
    const port = env.get(`local_port_${number}`);
    if (port === undefined) break;
    const socket = toSocket({ protocol: env.get(`proto_${number}`), host: env.get(`local_${number}`), port });
    if (socket === null) return null;
    sockets.push(socket);
  }
  return sockets.length === 0 ? null : sockets;
}

/**
 * Reads `proto`, `port`, `lport` and `local`, as OpenVPN takes them (options.c): since 2.7 each `local HOST [PORT
 * [PROTO]]` is a socket, before that the last one counts. Null where the options do not tell, or a file of them could
 * not be read.
 */
export function toldByOptions(options: OpenVpnOptions, hasSeveralSockets: boolean): readonly ToldSocket[] | null {
  if (options.unread.length > 0 || ['inetd', 'nobind'].some((name) => optionOf(options, name) !== undefined))
    return null;
  const first = (name: string): string | undefined => optionOf(options, name)?.values[0];
  const common = { protocol: first('proto') ?? 'udp', port: first('lport') ?? first('port') ?? DEFAULT_PORT };
  const locals = options.options.filter(({ name }) => name === 'local').map(({ values }) => values);
  const places = hasSeveralSockets ? locals : locals.slice(-1).map(([host = '*']) => [host]);
  const sockets = (places.length === 0 ? [['*']] : places).map(
    ([host, port = common.port, protocol = common.protocol]) => toSocket({ protocol, host, port }),
  );
  const told = sockets.filter((socket) => socket !== null);
  return told.length === sockets.length ? told : null;
}

function toSocket({
  protocol,
  host,
  port,
}: {
  readonly protocol: string | undefined;
  readonly host: string | undefined;
  readonly port: string;
}): ToldSocket | null {
  const match = /^(udp|tcp)([46]?)(-server)?$/.exec(protocol ?? '');
  const address = host === undefined ? null : addressOf(host);
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  if (match === null || address === undefined || number < 1 || number > 65535) return null;
  const [, kind, digit] = match;
  return {
    protocol: kind === 'tcp' ? 'tcp' : 'udp',
    families: digit === '4' ? [4] : digit === '6' ? [6] : [4, 6],
    address,
    port: number,
  };
}
