import { formatNetwork, parseNetwork } from '../../rules/address.js';
import {
  type ConfiguredTransport,
  DEVICE_NAME,
  formatConfiguredTransport,
  parseConfiguredTransport,
} from './places.js';

/** One entry of the setting `tunnels`: a device of another VPN program. */
export interface ConfiguredTunnel {
  readonly device: string;
  /** Networks that it leads to, at least one: canonical `address/length`, or one address. */
  readonly networks: readonly string[];
  /** The sockets of that program; none if its own packets need no gateway. */
  readonly transports: readonly ConfiguredTransport[];
}

export const TUNNEL_EXPECTED =
  '{device, networks, transport} or "DEVICE NETWORK... [udp/PORT]", for example "tun5 10.9.0.0/16 udp/4789"';

const MEMBERS = new Set(['device', 'networks', 'transport']);

/** A socket among the words of an entry. */
const TRANSPORT_WORD = /^(udp|tcp)\//i;

/** Reads an entry, text or a mapping of YAML; `expected` completes an error. */
export function parseTunnel(raw: unknown): { readonly tunnel: ConfiguredTunnel } | { readonly expected: string } {
  if (typeof raw === 'string') return parseText(raw);
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return { expected: TUNNEL_EXPECTED };
  const unknown = Object.keys(raw).find((key) => !MEMBERS.has(key));
  if (unknown !== undefined) return { expected: `{device, networks, transport}, not ${unknown}` };
  const { device, networks, transport }: Readonly<Record<string, unknown>> = { ...raw };
  return tunnelOf(device, listOf(networks), listOf(transport));
}

/** As YAML holds it. */
export function plainTunnel({ device, networks, transports }: ConfiguredTunnel): unknown {
  return {
    device,
    networks,
    ...(transports.length === 0 ? {} : { transport: transports.map((item) => formatConfiguredTransport(item)) }),
  };
}

function parseText(text: string): ReturnType<typeof parseTunnel> {
  const [device, ...words] = text.trim().split(/\s+/);
  return tunnelOf(
    device,
    words.filter((word) => !TRANSPORT_WORD.test(word)),
    words.filter((word) => TRANSPORT_WORD.test(word)),
  );
}

function tunnelOf(
  device: unknown,
  networks: readonly unknown[],
  sockets: readonly unknown[],
): ReturnType<typeof parseTunnel> {
  if (typeof device !== 'string' || !DEVICE_NAME.test(device))
    return { expected: `${TUNNEL_EXPECTED}: a device name of 1..15 characters` };
  const parsed = networks.map((item) => (typeof item === 'string' ? parseNetwork(item) : null));
  const known = parsed.filter((network) => network !== null && network.prefixLength > 0) as NonNullable<
    (typeof parsed)[number]
  >[];
  if (known.length === 0 || known.length < parsed.length)
    return {
      expected: `networks of ${device}: NETWORK/LENGTH or an address, with a length of at least 1, because a default route would take over the endpoint's own traffic`,
    };
  const transports = sockets.map((item) => (typeof item === 'string' ? parseConfiguredTransport(item) : undefined));
  const usable = transports.filter((item) => item !== undefined && item.endpoint === null) as ConfiguredTransport[];
  if (usable.length < transports.length)
    return { expected: `transport of ${device}: "udp/PORT", "tcp/ADDRESS:PORT" or "udp/[IPV6]:PORT"` };
  return {
    tunnel: { device, networks: [...new Set(known.map((network) => formatNetwork(network)))], transports: usable },
  };
}

/** One value stands for a list of one; nothing for none. */
function listOf(raw: unknown): readonly unknown[] {
  if (raw === undefined || raw === null) return [];
  return Array.isArray(raw) ? raw : [raw];
}
