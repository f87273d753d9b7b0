import { formatNetwork, parseNetwork } from '../../rules/address.js';
import { isMac, isUnicastMac } from '../../rules/mac-address.js';
import { formatEndpoint, parseEndpoint } from 'openvpn-management-client/endpoint';

/** One entry of the setting `networks`. */
export interface ConfiguredNetwork {
  /** Canonical `address/length`, or one address. */
  readonly network: string;
  /** The tunnel device that leads there; null: the one that there is. */
  readonly device: string | null;
}

/** The setting `uplink`: a router, by its link-layer address or by an IP address that the device's link has. */
export interface ConfiguredUplink {
  readonly device: string;
  /** Lower case, colons; null where the address stands for it. */
  readonly mac: string | null;
  /** Canonical IP address; null if the MAC is given. */
  readonly address: string | null;
}

/** One entry of the setting `transport`: a socket that OpenVPN serves. */
export interface ConfiguredTransport {
  readonly protocol: 'udp' | 'tcp';
  /** Canonical IP address; null: every address. */
  readonly address: string | null;
  /** 1..65535 */
  readonly port: number;
  /** The management endpoint of that OpenVPN, as in `management.endpoints`; null: every one. */
  readonly endpoint: string | null;
}

/** One entry of the settings `gateways.exclude` and `gateways.only`. */
export interface ConfiguredSource {
  /** Null: on every link. */
  readonly device: string | null;
  /** Lower case, colons; null where the address stands for it. */
  readonly mac: string | null;
  /** Canonical IP address; null if the MAC is given. */
  readonly address: string | null;
  /** Null: both. */
  readonly scope: 'clients' | 'transport' | null;
}

export const SOURCE_EXPECTED =
  'a unicast MAC address or an IP address, optionally preceded by a device name and followed by clients or transport, for example "lan0 192.0.2.1 transport"';
export const NETWORK_EXPECTED =
  'NETWORK/LENGTH or an address, with a length of at least 1, optionally followed by @DEVICE';
export const UPLINK_EXPECTED =
  'a device name, a blank, and a unicast MAC address or an IP address, for example "lan0 192.0.2.1"';

export const TRANSPORT_EXPECTED =
  '"udp/PORT", "tcp/ADDRESS:PORT" or "udp/[IPV6]:PORT", optionally followed by @ENDPOINT, for example "udp/1194"';

/** The name of a network device: dev_valid_name() in net/core/dev.c; IFNAMSIZ is 16 with the terminating zero. */
export const DEVICE_NAME = /^(?!\.{1,2}$)[^\s/:\0]{1,15}$/;

/** Reads an entry of `networks`; undefined if the text is none. */
export function parseConfiguredNetwork(text: string): ConfiguredNetwork | undefined {
  const at = text.indexOf('@');
  const device = at === -1 ? null : text.slice(at + 1);
  const network = parseNetwork(at === -1 ? text : text.slice(0, at));
  if (network === null || network.prefixLength === 0 || (device !== null && !DEVICE_NAME.test(device)))
    return undefined;
  return { network: formatNetwork(network), device };
}

/** The text that {@link parseConfiguredNetwork} reads back. */
export function formatConfiguredNetwork({ network, device }: ConfiguredNetwork): string {
  return device === null ? network : `${network}@${device}`;
}

/** Reads the setting `uplink`; undefined if the text is none. */
export function parseConfiguredUplink(text: string): ConfiguredUplink | undefined {
  const [device = '', where = '', ...more] = text.trim().split(/\s+/);
  if (more.length > 0 || !DEVICE_NAME.test(device)) return undefined;
  const mac = where.toLowerCase();
  if (isMac(mac)) return isUnicastMac(mac) ? { device, mac, address: null } : undefined;
  const address = where.includes('/') ? null : parseNetwork(where);
  return address === null ? undefined : { device, mac: null, address: address.address };
}

/** The text that {@link parseConfiguredUplink} reads back. */
export function formatConfiguredUplink({ device, mac, address }: ConfiguredUplink): string {
  return `${device} ${mac ?? address ?? ''}`;
}

