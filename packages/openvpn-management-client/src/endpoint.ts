import { ManagementError } from './errors.js';

/** Where the management interface listens. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Longest path of a unix socket on Linux (sockaddr_un.sun_path less its NUL); Node cuts a longer one in silence. */
const MAX_PATH_BYTES = 107;

/**
 * Parses `unix:/run/openvpn/management.sock`, `tcp:127.0.0.1:7505`, `tcp:[::1]:7505`; `//` after the scheme is
 * allowed.
 *
 * @throws ManagementError MGMT_ARGUMENT
 */
export function parseEndpoint(text: string): Endpoint {
  const unix = /^unix:(?:\/\/(?=\/))?(.+)$/s.exec(text)?.[1];
  if (unix !== undefined) {
    const length = Buffer.byteLength(unix);
    if (length > MAX_PATH_BYTES)
      throw new ManagementError(
        'MGMT_ARGUMENT',
        `endpoint "${text}": the path has ${length} bytes, more than the ${MAX_PATH_BYTES} of a unix socket`,
      );
    return { kind: 'unix', path: unix };
  }
  const tcp = /^tcp:(?:\/\/)?(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(tcp?.[3] ?? 0);
  if (tcp === null || port < 1 || port > 65535) {
    throw new ManagementError('MGMT_ARGUMENT', `endpoint "${text}" is neither unix:PATH nor tcp:HOST:PORT`);
  }
  return { kind: 'tcp', host: tcp[1] ?? tcp[2] ?? '', port };
}

/** The text that {@link parseEndpoint} reads. */
export function formatEndpoint(endpoint: Endpoint): string {
  switch (endpoint.kind) {
    case 'unix':
      return `unix:${endpoint.path}`;
    case 'tcp':
      return `tcp:${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`;
    default:
      return '';
  }
}
