import { canonicalAddress } from './client-address.js';

/** Where a client's datagrams come from. */
export interface RealAddress {
  readonly family: 4 | 6;
  readonly address: string;
  /** Undefined where OpenVPN 2.5 and 2.6 leave it out: with IPv6. */
  readonly port: number | undefined;
  /** Undefined before 2.7. */
  readonly protocol: 'udp' | 'tcp' | undefined;
}

/**
 * Parses the column "Real Address": `192.0.2.1:1194` and `2001:db8::1` (2.5, 2.6), `udp4:192.0.2.1:1194`,
 * `tcp4-server:192.0.2.1:5`, `udp6:[2001:db8::1]:5` (2.7).
 *
 * @returns undefined for any other text
 */
export function parseRealAddress(text: string): RealAddress | undefined {
  const only = text.indexOf(':');
  // The usual form needs no patterns: a table has one for each client.
  const usual =
    only !== -1 && only === text.lastIndexOf(':')
      ? withPort(text.slice(0, only), text.slice(only + 1), undefined)
      : undefined;
  if (usual !== undefined) return usual;
  const match = /^(?:(udp|tcp)[46]?(?:-server|-client)?:)?(.+)$/.exec(text);
  const protocol = match?.[1] === 'udp' || match?.[1] === 'tcp' ? match[1] : undefined;
  const rest = match?.[2] ?? '';
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(rest);
  if (bracketed !== null) return withPort(bracketed[1] ?? '', bracketed[2], protocol);
  const whole = canonicalAddress(rest);
  if (whole !== undefined) return { ...whole, port: undefined, protocol };
  const colon = rest.lastIndexOf(':');
  return colon === -1 ? undefined : withPort(rest.slice(0, colon), rest.slice(colon + 1), protocol);
}

function withPort(
  host: string,
  portText: string | undefined,
  protocol: 'udp' | 'tcp' | undefined,
): RealAddress | undefined {
  const canonical = canonicalAddress(host);
  if (canonical === undefined) return undefined;
  const { family, address } = canonical;
  if (portText === undefined) return { family, address, port: undefined, protocol };
  if (!/^\d{1,5}$/.test(portText) || Number(portText) > 65535) return undefined;
  return { family, address, port: Number(portText), protocol };
}
