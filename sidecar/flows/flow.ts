/** One direction of a flow, as netfilter's accounting counts it; numbers are exact up to 2^53. */
export interface FlowCount {
  readonly packets: number;
  readonly bytes: number;
}

/** One direction's addresses. Ports are null for a protocol without. */
export interface FlowTuple {
  readonly source: string;
  readonly sourcePort: number | null;
  readonly destination: string;
  readonly destinationPort: number | null;
  /** Null while the sysctl net.netfilter.nf_conntrack_acct is off, or was when the flow began. */
  readonly counted: FlowCount | null;
}

/**
 * A connection tracking entry that has a gateway: what `gwmark flows --json` prints, one per line. Fields are only ever
 * added.
 */
export interface Flow {
  readonly family: 4 | 6;
  /** `tcp`, `udp`, `icmp`, `icmpv6`, or the IP protocol number. */
  readonly protocol: string;
  readonly original: FlowTuple;
  /** Where answers come from and go to: mirrors `original` unless addresses are translated. */
  readonly reply: FlowTuple;
  /** The gateway id that answers are sent to; 0 for none. May be of a gateway that is gone. */
  readonly gateway: number;
  /** Module only: the gateway that the first frames were bound for; 0 for none. */
  readonly destinationGateway: number;
  /**
   * It is in a flowtable of the kernel: what comes from the tunnel passes neither rules nor connection tracking, and
   * `counted` lacks it. Absent: it is in none.
   */
  readonly isOffloaded?: true;
}

/** Where flows are read from. */
export interface FlowSource {
  readonly datapath: 'nexthop' | 'module';
  /** False: no sidecar runs, and the list shows what an earlier run left in the kernel. */
  readonly isSidecarRunning: boolean;
  /** Gateway id -> where it is; the MAC is never empty. */
  readonly gateways: ReadonlyMap<number, { readonly device: string; readonly mac: string }>;
  /**
   * Reads them from the kernel as they are asked for, in constant memory. Whoever breaks off early ends the reading.
   * @throws GwmarkError FLOWS_UNAVAILABLE
   */
  flows(): AsyncIterable<Flow>;
}

/** The protocols that have a name; others are shown by number. @see IANA, Assigned Internet Protocol Numbers */
const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  47: 'gre',
  50: 'esp',
  58: 'icmpv6',
  132: 'sctp',
  136: 'udplite',
};

/** The name of an IP protocol, or its number as text. */
export function protocolName(number: number): string {
  return PROTOCOLS[number] ?? String(number);
}
