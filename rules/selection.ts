import type { Expression, Statement } from 'nftables-json';
import type { AboutSite } from './about.js';
import { aboutComments } from './about.js';
import { addressBits, formatNetmask } from './address.js';
import type { RuleSpec, SetSpec } from './structure.js';
import type { Link, Site, SubnetLength, Transport } from './world.js';

/** The set that a client network belongs into: `client4` for one address, `subnet6_64` for a subnet. */
export function clientSetName(network: SubnetLength): string {
  if (network.prefixLength === addressBits(network.family)) return `client${network.family}`;
  return `subnet${network.family}_${network.prefixLength}`;
}

/**
 * The sets of client networks, in every table of ours: one for addresses a family, one a prefix length for subnets.
 */
export function clientSets(lengths: readonly SubnetLength[]): Map<string, SetSpec> {
  const sets = new Map<string, SetSpec>();
  const hosts = ([4, 6] as const).map((family) => ({ family, prefixLength: addressBits(family) }));
  for (const length of [...hosts, ...lengths]) {
    sets.set(clientSetName(length), { kind: 'set', spec: { type: length.family === 4 ? 'ipv4_addr' : 'ipv6_addr' } });
  }
  return sets;
}

/** The sender of a frame, as the key of {@link dynamicMacSet}. */
export const MAC_KEY = {
  concat: [{ meta: { key: 'iifname' } }, { payload: { protocol: 'ether', field: 'saddr' } }],
} as const;

/** A set that the packet path fills with the senders of frames. */
export function dynamicMacSet(size: number, timeoutSeconds: number): SetSpec {
  return {
    kind: 'set',
    spec: { type: ['ifname', 'ether_addr'], flags: ['dynamic', 'timeout'], size, timeout: timeoutSeconds },
  };
}

/** The source of an address of a packet or its flow. */
export type AddressOf = (protocol: 'ip' | 'ip6') => Expression;

/** The packet's current destination, after DNAT if the chain runs after it. */
export const DESTINATION: AddressOf = (protocol) => ({ payload: { protocol, field: 'daddr' } });

/** Where the first packet of its flow was sent, before any DNAT. nft_ct needs Linux 4.17 for it. */
export const ORIGINAL_DESTINATION: AddressOf = (protocol) => ({ ct: { key: `${protocol} daddr`, dir: 'original' } });

/** The sender of the first packet of the flow, before SNAT. */
export const ORIGINAL_SOURCE: AddressOf = (protocol) => ({ ct: { key: `${protocol} saddr`, dir: 'original' } });

/**
 * One match for each kind of VPN destination: a client's address, a subnet behind a client.
 *
 * Subnets are in one hash set a prefix length, looked up with the masked address: an interval set would cost O(n) a
 * change and refuse overlaps.
 */
export function matchClients(lengths: readonly SubnetLength[], addressOf: AddressOf = DESTINATION): Statement[] {
  const bySubnet = lengths.map((length): Statement => {
    const masked = {
      '&': [addressOf(length.family === 4 ? 'ip' : 'ip6'), formatNetmask(length.family, length.prefixLength)],
    } as const;
    return { match: { op: '==', left: masked, right: `@${clientSetName(length)}` } };
  });
  return [matchExpression(addressOf('ip'), '@client4'), matchExpression(addressOf('ip6'), '@client6'), ...bySubnet];
}

/** As {@link matchClients}, and the endpoint's own addresses on its tunnels. */
export function matchVpnDestinations(
  site: Pick<Site, 'tunnels' | 'subnetLengths'>,
  addressOf: AddressOf = DESTINATION,
): Statement[] {
  const own = site.tunnels.flatMap(({ addresses }) =>
    addresses.map(({ family, address }) => matchExpression(addressOf(family === 4 ? 'ip' : 'ip6'), address)),
  );
  return [...matchClients(site.subnetLengths, addressOf), ...own];
}

function matchExpression(left: Expression, right: string): Statement {
  return { match: { op: '==', left, right } };
}

/**
 * A packet of a flow that is translated: `snat`, `dnat`, or either. @see linux/netfilter/nf_conntrack_common.h,
 * IPS_NAT_MASK
 */
