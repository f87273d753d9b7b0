import * as fc from 'fast-check';
import type { ClientNetwork, Gateway, Link, Policy, Site, Transport, Tunnel } from '../../../rules/index.js';
import { clientRoute, parseNetwork, subnetLengths } from '../../../rules/index.js';
import { LAN, POLICY, TUNNEL, UDP, network } from './sample-site.js';

/** What the tests of properties draw from. Pools are small, so that two draws have something in common. */

const MACS = ['02:00:00:00:00:0a', '02:00:00:00:00:0b', '02:00:00:00:00:0c', '02:00:00:00:00:0d', '02:00:00:00:00:0e'];

const LINKS: readonly Link[] = [
  LAN,
  { ...LAN, hasReversePathFilter: true },
  // With lan1 beside it, several legs.
  { ...LAN, hasReversePathFilter: true, isReversePathStrict: true },
  {
    device: 'lan1',
    addresses: ['203.0.113.1'],
    onlink: [network('203.0.113.0/27')],
    families: [4],
    hasReversePathFilter: false,
    isBridge: false,
  },
];

const TUNNELS: readonly Tunnel[] = [
  TUNNEL,
  { ...TUNNEL, covered: [network('198.51.100.0/24')] },
  {
    device: 'tun1',
    families: [4],
    addresses: [network('10.64.0.1')],
    connected: [network('10.64.0.0/16')],
    covered: [network('10.64.0.0/16')],
  },
];

const TRANSPORTS: readonly Transport[] = [
  UDP,
  { protocol: 'tcp', address: null, families: [4], port: 443 },
  { protocol: 'udp', address: '192.0.2.5', families: [4], port: 1195 },
  // Two servers may share a port, on addresses of their own.
  { protocol: 'udp', address: '192.0.2.5', families: [4], port: 1194 },
  { protocol: 'udp', address: '192.0.2.6', families: [4], port: 1194 },
  { protocol: 'udp', address: null, families: [4], port: 1194 },
  { protocol: 'tcp', address: '2001:db8:1::5', families: [6], port: 1194 },
  // OpenVPN clients.
  { protocol: 'udp', address: null, families: [4], port: 0, remote: { address: '203.0.113.9', port: 1194 } },
  { protocol: 'tcp', address: null, families: [6], port: 0, remote: { address: '2001:db8:9::9', port: 443 } },
];

const CLIENTS: readonly ClientNetwork[] = [
  ...[
    '198.51.100.2',
    '198.51.100.3',
    '198.51.100.4',
    '2001:db8:8::1000',
    '2001:db8:8::1001',
    '10.99.0.0/16',
    '10.99.3.0/24',
    '10.98.0.0/24',
    '10.0.0.0/9',
    '2001:db8:77::/64',
    '2001:db8:78::/64',
    '2001:db8::/33',
  ].map((text) => ({ ...network(text), device: 'tun0' })),
  ...['10.64.0.2', '10.97.0.0/24'].map((text) => ({ ...network(text), device: 'tun1' })),
];

/** One of each device. */
function byDevice<T extends { readonly device: string }>(pool: readonly T[]): fc.Arbitrary<readonly T[]> {
  return fc.subarray([...pool]).map((items) => [...new Map(items.map((item) => [item.device, item])).values()]);
}

/** Gateways with distinct ids, and no source MAC that two of them share. */
const gateways: fc.Arbitrary<readonly Gateway[]> = fc
  .uniqueArray(
    fc.record({
      id: fc.integer({ min: 1, max: 6 }),
      device: fc.constantFrom('lan0', 'lan1'),
      mac: fc.constantFrom(...MACS),
      sources: fc.subarray(MACS, { maxLength: 2 }),
    }),
    {
      selector: ({ id }) => id,
      maxLength: 5,
    },
  )
  .map((drawn) => {
    const taken = new Set<string>();
    return drawn
      .map((gateway) => ({
        ...gateway,
        sources: gateway.sources.filter(
          (mac) => !taken.has(`${gateway.device} ${mac}`) && taken.add(`${gateway.device} ${mac}`),
        ),
      }))
      .toSorted((a, b) => a.id - b.id);
  });

export interface World {
  readonly site: Site;
  readonly clients: readonly ClientNetwork[];
}

/** Sites of one policy, each with its clients. */
export function world(policy: Policy): fc.Arbitrary<World> {
  return fc
    .record({
      tunnels: byDevice(TUNNELS),
      transports: fc.subarray([...TRANSPORTS]),
      links: byDevice(LINKS),
      gateways,
      hasUplink: fc.boolean(),
      clients: fc.subarray([...CLIENTS]),
      hasOriginals: fc.boolean(),
      answersPathFilters: fc.boolean(),
      offloads: fc.boolean(),
    })
    .map(({ hasUplink, hasOriginals, clients, links, ...rest }) => {
      // As the daemon does: gateways are on links that there are.
      const onLinks = rest.gateways.filter(({ device }) => links.some((link) => link.device === device));
      const routed = clients.filter((client) => clientRoute({ policy, tunnels: rest.tunnels }, client) !== null);
      return {
        clients,
        site: {
          ...rest,
          links,
          gateways: onLinks,
          policy,
          uplink: hasUplink ? (onLinks[0] ?? null) : null,
          subnetLengths: subnetLengths(clients),
          clientRouteFamilies: ([4, 6] as const).filter((family) => routed.some((client) => client.family === family)),
          savedSysctls: hasOriginals ? [{ name: 'net/ipv4/ip_forward', value: '0' }] : [],
        },
      };
    });
}

/** Masks of 3 to 8 contiguous bits anywhere in the mark. */
export const markMask: fc.Arbitrary<number> = fc
  .integer({ min: 3, max: 8 })
  .chain((bits) => fc.integer({ min: 0, max: 32 - bits }).map((shift) => ((2 ** bits - 1) * 2 ** shift) >>> 0));

/** Policies that differ in what rules depend on. */
export const policy: fc.Arbitrary<Policy> = fc
  .record({ markMask, learnOnlink: fc.boolean() })
  .map((drawn) => ({ ...POLICY, ...drawn }));

/** A prefix for IPv6 next hops as the settings take it: 64..112 bits, canonical. */
export const nexthop6 = fc
  .tuple(
    fc.array(fc.constantFrom('0', '1', 'ab', 'fd00'), { minLength: 7, maxLength: 7 }),
    fc.integer({ min: 64, max: 112 }),
  )
  .map(([groups, prefixLength]) => {
    const parsed = parseNetwork(`fd00:${groups.slice(1).join(':')}:0/${prefixLength}`);
    if (parsed === null) throw new Error(`no network out of ${groups.join(':')}`);
    return parsed;
  });
