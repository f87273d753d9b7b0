/** One metric: its kind, its meaning with the unit, and its labels. */
export interface MetricDescription {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, in the metric's unit. */
  readonly buckets?: readonly number[];
}

/** Labels of every metric of one gateway. After a move it has another `mac`, and so it is another series. */
const GATEWAY = ['gateway', 'device', 'mac'] as const;

/**
 * Every metric of `/metrics`. Names and labels are stable: dashboards and alerts match on them. Names follow
 * Prometheus' rules: prefix, base unit, `_total` for counters. `docs/reference/metrics.md` is generated from this
 * table.
 *
 * @see https://prometheus.io/docs/practices/naming/
 */
export const METRICS = {
  gwmark_info: {
    type: 'gauge',
    help: 'Always 1; the labels have the version and the datapath.',
    labels: ['version', 'datapath'],
  },
  gwmark_ready: {
    type: 'gauge',
    help: '1 while rules and routes are installed and every OpenVPN is followed, otherwise 0.',
    labels: [],
  },
  gwmark_problems: {
    type: 'gauge',
    help: 'Number of reasons why the sidecar is not ready; /readyz lists them.',
    labels: [],
  },
  gwmark_server_state: {
    type: 'gauge',
    help: '1 for the current state of an OpenVPN server (connecting, waiting, ready), 0 for the others.',
    labels: ['management', 'state'],
  },
  gwmark_management_reconnects_total: {
    type: 'counter',
    help: 'Reconnects of a management socket.',
    labels: ['management'],
  },
  gwmark_session_resyncs_total: {
    type: 'counter',
    help: 'Snapshots that corrected what events had reported.',
    labels: ['management'],
  },
  gwmark_pass_through_programs: {
    type: 'gauge',
    help: 'Programs attached to a socket of passThrough.',
    labels: ['management', 'socket'],
  },
  gwmark_pass_through_dropped_total: {
    type: 'counter',
    help: 'Programs that were dropped, because they did not read, or OpenVPN did not answer them.',
    labels: ['management', 'socket'],
  },
  gwmark_kicks_total: {
    type: 'counter',
    help: 'Clients that `gwmark kick`, or its hold, ended.',
    labels: ['management'],
  },
  gwmark_holds: { type: 'gauge', help: 'Clients that `gwmark kick --hold` keeps out.', labels: [] },
  gwmark_clients: { type: 'gauge', help: 'Connected clients.', labels: [] },
  gwmark_source_state: {
    type: 'gauge',
    help: '1 for the current state of a VPN of another program (waiting, ready), 0 for the other.',
    labels: ['kind', 'source', 'state'],
  },
  gwmark_peers: {
    type: 'gauge',
    help: 'Connected peers of a VPN of another program (WireGuard).',
    labels: ['source'],
  },
  gwmark_firewall_elements: {
    type: 'gauge',
    help: 'Client addresses and subnets that the packet filter selects.',
    labels: [],
  },
  gwmark_announced_addresses: {
    type: 'gauge',
    help: 'Addresses of clients for which the endpoint answers ARP and ND (announce: proxy).',
    labels: [],
  },
  gwmark_taken_addresses: {
    type: 'gauge',
    help: 'Addresses of clients that another host on the link has, so that they are not announced.',
    labels: [],
  },
  gwmark_gateways: { type: 'gauge', help: 'Known gateways by state (active, known, moved, down).', labels: ['state'] },
  gwmark_uplink_known: { type: 'gauge', help: '1 while there is a gateway of last resort, otherwise 0.', labels: [] },
  gwmark_apply_duration_seconds: {
    type: 'histogram',
    help: 'Duration of the passes that apply the wanted state to the kernel: routes, one transaction, routes.',
    labels: [],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  },
  gwmark_apply_failures_total: {
    type: 'counter',
    help: 'Passes that the kernel rejected; each is retried.',
    labels: [],
  },
  gwmark_repairs_total: {
    type: 'counter',
    help: 'Times that gwmark restored its firewall or routing objects after another program changed them.',
    labels: ['object'],
  },
  gwmark_fall_through_packets_total: {
    type: 'counter',
    help: 'Packets of VPN flows that took the normal route, by reason.',
    labels: ['reason'],
  },
  gwmark_module_events_total: {
    type: 'counter',
    help: 'Every counter of the kernel module by its name; module/include/uapi/gwmark.h says what each counts.',
    labels: ['event'],
  },
  gwmark_gateway_received_packets_total: {
    type: 'counter',
    help: 'Packets of VPN flows that came from a gateway (datapath nexthop).',
    labels: GATEWAY,
  },
  gwmark_gateway_received_bytes_total: {
    type: 'counter',
    help: 'The same in bytes (datapath nexthop).',
    labels: GATEWAY,
  },
  gwmark_gateway_sent_packets_total: {
    type: 'counter',
    help: 'Packets sent to the MAC address of a gateway.',
    labels: GATEWAY,
  },
  gwmark_gateway_sent_bytes_total: { type: 'counter', help: 'The same in bytes.', labels: GATEWAY },
  gwmark_gateway_learned_flows_total: {
    type: 'counter',
    help: 'Flows learnt from a gateway (datapath module).',
    labels: GATEWAY,
  },
  gwmark_gateway_moves_total: {
    type: 'counter',
    help: 'Times that the replies of a gateway were redirected to another MAC address.',
    labels: GATEWAY,
  },
  gwmark_gateway_deaths_total: {
    type: 'counter',
    help: 'Times that a gateway did not answer probes (gateways.probeIntervalMs, datapath nexthop).',
    labels: GATEWAY,
  },
  gwmark_gateway_idle_seconds: {
    type: 'gauge',
    help: 'Time since the last VPN frame of a gateway (datapath module).',
    labels: GATEWAY,
  },
  process_start_time_seconds: { type: 'gauge', help: 'When the sidecar started, in seconds since 1970.', labels: [] },
  process_cpu_seconds_total: { type: 'counter', help: 'CPU time of the sidecar, user and system.', labels: [] },
  process_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of the sidecar.', labels: [] },
} as const satisfies Record<string, MetricDescription>;

export type MetricName = keyof typeof METRICS;
