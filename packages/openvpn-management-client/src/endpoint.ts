import { isIPv6 } from 'node:net';

/**
 * Longest path of a unix socket in bytes: `sun_path` has 108, one of them for the terminating zero. Node cuts a longer
 * one without a word.
 *
 * @see unix(7), "Address format"
 */
export const MAX_SOCKET_PATH_BYTES = 107;

/** Where a socket is. */
export type Place =
  /** Absolute. */
  | { readonly kind: 'unix'; readonly path: string }
  /** IPv6 hosts are here without brackets. `port` is 1..65535. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Where the two ends of a management interface meet. */
export type Endpoint = Place & {
  /** The client listens there, and OpenVPN connects (`--management-client`). Default: OpenVPN listens. */
  readonly listen?: true;
};

/** What {@link parsePlace} reads; completes "expected ...". */
export const PLACE_EXPECTED = `"unix:/path" (absolute, at most ${MAX_SOCKET_PATH_BYTES} bytes) or "tcp:host:port" (IPv6 as "tcp:[::1]:7505")`;

/** What {@link parseEndpoint} reads; completes "expected ...". */
export const ENDPOINT_EXPECTED = `${PLACE_EXPECTED}, with "listen:" in front if OpenVPN connects (management-client)`;

const LISTEN = 'listen:';

/**
 * Reads what {@link parsePlace} does, also with `listen:` in front.
 *
 * @returns undefined for anything else: relative paths, directories, and paths that are too long among it
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  if (text.startsWith(LISTEN)) {
    const place = parsePlace(text.slice(LISTEN.length));
    return place === undefined ? undefined : { ...place, listen: true };
  }
  return parsePlace(text);
}

/**
 * Reads `unix:/run/openvpn/management.sock`, `tcp:127.0.0.1:7505`, `tcp:[::1]:7505`, and the same as URLs are written:
 * `unix:///run/openvpn/management.sock`, `tcp://127.0.0.1:7505`.
 *
 * @returns undefined for anything else: relative paths, directories, and paths that are too long among it
 */
export function parsePlace(text: string): Place | undefined {
  if (text.startsWith('unix:')) return parseUnix(text.slice('unix:'.length).replace(/^\/\/(?=\/)/, ''));
  if (text.startsWith('tcp:')) return parseTcp(text.slice('tcp:'.length).replace(/^\/\//, ''));
  return undefined;
}

/** The text that {@link parseEndpoint} reads back. */
export function formatEndpoint(endpoint: Endpoint): string {
  const prefix = endpoint.listen === true ? LISTEN : '';
  if (endpoint.kind === 'unix') return `${prefix}unix:${endpoint.path}`;
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `${prefix}tcp:${host}:${endpoint.port}`;
}

function parseUnix(path: string): Place | undefined {
  const isUsable =
    path.startsWith('/') &&
    !path.endsWith('/') &&
    !path.includes('\0') &&
    Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
  return isUsable ? { kind: 'unix', path } : undefined;
}

function parseTcp(text: string): Place | undefined {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[A-Za-z0-9._-]+)):(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.['port']);
  if (!Number.isInteger(port) || port < 1 || port > 65535) return undefined;

  const v6 = match?.groups?.['v6'];
  if (v6 !== undefined) return isIPv6(v6) ? { kind: 'tcp', host: v6, port } : undefined;
  const host = match?.groups?.['name'];
  return host === undefined ? undefined : { kind: 'tcp', host, port };
}
