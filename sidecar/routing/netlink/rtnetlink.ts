/** Numbers of linux/rtnetlink.h, linux/neighbour.h, linux/fib_rules.h and linux/if_link.h. */

/** Of linux/netlink.h. */
export const NETLINK_ROUTE = 0;

export const RTM = {
  newLink: 16,
  delLink: 17,
  newAddress: 20,
  delAddress: 21,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  delNeighbour: 29,
  getNeighbour: 30,
  newRule: 32,
  delRule: 33,
  getRule: 34,
} as const;

/** Multicast groups, RTNLGRP_*. */
export const GROUPS = {
  link: 1,
  neighbour: 3,
  address4: 5,
  route4: 7,
  rule4: 8,
  address6: 9,
  route6: 11,
  rule6: 19,
} as const;

export const AF = { 4: 2, 6: 10, bridge: 7 } as const;

/** Of `struct rtmsg`, `struct ndmsg` and `struct fib_rule_hdr`. */
export const OWN_HEADER_BYTES = 12;

export const NDA = { address: 1, mac: 2, protocol: 12 } as const;
export const NUD = {
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;
/** Flags of a neighbour. `extLearned`: the kernel does not drop it to make room. */
export const NTF = { use: 0x01, extLearned: 0x10, router: 0x80 } as const;

export const RTA = { destination: 1, device: 4, gateway: 5, multipath: 9, table: 15, via: 18 } as const;
export const RTN = { unicast: 1, throw: 9 } as const;
/** The route's device is down. */
export const RTNH_F_DEAD = 1;
export const RT_SCOPE = { universe: 0, link: 253, nowhere: 255 } as const;
export const RT_TABLE = { unspecified: 0, main: 254 } as const;
export const RTNH_F_ONLINK = 4;
/** A cached route of IPv6, such as a path MTU. */
export const RTM_F_CLONED = 0x200;

export const FRA = {
  to: 1,
  from: 2,
  iif: 3,
  goto: 4,
  priority: 6,
  mark: 10,
  suppressPrefixLength: 14,
  table: 15,
  mask: 16,
  protocol: 21,
  ipProtocol: 22,
  sourcePorts: 23,
  destinationPorts: 24,
} as const;
export const FR_ACT = { table: 1, goto: 2, nop: 3 } as const;

/** linux/in.h */
export const IP_PROTOCOLS = { icmp: 1, tcp: 6, udp: 17, 'ipv6-icmp': 58 } as const;
