import { encodeText } from '../text.js';

/** The description of a client of the fake server. Omitted fields get a plausible value from the CID. */
export interface FakeClientOptions {
  readonly commonName?: string;
  readonly username?: string;
  readonly password?: string;
  /** As the daemon's version writes it, `192.0.2.10:40000`. */
  readonly realAddress?: string;
  /** The client's own addresses: `198.51.100.2`, `2001:db8:8::1000`. */
  readonly addresses?: readonly string[];
  /** Subnets behind it, in the daemon's words: `203.0.113.0/255.255.255.0`, `2001:db8:77::/64`. */
  readonly subnets?: readonly string[];
  /** More variables for its environment, or other values. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A connected client of the fake server. */
export interface FakeClient extends Required<Omit<FakeClientOptions, 'env'>> {
  readonly cid: number;
  kid: number;
  readonly env: Readonly<Record<string, string>>;
  readonly connectedSinceSeconds: number;
  isEstablished: boolean;
}

/**
 * Fills in what a description leaves out: addresses count up from 10.64.0.2 and 2001:db8:8::1000, enough for 4
 * million.
 */
export function makeFakeClient(cid: number, options: FakeClientOptions, nowSeconds: number): FakeClient {
  const host = cid + 2;
  return {
    cid,
    kid: 1,
    commonName: options.commonName ?? `client-${cid}`,
    username: options.username ?? '',
    password: options.password ?? '',
    realAddress: options.realAddress ?? `192.0.2.${10 + (cid % 240)}:${1024 + (cid % 60000)}`,
    addresses: options.addresses ?? [
      `10.${64 + ((host >> 16) & 63)}.${(host >> 8) & 255}.${host & 255}`,
      `2001:db8:8::${(0x1000 + cid).toString(16)}`,
    ],
    subnets: options.subnets ?? [],
    env: options.env ?? {},
    connectedSinceSeconds: nowSeconds,
    isEstablished: false,
  };
}

/** The bytes of `>CLIENT:...` with an environment block as OpenVPN 2.6.14 sends it, some fifty variables. */
export function clientBlock(header: string, client: FakeClient, connectedClients: number): string {
  const isDisconnect = header.startsWith('DISCONNECT');
  if (isDisconnect && !client.isEstablished) return `>CLIENT:${header}\r\n>CLIENT:ENV,END\r\n`;
  const hasPassword = header.startsWith('CONNECT') || header.startsWith('REAUTH');
  const port = client.realAddress.replace(/^.*:/, '');
  const host = client.realAddress.replace(/:\d+$/, '');
  const lines: (readonly [string, string])[] = [
    ...(isDisconnect ? [] : [['n_clients', String(connectedClients)] as const]),
    ...(hasPassword ? [['password', client.password] as const] : []),
    ...COMMON_VARIABLES.filter(([name]) => !(name in client.env)),
    ['untrusted_port', port],
    ['untrusted_ip', host],
    ['common_name', client.commonName],
    ['username', client.username],
    ...(header.startsWith('CONNECT')
      ? []
      : ([
          ['trusted_port', port],
          ['trusted_ip', host],
          ['ifconfig_pool_netmask', '255.192.0.0'],
          ['ifconfig_pool_remote_ip', client.addresses.find((address) => !address.includes(':')) ?? ''],
          ['ifconfig_pool_remote_ip6', client.addresses.find((address) => address.includes(':')) ?? ''],
          ['time_unix', String(client.connectedSinceSeconds)],
          ['time_ascii', '2026-01-01 00:00:00'],
        ] as const)),
    ...(isDisconnect
      ? ([
          ['bytes_received', '3160'],
          ['bytes_sent', '3196'],
          ['time_duration', '60'],
        ] as const)
      : []),
    ...Object.entries(client.env),
  ];
  const block = lines
    .map(([name, value]) => `>CLIENT:ENV,${name}=${encodeText(value).toString('latin1')}\r\n`)
    .join('');
  return `>CLIENT:${header}\r\n${block}>CLIENT:ENV,END\r\n`;
}

/** The rows of `status 3` (OpenVPN 2.6.14), without END. */
export function statusRows(title: string, clients: Iterable<FakeClient>, nowSeconds: number): string[] {
  const list: string[] = [];
  const routes: string[] = [];
  for (const client of clients) {
    const own = client.isEstablished ? client.addresses : [];
    const ipv4 = own.find((address) => !address.includes(':')) ?? '';
    const ipv6 = own.find((address) => address.includes(':')) ?? '';
    const name = encodeText(client.commonName).toString('latin1');
    const username = client.username === '' ? 'UNDEF' : encodeText(client.username).toString('latin1');
    const since = `2026-01-01 00:00:00\t${client.connectedSinceSeconds}`;
    list.push(
      `CLIENT_LIST\t${name}\t${client.realAddress}\t${ipv4}\t${ipv6}\t3160\t3196\t${since}\t${username}\t${client.cid}\t${client.cid}\tAES-256-GCM`,
    );
    if (!client.isEstablished) continue;
    for (const address of [...own, ...client.subnets]) {
      // Events write an IPv4 subnet with its netmask, this table with its length.
      routes.push(`ROUTING_TABLE\t${withLength(address)}\t${name}\t${client.realAddress}\t${since}`);
    }
  }
  return [
    `TITLE\t${title}`,
    `TIME\t2026-01-01 00:00:00\t${nowSeconds}`,
    'HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\tConnected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher',
    ...list,
    'HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address\tLast Ref\tLast Ref (time_t)',
    ...routes,
    'GLOBAL_STATS\tMax bcast/mcast queue length\t0',
    'GLOBAL_STATS\tdco_enabled\t0',
  ];
}

function withLength(address: string): string {
  const [host = '', mask] = address.split('/');
  if (mask === undefined || !mask.includes('.')) return address;
  const bits = mask.split('.').reduce((sum, byte) => sum + Number(byte).toString(2).replaceAll('0', '').length, 0);
  return `${host}/${bits}`;
}

/** What a client of the recorder's lab has in its environment, whoever it is. */
const COMMON_VARIABLES: readonly (readonly [string, string])[] = [
  ['IV_SSL', 'OpenSSL_3.0.17_1_Jul_2025'],
  ['IV_PROTO', '990'],
  ['IV_CIPHERS', 'AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305'],
  ['IV_NCP', '2'],
  ['IV_MTU', '1600'],
  ['IV_TCPNL', '1'],
  ['IV_PLAT', 'linux'],
  ['IV_VER', '2.6.14'],
  ['tls_serial_hex_0', '02'],
  ['tls_serial_0', '2'],
  [
    'tls_digest_sha256_0',
    '9a:31:55:04:0e:8e:18:3b:14:3a:57:0c:48:03:9e:34:cc:9a:3a:22:bc:58:cb:47:5c:f5:ea:1b:76:31:27:17',
  ],
  ['tls_digest_0', '5e:9a:54:67:1e:b0:33:5b:6d:4c:1a:09:f0:43:ed:3f:6f:6c:ee:69'],
  ['tls_id_0', 'CN=client'],
  ['X509_0_CN', 'client'],
  ['tls_serial_hex_1', '01'],
  ['tls_serial_1', '1'],
  [
    'tls_digest_sha256_1',
    '11:0b:43:8c:4b:2c:39:0f:05:a5:61:8f:3c:5c:1e:2b:9b:9f:97:9c:8e:92:12:e5:a8:9a:77:39:ca:c6:4b:2d',
  ],
  ['tls_digest_1', 'f1:8e:0d:33:8d:23:44:ba:7a:8d:92:ba:1c:d2:a1:29:31:25:58:94'],
  ['tls_id_1', 'CN=authority'],
  ['X509_1_CN', 'authority'],
  ['remote_port_1', '1194'],
  ['local_port_1', '1194'],
  ['local_1', '192.0.2.1'],
  ['proto_1', 'udp'],
  ['daemon_pid', '1000'],
  ['daemon_start_time', '1767225600'],
  ['daemon_log_redirect', '0'],
  ['daemon', '0'],
  ['verb', '3'],
  ['config', 'server.conf'],
  ['ifconfig_ipv6_local', '2001:db8:8::1'],
  ['ifconfig_ipv6_netbits', '64'],
  ['ifconfig_ipv6_remote', '2001:db8:8::2'],
  ['ifconfig_local', '10.64.0.1'],
  ['ifconfig_netmask', '255.192.0.0'],
  ['script_context', 'init'],
  ['tun_mtu', '1500'],
  ['dev', 'tun0'],
  ['dev_type', 'tun'],
  ['redirect_gateway', '0'],
];
