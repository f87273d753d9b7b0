import type { Gateway, Link, Network, Policy, Site, Transport, Tunnel } from '../../../rules/index.js';
import { parseNetwork } from '../../../rules/index.js';

/** Parses a network that the test's author wrote, so that a slip fails at once. */
export function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (parsed === null) throw new Error(`${text} is no network`);
  return parsed;
}

/** The default settings. */
export const POLICY: Policy = {
  table: 'gwmark',
  markMask: 0xff00_0000,
  learnOnlink: false,
  routing: {
    protocol: 147,
    tableBase: 7700,
    priority: 10_000,
    fallbackPriority: 40_000,
    nexthop4: network('169.254.119.0/24'),
    nexthop6: network('fe80::6777:6d61:726b:0/112'),
  },
};

/** What an OpenVPN client sends to its server by: a socket that has no port yet. */
export const CLIENT_TRANSPORT: Transport = {
  protocol: 'udp',
  address: null,
  families: [4],
  port: 0,
  remote: { address: '203.0.113.9', port: 1194 },
};

export const LAN: Link = {
  device: 'lan0',
  addresses: ['192.0.2.5', '2001:db8:1::5', 'fe80::5'],
  onlink: [network('192.0.2.0/24'), network('2001:db8:1::/64')],
  families: [4, 6],
  hasReversePathFilter: false,
  isBridge: false,
};

export const TUNNEL: Tunnel = {
  device: 'tun0',
  families: [4, 6],
  addresses: [network('198.51.100.1'), network('2001:db8:8::1')],
  connected: [network('198.51.100.0/24'), network('2001:db8:8::/64')],
  covered: [network('198.51.100.0/24'), network('2001:db8:8::/64')],
};

export const UDP: Transport = { protocol: 'udp', address: null, families: [4, 6], port: 1194 };

export function gateway(id: number, overrides: Partial<Gateway> = {}): Gateway {
  const mac = `02:00:00:00:00:${id.toString(16).padStart(2, '0')}`;
  return { id, device: 'lan0', mac, sources: [mac], ...overrides };
}

export function site(overrides: Partial<Site> = {}): Site {
  return {
    policy: POLICY,
    tunnels: [TUNNEL],
    transports: [UDP],
    links: [LAN],
    gateways: [],
    uplink: null,
    subnetLengths: [],
    clientRouteFamilies: [],
    savedSysctls: [],
    ...overrides,
  };
}

/**
 * Everything that a site can have: two links, one of them with rp_filter, two tunnels, transports bound and unbound, a
 * gateway that moved, subnets of both families, sysctls that were changed.
 */
export const FULL_SITE: Site = site({
  tunnels: [
    TUNNEL,
    {
      device: 'tun1',
      families: [4],
      addresses: [network('203.0.113.129')],
      connected: [network('203.0.113.128/25')],
      covered: [network('203.0.113.128/25')],
    },
  ],
  transports: [
    UDP,
    { protocol: 'tcp', address: '192.0.2.5', families: [4], port: 443 },
    { protocol: 'udp', address: null, families: [4], port: 1195 },
  ],
  links: [
    LAN,
    {
      device: 'wan.7',
      addresses: ['10.1.0.5'],
      onlink: [network('10.1.0.0/16'), network('10.2.0.9')],
      families: [4],
      hasReversePathFilter: true,
      isBridge: false,
    },
  ],
  gateways: [gateway(1), gateway(2, { mac: '02:00:00:00:00:99', sources: [] }), gateway(200, { device: 'wan.7' })],
  uplink: gateway(1),
  subnetLengths: [
    { family: 4, prefixLength: 24 },
    { family: 4, prefixLength: 9 },
    { family: 6, prefixLength: 64 },
  ],
  clientRouteFamilies: [4, 6],
  savedSysctls: [
    { name: 'net/ipv4/ip_forward', value: '0' },
    { name: 'net/ipv6/conf/wan.7/accept_ra', value: '1' },
  ],
});

/** What is of the VPN in {@link FULL_SITE}, as a rule in JSON names it: sets of clients, and addresses on tunnels. */
export const FULL_SITE_DESTINATIONS: readonly string[] = [
  '@client4',
  '@client6',
  '@subnet4_24',
  '@subnet4_9',
  '@subnet6_64',
  '"198.51.100.1"',
  '"2001:db8:8::1"',
  '"203.0.113.129"',
];