export function matchTranslated(...kinds: readonly ('snat' | 'dnat')[]): Statement {
  return { match: { op: 'in', left: { ct: { key: 'status' } }, right: kinds } };
}

/** Numbers: libnftables looks names up in /etc/protocols, which a bare system does not have. */
const ICMP = 1;
const ICMPV6 = 58;

/** An ICMP error about a flow: whoever sends it is on the way somewhere, and need not be the flow's own way. */
export function matchIcmpError(): readonly Statement[] {
  return [
    { match: { op: '==', left: { meta: { key: 'l4proto' } }, right: { set: [ICMP, ICMPV6] } } },
    { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'related' } },
  ];
}

/** A source that is on-link is served by ARP or ND, not by a gateway. */
export function onlinkRules(link: Link): RuleSpec[] {
  return matchOnlinkSources(link).map((matches) => ({ expr: [...matches, { return: null }] }));
}

/** For each network on a link: a packet that one of its hosts sent. */
export function matchOnlinkSources(link: Link): (readonly Statement[])[] {
  const device = { match: { op: '==', left: { meta: { key: 'iifname' } }, right: link.device } } as const;
  return link.onlink.map((network) => {
    const protocol = network.family === 4 ? 'ip' : 'ip6';
    const prefix = { prefix: { addr: network.address, len: network.prefixLength } };
    const right = network.prefixLength === addressBits(network.family) ? network.address : prefix;
    return [device, { match: { op: '==', left: { payload: { protocol, field: 'saddr' } }, right } }];
  });
}

/** A packet for one of OpenVPN's sockets; for a client's, one that its server sent. */
export function matchTransport(transport: Transport): Statement[] {
  const { protocol, address, families, port, remote } = transport;
  if (remote !== undefined) {
    return [
      { match: { op: '==', left: { payload: { protocol, field: 'sport' } }, right: remote.port } },
      matchAddress(remote.address.includes(':') ? 'ip6' : 'ip', 'saddr', remote.address),
      { match: { op: '==', left: { fib: { result: 'type', flags: ['daddr'] } }, right: 'local' } },
    ];
  }
  const matches: Statement[] = [{ match: { op: '==', left: { payload: { protocol, field: 'dport' } }, right: port } }];
  if (address !== null) {
    matches.push(matchAddress(address.includes(':') ? 'ip6' : 'ip', 'daddr', address));
  } else {
    if (families.length === 1)
      matches.push({
        match: { op: '==', left: { meta: { key: 'nfproto' } }, right: families[0] === 4 ? 'ipv4' : 'ipv6' },
      });
    matches.push({ match: { op: '==', left: { fib: { result: 'type', flags: ['daddr'] } }, right: 'local' } });
  }
  return matches;
}

/** A packet that one of OpenVPN's sockets sends. */
export function matchTransportOutput({ protocol, port, remote }: Transport): Statement[] {
  if (remote === undefined)
    return [{ match: { op: '==', left: { payload: { protocol, field: 'sport' } }, right: port } }];
  return [
    { match: { op: '==', left: { payload: { protocol, field: 'dport' } }, right: remote.port } },
    matchAddress(remote.address.includes(':') ? 'ip6' : 'ip', 'daddr', remote.address),
  ];
}

/** The rules of {@link ABOUT_CHAIN}. */
export function aboutRules(site: AboutSite): RuleSpec[] {
  return aboutComments(site).map((comment) => ({ expr: [{ return: null }], comment }));
}

export function matchDirection(direction: 'original' | 'reply'): Statement {
  return { match: { op: '==', left: { ct: { key: 'direction' } }, right: direction } };
}

/**
 * A packet from one of these devices, or with `!=` from none of them; at least one. With `oifname` those that it goes
 * to.
 */
export function matchDevice(
  from: readonly { readonly device: string }[],
  op: '==' | '!=' = '==',
  key: 'iifname' | 'oifname' = 'iifname',
): Statement {
  const devices = from.map(({ device }) => device);
  const [only] = devices;
  return {
    match: {
      op,
      left: { meta: { key } },
      right: devices.length === 1 && only !== undefined ? only : { set: devices },
    },
  };
}

export function matchAddress(protocol: 'ip' | 'ip6', field: 'saddr' | 'daddr', right: string): Statement {
  return { match: { op: '==', left: { payload: { protocol, field } }, right } };
}
