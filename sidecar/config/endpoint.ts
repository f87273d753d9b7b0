import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';

/**
 * Longest path of a unix socket in bytes: `sun_path` has 108, one of them for the terminating zero.
 * @see unix(7), "Address format"
 */
export const MAX_SOCKET_PATH_BYTES = 107;

/** Where OpenVPN's management interface listens. */
export type ManagementEndpoint =
  | { readonly kind: 'unix'; readonly path: string }
  /** IPv6 hosts stand here without brackets. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** An endpoint of the setting `management.endpoints`. */
export type ConfiguredEndpoint = ManagementEndpoint & {
  /** Where this OpenVPN's management password is; without, `management.passwordFile`. */
  readonly passwordFile?: string;
};

/** What {@link parseEndpoint} understands, in words for a message. */
export const ENDPOINT_EXPECTED = `"unix:/path" (absolute, at most ${MAX_SOCKET_PATH_BYTES} bytes) or "tcp:host:port" (IPv6 as "tcp:[::1]:7505")`;

/** Reads `unix:/path` or `tcp:host:port`; undefined where the text is neither. */
export function parseEndpoint(text: string): ManagementEndpoint | undefined {
  if (text.startsWith('unix:')) return parseUnix(text.slice('unix:'.length));
  if (text.startsWith('tcp:')) return parseTcp(text.slice('tcp:'.length));
  return undefined;
}

/** What {@link parseConfiguredEndpoint} understands. */
export const CONFIGURED_ENDPOINT_EXPECTED = `${ENDPOINT_EXPECTED}, or in YAML a mapping of such an "address" and a "passwordFile"`;

/** Reads what {@link parseEndpoint} does, and `{ address, passwordFile }`; undefined where it is neither. */
export function parseConfiguredEndpoint(value: unknown): ConfiguredEndpoint | undefined {
  if (typeof value === 'string') return parseEndpoint(value);
  if (typeof value !== 'object' || value === null) return undefined;
  const { address, passwordFile, ...others }: { readonly address?: unknown; readonly passwordFile?: unknown } = value;
  const endpoint = typeof address === 'string' ? parseEndpoint(address) : undefined;
  if (endpoint === undefined || Object.keys(others).length > 0) return undefined;
  if (passwordFile === undefined) return endpoint;
  return typeof passwordFile === 'string' && passwordFile !== '' && !passwordFile.includes('\0')
    ? { ...endpoint, passwordFile }
    : undefined;
}

/** The value that {@link parseConfiguredEndpoint} reads back. */
export function plainEndpoint(
  endpoint: ConfiguredEndpoint,
): string | { readonly address: string; readonly passwordFile: string } {
  const { passwordFile } = endpoint;
  return passwordFile === undefined ? formatEndpoint(endpoint) : { address: formatEndpoint(endpoint), passwordFile };
}

/** With the password file's path taken from `directory`, where it is relative. */
export function endpointFrom(endpoint: ConfiguredEndpoint, directory: string): ConfiguredEndpoint {
  const { passwordFile } = endpoint;
  return passwordFile === undefined ? endpoint : { ...endpoint, passwordFile: resolve(directory, passwordFile) };
}

/** The text that {@link parseEndpoint} reads back; the name of a server in status, logs and messages. */
export function formatEndpoint(endpoint: ManagementEndpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `tcp:${host}:${endpoint.port}`;
}

function parseUnix(path: string): ManagementEndpoint | undefined {
  const isUsable =
    path.startsWith('/') &&
    !path.endsWith('/') &&
    !path.includes('\0') &&
    Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
  return isUsable ? { kind: 'unix', path } : undefined;
}

function parseTcp(text: string): ManagementEndpoint | undefined {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[A-Za-z0-9._-]+)):(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.['port']);
  if (!Number.isInteger(port) || port < 1 || port > 65535) return undefined;

  const v6 = match?.groups?.['v6'];
  if (v6 !== undefined) return isIPv6(v6) ? { kind: 'tcp', host: v6, port } : undefined;
  const host = match?.groups?.['name'];
  return host === undefined ? undefined : { kind: 'tcp', host, port };
}
