/** The flow to trace: from the address that opened it to the address that answers. */
export interface TraceQuery {
  /** Canonical addresses of one family. */
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'udp' | 'tcp' | 'icmp' | null;
  /** 1..65535; null: any. */
  readonly sourcePort: number | null;
  readonly destinationPort: number | null;
}

/** Whether a port is the requested one; null matches any. */
export function isAsked(wanted: number | null, port: number | null): boolean {
  return wanted === null || wanted === port;
}

/** The steps, in this order; which of them apply depends on the flow and the datapath. */
export const TRACE_STEPS = {
  rules: 'The nftables table, or the iptables chains, exist and belong to gwmark.',
  destination: 'What DST is: a client, a network behind one, the endpoint on its tunnel, a socket of OpenVPN.',
  announce:
    'If DST lies in the network of a link: the endpoint answers ARP and neighbour discovery for it there (`announce: proxy`). Never an obstacle, because a router may have a route to DST.',
  selection:
    'Packets from SRC are selected: SRC is not on the link itself, where ARP and neighbour discovery suffice.',
  capture:
    'Inline: the bridge table captures frames for DST, and the bridge takes in frames from its ports (STP, 802.1X).',
  filter:
    'No rule of another program drops what SRC sends because the endpoint has no route back to it (a reverse path filter made of rules), or gwmark makes the filter accept it.',
  firewall: 'No rule of another program in FORWARD drops or rejects every new flow between the links and the tunnel.',
  socket:
    'For packets that the endpoint itself sends: its socket finds a route, without which netfilter never sees a packet; and a server over UDP answers from the address that the client sent to.',
  module: 'Datapath `module`: gwmark.ko is loaded, enabled, and uses the mark that the rules set.',
  conntrack: 'Conntrack has the flow, and its entry has a gateway (in its mark, or in its labels).',
  gateway: 'The gateway with that id is known, with its device and MAC address.',
  device: "The gateway's device is up and has a carrier.",
  forwarding: 'Forwarding is enabled for packets from the tunnel.',
  source:
    'Datapath `module`, IPv4: rp_filter of the tunnel accepts what DST sends; the module forwards nothing that the kernel would not.',
  ipsec: 'Datapath `module`: no IPsec policy takes it, which comes before the gateway.',
  rule: "Datapath `nexthop`: an `ip rule` selects the gateway's table for packets with its mark.",
  route:
    "Datapath `nexthop`: that table has a route over the gateway's next hop. For a flow that DST opened: no route of the endpoint comes before the uplink.",
  neighbour: "Datapath `nexthop`: that next hop is a permanent neighbour with the gateway's MAC address.",
  kernel: 'Datapath `nexthop`: `ip route get` confirms it: no rule of another program comes first.',
} as const;

export type TraceStepName = keyof typeof TRACE_STEPS;

/** One condition for a packet to go to the router's MAC address. */
export interface TraceStep {
  readonly step: TraceStepName;
  readonly ok: boolean;
  readonly text: string;
  /** The fix; null if it is as expected. */
  readonly remedy: string | null;
}

/** Why answers of a flow do or do not go by MAC: what `gwmark trace --json` prints. Fields are only ever added. */
export interface Trace {
  readonly query: TraceQuery;
  readonly goesByMac: boolean;
  /** Up to the first that fails. */
  readonly steps: readonly TraceStep[];
  readonly sentence: string;
  /** Where these packets go instead; null if they go by MAC, and if there are none. */
  readonly instead: string | null;
}

/** The last step failed. */
export class Stopped {
  /** The packet mark with which packets take the normal route; null if there are no packets. */
  readonly mark: number | null;

  constructor(mark: number | null) {
    this.mark = mark;
  }
}

/** The steps of a trace, one after the other. */
export class Steps {
  readonly #steps: TraceStep[] = [];

  get list(): readonly TraceStep[] {
    return this.#steps;
  }

  pass(step: TraceStepName, text: string): void {
    this.#steps.push({ step, ok: true, text, remedy: null });
  }

  /** @param mark as in {@link Stopped} */
  stop(step: TraceStepName, text: string, remedy: string, mark: number | null = null): Stopped {
    this.#steps.push({ step, ok: false, text, remedy });
    return new Stopped(mark);
  }
}
