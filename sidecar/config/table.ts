import {
  answers,
  choice,
  devices,
  endpoints,
  integer,
  type Kind,
  listener,
  mask,
  networks,
  nexthops,
  passThroughPlaces,
  path,
  sources,
  text,
  toggle,
  transports,
  uplink,
} from './setting-types.js';
import { tunnels } from './tunnel-type.js';

/** How many routing tables from `routing.tableBase` on are ours, the last included: one per gateway and some spare. */
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
 * meaning. Parsing, the type `Settings`, `--help`, reloading, the settings in the status document and
 * `docs/reference/settings.md` all come from here: a new setting is one row.
 */
export const SETTINGS_TABLE = {
  'management.endpoints': endpoints({
    default: [],
    doc: "OpenVPN's management sockets (`--management` in its configuration). `run` needs at least one, or one of `tunnels` or `wireguard`. Short forms in YAML: `management: unix:/path`, or a list; an entry with its own management password is a mapping `{address: unix:/path, passwordFile: /path}`.",
    isReloadable: true,
  }),
  'management.passwordFile': path<string | null>({
    default: null,
    doc: 'A file with the management password in one line, for every endpoint without its own file. One trailing newline is ignored. gwmark reads it at every attempt to connect. If OpenVPN rejects the password, only that server is not ready; gwmark retries after three times `management.backoffMaxMs`, and on SIGHUP.',
    isReloadable: true,
  }),
  'management.connectTimeoutMs': integer({
    min: 100,
    max: 60_000,
    unit: 'ms',
    default: 5000,
    doc: 'Timeout for connecting to a management socket.',
  }),
  'management.commandTimeoutMs': integer({
    min: 100,
    max: 60_000,
    unit: 'ms',
    default: 5000,
    doc: "Timeout for OpenVPN's answer to a command.",
  }),
  'management.snapshotIntervalMs': integer({
    min: 1000,
    max: 3_600_000,
    unit: 'ms',
    default: 30_000,
    doc: 'How often gwmark reads the list of clients to correct what the events missed.',
    isReloadable: true,
  }),
  'management.pollIntervalMs': integer({
    min: 500,
    max: 3_600_000,
    unit: 'ms',
    default: 5000,
    doc: 'The same if OpenVPN runs without `--management-client-auth` and therefore does not report when a client leaves.',
    isReloadable: true,
  }),
  'management.backoffMinMs': integer({
    min: 10,
    max: 60_000,
    unit: 'ms',
    default: 250,
    doc: 'The first pause before gwmark retries a lost management socket; it doubles each time, with jitter.',
  }),
  'management.backoffMaxMs': integer({
    min: 100,
    max: 600_000,
    unit: 'ms',
    default: 10_000,
    doc: 'The longest such pause. At least `management.backoffMinMs`.',
  }),
  'management.role': choice({
    of: ['auto', 'server', 'client'],
    default: 'auto',
    doc: 'The role of the OpenVPN behind the management sockets. `auto` asks each of them: a server answers `status` with its clients, a client with statistics. Only an OpenVPN that waits because of `--management-hold` cannot answer before it is released.',
  }),
  passThrough: passThroughPlaces({
    default: [],
    doc: "Sockets where other programs use OpenVPN's management interface, 64 at once for each OpenVPN, as if each were alone: see the guide to the management interface. In YAML an entry can have a password (`passwordFile`), the file's `mode` and `owner`, `allow: all`, `allow: read` or a list of commands, and `logins: true` for programs that answer logins, or `false`. Without `allow`: every command at a unix socket that only the user of the sidecar may use, otherwise those that only read.",
  }),
  tunnels: tunnels({
    default: [],
    doc: 'Devices of other VPN programs without a link layer (tinc, vpnc, ocserv, socat; GRE and SIT of the kernel): the name of each, the networks that it leads to, and the sockets of that program, which its own packets are told by. Networks that would take over other traffic are refused, as are those behind an OpenVPN client. A device that is not there is waited for.',
    isReloadable: true,
    isInForce: true,
  }),
  'wireguard.interfaces': devices({
    default: [],
    doc: 'WireGuard interfaces, of the kernel or of a program such as wireguard-go. gwmark reads their peers, allowed IPs and listen port with `wg show`, and follows them. Short form in YAML: `wireguard: [wg0]`.',
    isReloadable: true,
    isInForce: true,
  }),
  'wireguard.handshakeTimeout': integer({
    min: 0,
    max: 86_400,
    unit: 's',
    default: 180,
    doc: 'A peer counts as connected for this long after its last handshake; 0: always. WireGuard gives a session up after 180 s (REJECT_AFTER_TIME); peers that are silent for longer need `PersistentKeepalive`, or 0 here, for hosts to reach them at any time.',
    isReloadable: true,
  }),
  'wireguard.pollIntervalMs': integer({
    min: 100,
    max: 60_000,
    unit: 'ms',
    default: 2000,
    doc: 'How often gwmark reads peers and handshakes: WireGuard has no events.',
    isReloadable: true,
  }),
  transport: transports({
    default: [],
    doc: "The sockets on which an OpenVPN server serves its clients, for example `udp/1194, tcp/192.0.2.10:443`. For one OpenVPN of several: `udp/1194@unix:/run/openvpn/a.sock`. Overrides all other sources. If empty, gwmark finds them from OpenVPN's process, its log, its options and its events, in this order; a server with unknown sockets is not ready.",
    isReloadable: true,
  }),
  networks: networks({
    default: [],
    doc: 'For an OpenVPN client: networks that its tunnel leads to, `NETWORK` or, with several tunnels, `NETWORK@DEVICE`. They are added to those that the server pushed and to the routes of the tunnel device; needed if OpenVPN has neither, as with `--route-nopull`.',
    isReloadable: true,
    isInForce: true,
  }),
  uplink: uplink({
    default: null,
    doc: "The router for packets that start here and have no route, including an OpenVPN client's own packets: its device and its MAC or IP address, for example `lan0 192.0.2.1`. If unset: the router that OpenVPN's own packets came from, or that captured frames were sent to; for an OpenVPN client that has not received a packet yet, gwmark tries the known routers in turn.",
    isInForce: true,
  }),
  authorize: choice({
    of: ['none', 'accept'],
    default: 'none',
    doc: 'Whether the sidecar answers logins that OpenVPN asks about over the management socket. `accept` admits every client that has a valid certificate or password; `none` leaves the answer to another program. The sidecar answers logins that were requested while it was not attached as soon as it attaches; use `management-hold` with it, see the guide to the management interface.',
    isReloadable: true,
    isInForce: true,
  }),
  hold: choice({
    of: ['release', 'leave'],
    default: 'release',
    doc: 'Whether the sidecar releases an OpenVPN that waits because of `--management-hold` once it is ready.',
    isReloadable: true,
    isInForce: true,
  }),
  datapath: choice({
    of: ['auto', 'nexthop', 'module'],
    default: 'auto',
    doc: 'How packets are sent to MAC addresses. `nexthop` needs no kernel module; `module` needs gwmark.ko; `auto` uses the module if it is loaded or can be loaded.',
    isInForce: true,
  }),
  offload: choice({
    of: ['auto', 'on', 'off'],
    default: 'off',
    doc: 'Whether packets from the tunnels to the gateways are offloaded to a flowtable of the kernel, which then forwards them without rules and routing. They bypass PREROUTING, FORWARD and POSTROUTING after the first packets of their flow. `on`: always. `auto`: if no other program has rules there, except for translation of addresses. Only with the datapath `nexthop`, rules made by nftables in process, and a kernel with flowtables: otherwise gwmark does without, and says so. See the guide to offloading.',
    isInForce: true,
  }),
  devices: devices({
    default: [],
    doc: 'The Ethernet devices on which gwmark learns gateways; empty: every Ethernet device of the network namespace.',
    isReloadable: true,
    isInForce: true,
  }),
  inline: choice({
    of: ['auto', 'off'],
    default: 'auto',
    doc: 'Whether gwmark captures frames for VPN addresses that cross a bridge which is one of the `devices`. `auto`: it does, so the endpoint can be a bridge between a site and its router. `off`: they pass, for a bridge whose hosts must reach the VPN through their own router.',
    isReloadable: true,
    isInForce: true,
  }),
  announce: choice({
    of: ['none', 'proxy'],
    default: 'none',
    doc: 'Whether the endpoint answers ARP and neighbour discovery for connected clients whose addresses lie in the network of one of its links (`server 192.0.2.128 255.255.255.128` on a LAN 192.0.2.0/24), so that neither hosts nor routers need a route for the VPN. `proxy`: by proxy neighbours of the kernel, each after two requests that no host on the link answers; with their subnets of up to 256 addresses. Not for the networks of an OpenVPN client.',
    isReloadable: true,
    isInForce: true,
  }),
  table: text({
    default: 'gwmark',
    type: 'nft identifier',
    expected: 'a name of 1..64 letters, digits, "_" and ".", starting with a letter',
    pattern: /^[A-Za-z][A-Za-z0-9_.]{0,63}$/,
    doc: 'Name of the nftables table, family inet. gwmark owns the whole table. With iptables, chains and sets are named after it (`gwmark-in`), and it has at most 16 characters.',
    isInForce: true,
  }),
  firewall: choice({
    of: ['auto', 'nftables', 'iptables'],
    default: 'auto',
    doc: 'The firewall that gwmark uses. `auto`: the one that an earlier run used, otherwise nftables, otherwise (without libnftables and `nft`, or in a kernel without nf_tables) iptables with ipset.',
    isInForce: true,
  }),
  'iptables.flavour': choice({
    of: ['auto', 'legacy', 'nft'],
    default: 'auto',
    doc: 'The flavour, if gwmark uses iptables. `auto`: the flavour that has rules, otherwise the one that the name `iptables` runs. gwmark never mixes the two, because packets pass the rules of both.',
    isInForce: true,
  }),
  executor: choice({
    of: ['auto', 'library', 'process'],
    default: 'auto',
    doc: 'How gwmark changes the kernel: `library` calls libnftables and uses rtnetlink in process, `process` spawns `nft` and `ip`, `auto` prefers the former, for each of the two.',
  }),
  'mark.mask': mask({
    default: 0xff00_0000,
    doc: 'The bits of packet marks and conntrack marks that gwmark uses.',
    isInForce: true,
  }),
  'routing.protocol': integer({
    min: 5,
    max: 255,
    default: 147,
    doc: "The protocol number of gwmark's routes, rules and neighbours (`ip route show proto 147`). Must not be used by a routing daemon, see /etc/iproute2/rt_protos.",
    isInForce: true,
  }),
  'routing.tableBase': integer({
    min: FIRST_FREE_TABLE,
    max: MAX_UINT32 - (ROUTING_TABLES - 1),
    default: 7700,
    doc: `The first of ${ROUTING_TABLES} consecutive routing tables that gwmark uses.`,
    isInForce: true,
  }),
  'routing.priority': integer({
    min: 1,
    max: 32_000,
    default: 10_000,
    doc: `The first of ${RULE_PRIORITIES} consecutive rule priorities that gwmark uses, all before the main table (${MAIN_RULE_PRIORITY}).`,
    isInForce: true,
  }),
  'routing.fallbackPriority': integer({
    min: MAIN_RULE_PRIORITY + 2,
    max: MAX_UINT32 - (FALLBACK_PRIORITIES - 1),
    default: 40_000,
    doc: `The first of ${FALLBACK_PRIORITIES} consecutive rule priorities after every other table: packets without a route go to the uplink.`,
    isInForce: true,
  }),
  'routing.nexthop4': nexthops({
    family: 4,
    default: '169.254.119.0/24',
    doc: 'The network of internal next hops, one for each gateway. The addresses never appear on the wire, but must not be in use.',
    isInForce: true,
  }),
  'routing.nexthop6': nexthops({
    family: 6,
    default: 'fe80::6777:6d61:726b:0/112',
    doc: 'The same for IPv6.',
    isInForce: true,
  }),
  'routing.rereadIntervalMs': integer({
    min: 1000,
    max: 3_600_000,
    unit: 'ms',
    default: 30_000,
    doc: 'How often gwmark reads neighbours, devices, addresses, rules and routes from the kernel, in addition to its events, some of which may be lost.',
    isReloadable: true,
  }),
  'gateways.max': integer({
    min: 1,
    max: 254,
    default: 200,
    doc: 'The largest number of gateways. Less than the largest number that fits `mark.mask`.',
    isInForce: true,
  }),
  'gateways.pollIntervalMs': integer({
    min: 100,
    max: 60_000,
    unit: 'ms',
    default: 1000,
    doc: 'How often gwmark reads the set of MAC addresses that its rules have seen.',
    isReloadable: true,
  }),
  'gateways.learnOnlink': toggle({
    default: false,
    doc: "Whether hosts on the endpoint's own link that talk to the VPN become gateways too. They do not need to: ARP finds them.",
    isInForce: true,
  }),
  'gateways.exclude': sources({
    default: [],
    doc: "Senders that gwmark does not learn from: replies of their flows take the normal route. A MAC or IP address, optionally preceded by a device; an IP address means the MAC that the neighbour table has for it, and follows changes. Followed by `clients`, only for flows of clients; by `transport`, only for OpenVPN's own packets. For balancers that forward packets without translating them (DSR), and routers that do not accept replies.",
    isInForce: true,
  }),
  'gateways.only': sources({
    default: [],
    doc: 'The only senders that gwmark learns from; the same form as in `gateways.exclude`, which takes precedence. An entry with `clients` or `transport` restricts only those flows. Empty: all senders.',
    isInForce: true,
  }),
  'gateways.probeIntervalMs': integer({
    min: 0,
    max: 60_000,
    unit: 'ms',
    default: 0,
    doc: 'How often gwmark asks gateways in use whether they are alive, by ARP and neighbour discovery; 0: never, otherwise at least 100. One that sent a frame of a VPN flow meanwhile is not asked. One that does not answer three times in a row is dead: its flows go to the router that has its address now, otherwise the normal route. Datapath `nexthop`.',
    isInForce: true,
  }),
  'gateways.answer': answers({
    default: [],
    doc: 'Where replies of the gateways on a device go. `source` (default): where their frames come from, and after a failover to the MAC that took their address. `pin`: only ever where their frames come from. `virtual ADDRESS`: to the MAC of the VRRP or HSRP group that answers for this address, for routers whose frames have their own MAC; one address for each family. `resolved ADDRESS`: to the MAC that the neighbour table has for this address, whichever that is. With `from`, only those gateways (MAC or IP addresses); the first entry that means a gateway counts. `gwmark move` takes precedence.',
    isInForce: true,
  }),
  sysctl: choice({
    of: ['manage', 'leave'],
    default: 'manage',
    doc: 'Whether the sidecar sets sysctls: it enables IPv4 and IPv6 forwarding, with `accept_ra=2` on each device that had 1, so that the device keeps its router; for OpenVPN over UDP and IPv6 with the datapath `nexthop` also `net.ipv6.fwmark_reflect`, for path MTUs; with the datapath `module` it disables rp_filter of the devices; with `announce: proxy` it sets `proxy_ndp=1` and `proxy_delay=0` on the links that clients are announced on. `gwmark down` restores them.',
    isReloadable: true,
    isInForce: true,
  }),
  conntrack: choice({
    of: ['flush', 'keep'],
    default: 'flush',
    doc: 'Whether the sidecar deletes the conntrack entries of a client that left: before another client gets its address, or after 15 minutes.',
    isReloadable: true,
    isInForce: true,
  }),
  controlSocket: path<string>({
    default: '/run/gwmark/gwmark.sock',
    doc: 'The unix socket on which the sidecar serves its status. At most 107 bytes long.',
  }),
  'metrics.listen': listener({
    doc: 'Where the sidecar serves `/metrics`, `/livez` and `/readyz` for Prometheus and for probes. They have no authentication (see metrics.md): use a unix socket, loopback or a trusted network.',
  }),
  'log.level': choice({
    of: ['error', 'warn', 'info', 'debug'],
    default: 'info',
    doc: 'The least severe level that is logged.',
    isReloadable: true,
  }),
  'log.format': choice({
    of: ['auto', 'json', 'pretty'],
    default: 'auto',
    doc: 'One event per line on standard error: `json` objects or `pretty` text; `auto` means pretty on a terminal and json elsewhere.',
  }),
} as const satisfies Record<string, Kind<unknown>>;

/** `management.endpoints`: the dotted path of a setting, as in the YAML file. */
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
const SHORT_NAMES: Readonly<Partial<Record<SettingPath, string>>> = {
  'management.endpoints': 'management',
  'wireguard.interfaces': 'wireguard',
};

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
