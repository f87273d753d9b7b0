/** Seconds for which the packet path keeps a sender that it noted, in a set of nftables as in one of ipset. */
export const NOTED_SECONDS = {
  /** Of a frame of the VPN whose source MAC is no known gateway. */
  candidate: 60,
  /** A gateway of transport flows, or one that captured frames were sent to, for the datapath `nexthop`. */
  uplink: 3600,
  /** The router of an OpenVPN client's server, for the datapath `module`: longer than its keepalive is silent. */
  server: 120,
} as const;
