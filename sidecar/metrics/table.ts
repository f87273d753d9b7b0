/** One metric: its kind, its meaning with the unit, and its labels. */
export interface MetricDescription {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, in the metric's unit. */
  readonly buckets?: readonly number[];
}

/** Labels of everything that is told of one gateway. After a move it bears another `mac`, and so is another series. */
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
    help: 'Always 1; which version works by which datapath.',
    labels: ['version', 'datapath'],
  },
  gwmark_ready: {
    type: 'gauge',
    help: '1 while rules and routes stand as wanted and every OpenVPN is followed, else 0.',
    labels: [],
  },
  gwmark_problems: {
    type: 'gauge',
    help: 'How many reasons there are for not being ready; /readyz names them.',
    labels: [],
  },
  gwmark_server_state: {
    type: 'gauge',
    help: '1 for the state that an OpenVPN server is in (connecting, waiting, ready), 0 for the others.',
    labels: ['management', 'state'],
  },
  gwmark_management_reconnects_total: {
    type: 'counter',
    help: 'Times that a management socket was connected anew.',
    labels: ['management'],
  },
  gwmark_session_resyncs_total: {
    type: 'counter',
    help: 'Snapshots that corrected what events had told.',
    labels: ['management'],
  },
  gwmark_clients: { type: 'gauge', help: 'Clients that are connected.', labels: [] },
  gwmark_firewall_elements: {
    type: 'gauge',
    help: 'Client addresses and subnets that the packet filter selects.',
    labels: [],
  },
  gwmark_gateways: { type: 'gauge', help: 'Known gateways by state (active, known, moved, down).', labels: ['state'] },
  gwmark_uplink_known: { type: 'gauge', help: '1 while there is a gateway of last resort, else 0.', labels: [] },
  gwmark_apply_duration_seconds: {
    type: 'histogram',
    help: 'Time of the passes that bring the kernel to what is wanted: routes, one transaction, routes.',
    labels: [],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  },
  gwmark_apply_failures_total: {
    type: 'counter',
    help: 'Passes that the kernel refused; each is tried again.',
    labels: [],
  },
  gwmark_repairs_total: {
    type: 'counter',
    help: 'Times that somebody else damaged what is ours and it was put back: the firewall, or the routing.',
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
    help: 'Packets that were given to a gateway by MAC.',
    labels: GATEWAY,
  },
  gwmark_gateway_sent_bytes_total: { type: 'counter', help: 'The same in bytes.', labels: GATEWAY },
  gwmark_gateway_learned_flows_total: {
    type: 'counter',
    help: 'Flows that were learnt as a gateway (datapath module).',
    labels: GATEWAY,
  },
  gwmark_gateway_moves_total: {
    type: 'counter',
    help: 'Times that the answers for a gateway were redirected to another MAC.',
    labels: GATEWAY,
  },
  gwmark_gateway_idle_seconds: {
    type: 'gauge',
    help: 'Time since the last VPN frame of a gateway (datapath module).',
    labels: GATEWAY,
  },
  process_start_time_seconds: { type: 'gauge', help: 'When the sidecar started, in seconds since 1970.', labels: [] },
  process_cpu_seconds_total: { type: 'counter', help: 'Processor time of the sidecar, user and system.', labels: [] },
  process_resident_memory_bytes: { type: 'gauge', help: 'Resident memory of the sidecar.', labels: [] },
} as const satisfies Record<string, MetricDescription>;

export type MetricName = keyof typeof METRICS;
