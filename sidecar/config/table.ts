import {
  choice,
  devices,
  endpoints,
  integer,
  type Kind,
  listener,
  mask,
  networks,
  nexthops,
  path,
  sources,
  text,
  toggle,
  transports,
  uplink,
} from './setting-types.js';

/** How many routing tables from `routing.tableBase` on are ours, the last included: one a gateway and some spare. */
export const ROUTING_TABLES = 301;
/** How many rule priorities from `routing.priority` on are ours. */
export const RULE_PRIORITIES = 300;
/** How many rule priorities from `routing.fallbackPriority` on are ours. */
export const FALLBACK_PRIORITIES = 16;

/** Priority of the rule for the main table: the fallback comes after it, all else before. @see ip-rule(8) */
const MAIN_RULE_PRIORITY = 32766;
const MAX_UINT32 = 0xffff_ffff;
/** Tables 253, 254 and 255 are default, main and local. @see ip-route(8) */
const FIRST_FREE_TABLE = 256;

/**
 * THE table of settings: YAML path, and from it the environment variable and the flag; type, range, default and
 * meaning. Parsing, `--help` and `docs/reference/settings.md` all come from here.
 */
export const SETTINGS_TABLE = {
  'management.endpoints': endpoints({
    default: [],
    doc: 'Where OpenVPN listens for management (`--management` in its configuration). At least one for `run`. In YAML also short: `management: unix:/path`, or a list, of which an entry with a management password of its own is a mapping: `{address: unix:/path, passwordFile: /path}`.',
  }),
  'management.passwordFile': path<string | null>({
    default: null,
    doc: 'A file whose one line is the management password, of every endpoint that names no other file; one trailing newline is dropped. It is read at every attempt to connect. A refused password leaves that one server not ready, and is tried again after three times `management.backoffMaxMs`, and on SIGHUP.',
  }),
  'management.connectTimeoutMs': integer({
    min: 100,
    max: 60_000,
    unit: 'ms',
    default: 5000,
    doc: 'How long a connection to a management socket may take.',
  }),
  'management.commandTimeoutMs': integer({
    min: 100,
    max: 60_000,
    unit: 'ms',
    default: 5000,
    doc: 'How long OpenVPN may take to answer a command.',
  }),
  'management.snapshotIntervalMs': integer({
    min: 1000,
    max: 3_600_000,
    unit: 'ms',
    default: 30_000,
    doc: 'How often the list of clients is read to heal what events did not say.',
  }),
  'management.pollIntervalMs': integer({
    min: 500,
    max: 3_600_000,
    unit: 'ms',
    default: 5000,
    doc: 'The same where OpenVPN runs without `--management-client-auth` and so does not tell that a client left.',
  }),
  'management.backoffMinMs': integer({
    min: 10,
    max: 60_000,
    unit: 'ms',
    default: 250,
    doc: 'The first pause before a lost management socket is tried again; it doubles from there, with jitter.',
  }),
  'management.backoffMaxMs': integer({
    min: 100,
    max: 600_000,
    unit: 'ms',
    default: 10_000,
    doc: 'The longest such pause. Not less than `management.backoffMinMs`.',
  }),
  'management.role': choice({
    of: ['auto', 'server', 'client'],
    default: 'auto',
    doc: 'What the OpenVPN behind the management sockets is. `auto` asks each of them: a server answers `status` with its clients, a client with statistics. Only one that waits under `--management-hold` cannot tell before it is released.',
  }),
  transport: transports({
    default: [],
    doc: "The sockets on which an OpenVPN server serves its clients, for example `udp/1194, tcp/192.0.2.10:443`; of one among several OpenVPNs `udp/1194@unix:/run/openvpn/a.sock`. Overrules everything else. Without: what OpenVPN's process, its log, its options and its events tell, in that order; a server of which it is not known is not ready.",
  }),
  networks: networks({
    default: [],
    doc: 'Beside an OpenVPN client: networks that its tunnel leads to, `NETWORK` or `NETWORK@DEVICE` (of several tunnels). They come in addition to those that the server pushed and to the routes of the tunnel device; needed where OpenVPN has neither, as under `--route-nopull`.',
  }),
  uplink: uplink({
    default: null,
    doc: "The router to which packets go that begin here and that no route explains, an OpenVPN client's own among them: its device and its MAC address or its IP address, for example `lan0 192.0.2.1`. Without: the router that OpenVPN's own packets came from, or that captured frames were bound for; an OpenVPN client that no packet reached yet tries the known routers in turn.",
  }),
  authorize: choice({
    of: ['none', 'accept'],
    default: 'none',
    doc: 'Whether the sidecar answers logins that OpenVPN asks about over the management socket. `accept` lets in every client that has a valid certificate or password; `none` leaves the answer to another program. Logins that were asked while no sidecar was attached are answered once it is; use `management-hold` beside it, see the guide to the management interface.',
  }),
  hold: choice({
    of: ['release', 'leave'],
    default: 'release',
    doc: 'Whether an OpenVPN that waits under `--management-hold` is released once the sidecar listens.',
  }),
  datapath: choice({
    of: ['auto', 'nexthop', 'module'],
    default: 'auto',
    doc: 'How packets are sent by MAC address. `nexthop` needs no kernel code; `module` needs gwmark.ko; `auto` takes the module where it is loaded or can be.',
  }),
  devices: devices({
    default: [],
    doc: 'The Ethernet devices on which gateways are learnt. Empty: every Ethernet device of the network namespace.',
  }),
  table: text({
    default: 'gwmark',
    type: 'nft identifier',
    expected: 'a name of 1..64 letters, digits, "_" and ".", that begins with a letter',
    pattern: /^[A-Za-z][A-Za-z0-9_.]{0,63}$/,
    doc: 'Name of the nftables table, family inet. The table is wholly ours. With iptables, where it has at most 16 characters, chains and sets are named after it: `gwmark-in`.',
  }),
  firewall: choice({
    of: ['auto', 'nftables', 'iptables'],
    default: 'auto',
    doc: 'What rules are made with. `auto`: what an earlier run left, else nftables, else (without libnftables and `nft`, or in a kernel without nf_tables) iptables with ipset.',
  }),
  'iptables.flavour': choice({
    of: ['auto', 'legacy', 'nft'],
    default: 'auto',
    doc: 'Which iptables, where iptables is used. `auto`: the flavour that holds rules, else what the name `iptables` runs. The two are never mixed: packets pass the rules of both.',
  }),
  executor: choice({
    of: ['auto', 'library', 'process'],
    default: 'auto',
    doc: 'How nftables is spoken to: `library` calls libnftables in the process, `process` spawns `nft`, `auto` prefers the library.',
  }),
  'mark.mask': mask({
    default: 0xff00_0000,
    doc: 'The bits of packet marks and conntrack marks that are ours.',
  }),
  'routing.protocol': integer({
    min: 5,
    max: 255,
    default: 147,
    doc: 'The number that our routes, rules and neighbours bear (`ip route show proto 147`). Not one that a routing daemon uses, see /etc/iproute2/rt_protos.',
  }),
  'routing.tableBase': integer({
    min: FIRST_FREE_TABLE,
    max: MAX_UINT32 - (ROUTING_TABLES - 1),
    default: 7700,
    doc: `The first of ${ROUTING_TABLES} consecutive routing tables that are ours.`,
  }),
  'routing.priority': integer({
    min: 1,
    max: 32_000,
    default: 10_000,
    doc: `The first of ${RULE_PRIORITIES} consecutive rule priorities that are ours, all before the main table (${MAIN_RULE_PRIORITY}).`,
  }),
  'routing.fallbackPriority': integer({
    min: MAIN_RULE_PRIORITY + 2,
    max: MAX_UINT32 - (FALLBACK_PRIORITIES - 1),
    default: 40_000,
    doc: `The first of ${FALLBACK_PRIORITIES} consecutive rule priorities after every other table: packets that no route explains go to the uplink.`,
  }),
  'routing.nexthop4': nexthops({
    family: 4,
    default: '169.254.119.0/24',
    doc: 'The network of stand-in next hops, one a gateway. The addresses are never sent on a wire; they must not be in use.',
  }),
  'routing.nexthop6': nexthops({
    family: 6,
    default: 'fe80::6777:6d61:726b:0/112',
    doc: 'The same for IPv6.',
  }),
  'routing.rereadIntervalMs': integer({
    min: 1000,
    max: 3_600_000,
    unit: 'ms',
    default: 30_000,
    doc: 'How often neighbours, devices, addresses, rules and routes are read from the kernel, beside its events, some of which may be lost.',
  }),
  'gateways.max': integer({
    min: 1,
    max: 254,
    default: 200,
    doc: 'How many gateways are known at most. Less than the largest number that fits `mark.mask`.',
  }),
  'gateways.pollIntervalMs': integer({
    min: 100,
    max: 60_000,
    unit: 'ms',
    default: 1000,
    doc: 'How often the set of MAC addresses that the packet path saw is read.',
  }),
  'gateways.learnOnlink': toggle({
    default: false,
    doc: 'Whether a host that talks to the VPN from our own link is a gateway too. ARP serves it without.',
  }),
  'gateways.exclude': sources({
    default: [],
    doc: "Senders whose frames teach nothing: answers of their flows take the normal route. A MAC address or an IP address, with a device before it or on any; an address stands for the MAC that the neighbour table has for it, and follows it. With `clients` behind it only for flows of clients, with `transport` only for OpenVPN's own packets. For balancers that pass packets on without translating them (DSR), and routers that do not take answers.",
  }),
  'gateways.only': sources({
    default: [],
    doc: 'The only senders whose frames teach; the same words as in `gateways.exclude`, which goes before it. An entry with `clients` or `transport` restricts those flows alone. Empty: everybody.',
  }),
  sysctl: choice({
    of: ['manage', 'leave'],
    default: 'manage',
    doc: 'Whether the sidecar turns IPv4 and IPv6 forwarding on, with `accept_ra=2` on each card that had 1, so that it keeps its router; for OpenVPN over UDP and IPv6 with the datapath `nexthop` also `net.ipv6.fwmark_reflect`, for path MTUs; with the datapath `module` rp_filter of the devices off. `gwmark down` sets them back.',
  }),
  conntrack: choice({
    of: ['flush', 'keep'],
    default: 'flush',
    doc: 'Whether the connection tracking entries of a client that left are deleted: before another gets its address, or after 15 minutes.',
  }),
  controlSocket: path<string>({
    default: '/run/gwmark/gwmark.sock',
    doc: 'The unix socket on which the sidecar serves its status. At most 107 bytes long.',
  }),
  'metrics.listen': listener({
    doc: 'Where `/metrics`, `/livez` and `/readyz` are served for Prometheus and for probes; see metrics.md. They ask for no password: choose a unix socket, loopback or a network that you trust.',
  }),
  'log.level': choice({
    of: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    doc: 'The least urgent events that are logged.',
  }),
  'log.format': choice({
    of: ['auto', 'json', 'pretty'],
    default: 'auto',
    doc: 'One event a line on standard error: `json` objects or `pretty` text; `auto` is pretty on a terminal and json elsewhere.',
  }),
} as const satisfies Record<string, Kind<unknown>>;

