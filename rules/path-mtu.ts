import type { Statement } from 'nftables-json';
import type { Family } from './address.js';
import type { PolicyRule } from './routing-plan.js';
import type { Link, Site, Transport } from './world.js';

/** An ICMPv6 message "packet too big", RFC 4443. */
const PACKET_TOO_BIG = 2;

/** The widest range that a rule takes: `fib_rule_port_range_valid()` in include/net/fib_rules.h. */
const ANY_PORT = [1, 65_534] as const;

/**
 * Where the kernel stores a path MTU that it was told for a socket of OpenVPN.
 *
 * It looks up the route of the packet that was too big, without ports: IPv4 by addresses and protocol
 * (`__ipv4_sk_update_pmtu()`, `build_sk_flow_key()` in net/ipv4/route.c), IPv6 by addresses alone (`ip6_update_pmtu()`
 * in net/ipv6/route.c). So the rule that leads the socket itself, by its port, says nothing. What has a port goes
 * around: these rules give no other socket a route. Neither do they let `getaddrinfo()`, which tries destinations with
 * port 0 and no source, take them for reachable.
 *
 * The lookup has to end in the table where the socket's own ends: the route of a socket decides how large its packets
 * are, and whether they may be cut. So one table serves clients behind every gateway. A multipath route stores it for
 * each of its paths.
 *
 * IPv6 over TCP needs none: the socket's route is taken as it is (`inet6_csk_update_pmtu()`).
 *
 * @param first priority of the first of three
 * @param withSource where a socket finds its route that has an address of its own: one that is bound to it, or of TCP
 * @param withoutSource where the others do
 */
export function pathMtuRules(
  site: Pick<Site, 'transports'>,
  family: Family,
  links: readonly Link[],
  {
    first,
    withSource,
    withoutSource,
  }: { readonly first: number; readonly withSource: number; readonly withoutSource: number },
): PolicyRule[] {
  const rules = site.transports
    .filter(({ families, protocol }) => families.includes(family) && (family === 4 || protocol === 'udp'))
    .flatMap((transport) => {
      const table = transport.protocol === 'tcp' || transport.address !== null ? withSource : withoutSource;
      const ipproto = family === 4 ? { ipproto: transport.protocol } : {};
      return ownAddresses(transport, family, links).map((from): PolicyRule => ({
        family,
        table,
        priority: first + 1,
        iif: 'lo',
        from,
        ...ipproto,
      }));
    });
  if (rules.length === 0) return [];
  return [
    { family, priority: first, table: 0, iif: 'lo', dport: ANY_PORT, goto: first + 2 },
    ...rules,
    { family, priority: first + 2, table: 0 },
  ];
}

function ownAddresses({ address }: Transport, family: Family, links: readonly Link[]): readonly string[] {
  const own = address === null ? links.flatMap(({ addresses }) => addresses) : [address];
  return own.filter((text) => text.includes(':') === (family === 6));
}

/**
 * True when the kernel has to look up the route of an IPv6 packet that was too big with the mark of the error, sysctl
 * `net.ipv6.fwmark_reflect`: then it stores the path MTU in the table of the gateway that the packet went through. It
 * matters for UDP alone (`ip6_update_pmtu()` in net/ipv6/route.c); a TCP socket uses the route that it has.
 */
export function needsMarkedErrors({ transports }: Pick<Site, 'transports'>): boolean {
  return transports.some(({ protocol, families }) => protocol === 'udp' && families.includes(6));
}

/**
 * What tells an ICMPv6 error about one of the endpoint's own packets that were too big. It is of the flow of that
 * packet, and so has its conntrack mark.
 */
export function matchPacketTooBig(): Statement[] {
  return [
    { match: { op: '==', left: { payload: { protocol: 'icmpv6', field: 'type' } }, right: PACKET_TOO_BIG } },
    { match: { op: '==', left: { fib: { result: 'type', flags: ['daddr'] } }, right: 'local' } },
  ];
}

/** As {@link matchPacketTooBig}, in the words and the order of ip6tables-save. */
export function iptablesPacketTooBig(family: Family): readonly (readonly string[])[] {
  return family === 4
    ? []
    : [
        [
          '-p',
          'ipv6-icmp',
          '-m',
          'icmp6',
          '--icmpv6-type',
          String(PACKET_TOO_BIG),
          '-m',
          'addrtype',
          '--dst-type',
          'LOCAL',
        ],
      ];
}