/** Reads an entry of `transport`; undefined if the text is none. */
export function parseConfiguredTransport(text: string): ConfiguredTransport | undefined {
  const match = /^(udp|tcp)\/(?:(?:\[([0-9a-f:.]+)\]|([0-9.]+)):)?(\d{1,5})(?:@(.+))?$/i.exec(text);
  const [, protocol, v6, v4, digits, at] = match ?? [];
  const host = v6 ?? v4;
  const network = host === undefined ? null : parseNetwork(host);
  const endpoint = at === undefined ? undefined : parseEndpoint(at);
  const port = Number(digits);
  if (
    match === null ||
    !(port >= 1 && port <= 65535) ||
    (host !== undefined && network?.family !== (v6 === undefined ? 4 : 6)) ||
    (at !== undefined && endpoint === undefined)
  )
    return undefined;
  const isAny = network === null || network.address === '0.0.0.0' || network.address === '::';
  return {
    protocol: protocol?.toLowerCase() === 'tcp' ? 'tcp' : 'udp',
    address: isAny ? null : network.address,
    port,
    endpoint: endpoint === undefined ? null : formatEndpoint(endpoint),
  };
}

/** The text that {@link parseConfiguredTransport} reads back. */
export function formatConfiguredTransport({ protocol, address, port, endpoint }: ConfiguredTransport): string {
  const host = address === null ? '' : `${address.includes(':') ? `[${address}]` : address}:`;
  return `${protocol}/${host}${port}${endpoint === null ? '' : `@${endpoint}`}`;
}

/** Reads an entry of `gateways.exclude` or `gateways.only`; undefined if the text is none. */
export function parseConfiguredSource(text: string): ConfiguredSource | undefined {
  const words = text.trim().split(/\s+/);
  const last = words.at(-1);
  const scope = last === 'clients' || last === 'transport' ? last : null;
  const [first = '', second, ...more] = scope === null ? words : words.slice(0, -1);
  if (more.length > 0) return undefined;
  // A device name takes the place of a missing one.
  const place = parseConfiguredUplink(`${second === undefined ? 'any' : first} ${second ?? first}`);
  return place === undefined
    ? undefined
    : { device: second === undefined ? null : place.device, mac: place.mac, address: place.address, scope };
}

/** The text that {@link parseConfiguredSource} reads back. */
export function formatConfiguredSource({ device, mac, address, scope }: ConfiguredSource): string {
  return [device, mac ?? address, scope].filter((word) => word !== null).join(' ');
}

/** How replies of gateways are addressed: `source` is where their frames come from. */
export const ANSWER_POLICIES = ['source', 'pin', 'virtual', 'resolved'] as const;
export type AnswerPolicy = (typeof ANSWER_POLICIES)[number];

/** One entry of the setting `gateways.answer`. */
export interface ConfiguredAnswer {
  readonly device: string;
  readonly policy: AnswerPolicy;
  /** Canonical; for `virtual` and `resolved`: one or two, one of a family. */
  readonly addresses: readonly string[];
  /** MAC or IP addresses of the gateways that are meant; none: every gateway of the device. */
  readonly from: readonly { readonly mac: string | null; readonly address: string | null }[];
}

export const ANSWER_EXPECTED =
  '"DEVICE source", "DEVICE pin", "DEVICE virtual ADDRESS" or "DEVICE resolved ADDRESS", with an address of each family at most, optionally followed by "from" and MAC or IP addresses of gateways, for example "lan0 virtual 192.0.2.1 from 192.0.2.2 192.0.2.3"';

/** Reads an entry of `gateways.answer`; undefined if the text is none. */
export function parseConfiguredAnswer(text: string): ConfiguredAnswer | undefined {
  const words = text.trim().split(/\s+/);
  const split = words.indexOf('from');
  const [device = '', name = '', ...rest] = split === -1 ? words : words.slice(0, split);
  const policy = ANSWER_POLICIES.find((known) => known === name);
  if (!DEVICE_NAME.test(device) || policy === undefined) return undefined;
  const networks = rest.map((word) => (word.includes('/') ? null : parseNetwork(word)));
  const addresses = networks.flatMap((network) => network?.address ?? []);
  const families = new Set(networks.map((network) => network?.family));
  const needed = policy === 'virtual' || policy === 'resolved';
  if (addresses.length !== rest.length || families.size !== rest.length || addresses.length > 0 !== needed)
    return undefined;
  const from = split === -1 ? [] : words.slice(split + 1).map((word) => parseConfiguredSource(word));
  if (split !== -1 && from.length === 0) return undefined;
  const senders = from.flatMap((sender) =>
    sender === undefined ? [] : [{ mac: sender.mac, address: sender.address }],
  );
  return senders.length === from.length ? { device, policy, addresses, from: senders } : undefined;
}

/** The text that {@link parseConfiguredAnswer} reads back. */
export function formatConfiguredAnswer({ device, policy, addresses, from }: ConfiguredAnswer): string {
  const senders = from.map(({ mac, address }) => mac ?? address ?? '');
  return [device, policy, ...addresses, ...(senders.length === 0 ? [] : ['from', ...senders])].join(' ');
}
