import { resolve } from 'node:path';

import { type Endpoint, ENDPOINT_EXPECTED, formatEndpoint, parseEndpoint } from 'openvpn-management-client/endpoint';

/** An endpoint of the setting `management.endpoints`. */
export type ConfiguredEndpoint = Endpoint & {
  /** Where this OpenVPN's management password is; without, `management.passwordFile`. */
  readonly passwordFile?: string;
  /** Of the socket file of `listen:unix:`, 0..0o777; without, 0600. */
  readonly mode?: number;
  /** Of the socket file of `listen:unix:`: `USER`, `USER:GROUP` or `:GROUP`, names or numbers; without, ours. */
  readonly owner?: string;
};

/** What {@link parseConfiguredEndpoint} understands. */
export const CONFIGURED_ENDPOINT_EXPECTED = `${ENDPOINT_EXPECTED}, or in YAML a mapping of such an "address" and a "passwordFile", for "listen:unix:" also the "mode" (as "0660") and "owner" (as "openvpn:openvpn") of the socket`;

/** As chown(1) takes it. */
const OWNER = /^(?:[a-z_][a-z0-9_.-]*|\d+)?(?::(?:[a-z_][a-z0-9_.-]*|\d+))?$/i;
const MODE = /^0?[0-7]{3}$/;

/** Reads what `parseEndpoint` does, and `{ address, passwordFile, mode, owner }`; undefined where it is neither. */
export function parseConfiguredEndpoint(value: unknown): ConfiguredEndpoint | undefined {
  if (typeof value === 'string') return parseEndpoint(value);
  if (typeof value !== 'object' || value === null) return undefined;
  const {
    address,
    passwordFile,
    mode,
    owner,
    ...others
  }: { readonly [key in 'address' | 'passwordFile' | 'mode' | 'owner']?: unknown } = value;
  const endpoint = typeof address === 'string' ? parseEndpoint(address) : undefined;
  if (endpoint === undefined || Object.keys(others).length > 0) return undefined;
  const isSocketFile = endpoint.listen === true && endpoint.kind === 'unix';
  if (!isSocketFile && (mode !== undefined || owner !== undefined)) return undefined;
  const [modeBits, ownerName] = [parseMode(mode), parseOwner(owner)];
  if (modeBits === null || ownerName === null) return undefined;
  const isFile = typeof passwordFile === 'string' && passwordFile !== '' && !passwordFile.includes('\0');
  if (passwordFile !== undefined && !isFile) return undefined;
  return {
    ...endpoint,
    ...(isFile ? { passwordFile } : {}),
    ...(modeBits === undefined ? {} : { mode: modeBits }),
    ...(ownerName === undefined ? {} : { owner: ownerName }),
  };
}

/** Reads the mode of a socket file, `0660`; null if it is none, undefined without one. */
export function parseMode(mode: unknown): number | null | undefined {
  if (mode === undefined) return undefined;
  return typeof mode === 'string' && MODE.test(mode) ? Number.parseInt(mode, 8) : null;
}

/** The text that {@link parseMode} reads back. */
export function plainMode(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Reads the owner of a socket file, as chown(1) takes it; null if it is none, undefined without one. */
export function parseOwner(owner: unknown): string | null | undefined {
  if (owner === undefined) return undefined;
  return typeof owner === 'string' && owner !== '' && OWNER.test(owner) ? owner : null;
}

/** The value that {@link parseConfiguredEndpoint} reads back. */
export function plainEndpoint(endpoint: ConfiguredEndpoint): string | Readonly<Record<string, string>> {
  const { passwordFile, mode, owner } = endpoint;
  const address = formatEndpoint(endpoint);
  if (passwordFile === undefined && mode === undefined && owner === undefined) return address;
  return {
    address,
    ...(passwordFile === undefined ? {} : { passwordFile }),
    ...(mode === undefined ? {} : { mode: plainMode(mode) }),
    ...(owner === undefined ? {} : { owner }),
  };
}

/** Where it is, whoever listens there: no two endpoints are at one place. */
export function placeOf(endpoint: Endpoint): string {
  return formatEndpoint(
    endpoint.kind === 'unix'
      ? { kind: 'unix', path: endpoint.path }
      : { kind: 'tcp', host: endpoint.host, port: endpoint.port },
  );
}

/** With the password file's path taken from `directory`, if it is relative. */
export function endpointFrom(endpoint: ConfiguredEndpoint, directory: string): ConfiguredEndpoint {
  const { passwordFile } = endpoint;
  return passwordFile === undefined ? endpoint : { ...endpoint, passwordFile: resolve(directory, passwordFile) };
}
