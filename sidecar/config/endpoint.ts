import { resolve } from 'node:path';

import { type Endpoint, ENDPOINT_EXPECTED, formatEndpoint, parseEndpoint } from 'openvpn-management-client';

/** An endpoint of the setting `management.endpoints`. */
export type ConfiguredEndpoint = Endpoint & {
  /** Where this OpenVPN's management password is; without, `management.passwordFile`. */
  readonly passwordFile?: string;
};

/** What {@link parseConfiguredEndpoint} understands. */
export const CONFIGURED_ENDPOINT_EXPECTED = `${ENDPOINT_EXPECTED}, or in YAML a mapping of such an "address" and a "passwordFile"`;

/** Reads what `parseEndpoint` does, and `{ address, passwordFile }`; undefined if it is neither. */
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

/** With the password file's path taken from `directory`, if it is relative. */
export function endpointFrom(endpoint: ConfiguredEndpoint, directory: string): ConfiguredEndpoint {
  const { passwordFile } = endpoint;
  return passwordFile === undefined ? endpoint : { ...endpoint, passwordFile: resolve(directory, passwordFile) };
}