export type SettingPath = keyof typeof SETTINGS_TABLE;

/** The parsed values by path. */
export type FlatSettings = {
  readonly [Path in SettingPath]: (typeof SETTINGS_TABLE)[Path] extends Kind<infer Value> ? Value : never;
};

/** A row with its names. */
export interface Setting extends Kind<unknown> {
  readonly path: SettingPath;
  /** With the leading dashes. */
  readonly flag: string;
  /** Name of the environment variable. */
  readonly env: string;
}

/** Names that do not follow from the path. */
const SHORT_NAMES: Readonly<Partial<Record<SettingPath, string>>> = { 'management.endpoints': 'management' };

/** All rows, in the order of the table. */
export const SETTINGS: readonly Setting[] = Object.entries(SETTINGS_TABLE).map(([key, kind]) => {
  // Object.entries widens the key; it is a key of the table.
  const settingPath = key as SettingPath;
  const words = wordsOf(SHORT_NAMES[settingPath] ?? settingPath);
  return {
    // toPlain of a row is only ever given a value that its own schema made.
    ...(kind as Kind<unknown>),
    path: settingPath,
    flag: `--${words.join('-')}`,
    env: `GWMARK_${words.join('_').toUpperCase()}`,
  };
});

/** The row of a path. */
export function settingOf(wanted: SettingPath): Setting {
  const row = SETTINGS.find((setting) => setting.path === wanted);
  if (row === undefined) throw new Error(`no setting ${wanted}`);
  return row;
}

/** `management.passwordFile` -> management, password, file */
function wordsOf(name: string): readonly string[] {
  return name.replaceAll(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`).split('.');
}
