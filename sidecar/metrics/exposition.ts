import { Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { GatewayState, GatewayStatus, PassThroughStatus, ServerState, StatusDocument } from '../status.js';
import { METRICS, type MetricDescription, type MetricName } from './table.js';

/** Gateways beyond these have no series of their own: the module may know 65535. */
const MAX_GATEWAYS = 500;
const SERVER_STATES: readonly ServerState[] = ['connecting', 'waiting', 'ready'];
const GATEWAY_STATES: readonly GatewayState[] = ['active', 'known', 'moved', 'down'];

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/**
 * The metrics of one daemon, in a registry of its own. What the kernel or the daemon counts is copied at each scrape,
 * so that nothing is counted twice and a gateway that is gone leaves no series.
 */
export class Exposition {
  readonly #registry = new Registry();
  readonly #metrics = new Map<MetricName, Counter | Gauge | Histogram>();
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    for (const [name, description] of Object.entries(METRICS))
      this.#metrics.set(name as MetricName, this.#create(name, description));
  }

  /** The content type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Records a pass of the reconciler. */
  passed({ seconds, hasFailed }: { readonly seconds: number; readonly hasFailed: boolean }): void {
    if (hasFailed) (this.#metrics.get('gwmark_apply_failures_total') as Counter).inc();
    else (this.#metrics.get('gwmark_apply_duration_seconds') as Histogram).observe(seconds);
  }

  /**
   * The text format 0.0.4 of a status, which is asked for when its turn comes. One at a time: values are set and
   * printed in one go.
   */
  text(read: () => StatusDocument): Promise<string> {
    const text = this.#last.then(() => {
      this.#take(read());
      return this.#registry.metrics();
    });
    this.#last = text.catch(() => undefined);
    return text;
  }

  #create(name: string, { type, help, labels, buckets }: MetricDescription): Counter | Gauge | Histogram {
    const configuration = { name, help, labelNames: [...labels], registers: [this.#registry] };
    if (type === 'counter') return new Counter(configuration);
    if (type === 'gauge') return new Gauge(configuration);
    return new Histogram({ ...configuration, buckets: [...(buckets ?? [])] });
  }

  #take(status: StatusDocument): void {
    const { servers, gateways, repairs } = status;
    this.#set('gwmark_info', [[{ version: status.version, datapath: status.datapath }, 1]]);
    this.#set('gwmark_ready', [[{}, Number(status.ready)]]);
    this.#set('gwmark_problems', [[{}, status.problems.length]]);
    this.#set(
      'gwmark_server_state',
      servers.flatMap(({ management, state }) =>
        SERVER_STATES.map((each): Sample => [{ management, state: each }, Number(each === state)]),
      ),
    );
    this.#set(
      'gwmark_management_reconnects_total',
      servers.map(({ management, reconnects }) => [{ management }, reconnects]),
    );
    this.#set(
      'gwmark_session_resyncs_total',
      servers.map(({ management, resyncs }) => [{ management }, resyncs]),
    );
    this.#takePassThrough(servers);
    this.#set(
      'gwmark_kicks_total',
      servers.map(({ management, kicks = 0 }) => [{ management }, kicks]),
    );
    this.#set('gwmark_holds', [[{}, status.holds?.length ?? 0]]);
    this.#set('gwmark_clients', [[{}, status.clients.length]]);
    this.#takeSources(status);
    this.#set('gwmark_firewall_elements', [[{}, status.elements]]);
    this.#set('gwmark_announced_addresses', [[{}, status.announcements?.announced ?? 0]]);
    this.#set('gwmark_taken_addresses', [[{}, status.announcements?.taken.length ?? 0]]);
    this.#set(
      'gwmark_gateways',
      GATEWAY_STATES.map((state) => [{ state }, gateways.filter((gateway) => gateway.state === state).length]),
    );
    this.#set('gwmark_uplink_known', [[{}, Number(status.uplink !== null)]]);
    this.#set('gwmark_repairs_total', [
      [{ object: 'firewall' }, repairs.firewall],
      [{ object: 'routing' }, repairs.routing],
    ]);
    this.#set(
      'gwmark_fall_through_packets_total',
      Object.entries(status.fallThrough).map(([reason, many]) => [{ reason }, many]),
    );
    this.#set(
      'gwmark_module_events_total',
      Object.entries(status.moduleCounters ?? {}).map(([event, many]) => [{ event }, many]),
    );
    this.#takeGateways(gateways.slice(0, MAX_GATEWAYS));
    this.#set('process_start_time_seconds', [[{}, Math.round(Date.parse(status.startedAt) / 1000)]]);
    const { user, system } = process.cpuUsage();
    this.#set('process_cpu_seconds_total', [[{}, (user + system) / 1e6]]);
    this.#set('process_resident_memory_bytes', [[{}, process.memoryUsage.rss()]]);
  }

  #takePassThrough(servers: StatusDocument['servers']): void {
    const each = (name: MetricName, valueOf: (socket: PassThroughStatus) => number): void =>
      this.#set(
        name,
        servers.flatMap(({ management, passThrough = [] }) =>
          passThrough.map((socket): Sample => [{ management, socket: socket.socket }, valueOf(socket)]),
        ),
      );
    each('gwmark_pass_through_programs', ({ programs }) => programs);
    each('gwmark_pass_through_dropped_total', ({ dropped }) => dropped);
  }

  #takeSources({ sources = [], peers = [] }: StatusDocument): void {
    this.#set(
      'gwmark_source_state',
      sources.flatMap(({ kind, name, state }) =>
        (['waiting', 'ready'] as const).map((each): Sample => [
          { kind, source: name, state: each },
          Number(each === state),
        ]),
      ),
    );
    this.#set(
      'gwmark_peers',
      sources
        .filter(({ kind }) => kind === 'wireguard')
        .map(({ name }) => [
          { source: name },
          peers.filter(({ source, isConnected }) => source === name && isConnected).length,
        ]),
    );
  }

  #takeGateways(gateways: readonly GatewayStatus[]): void {
    // What a datapath does not count has no series, instead of a zero.
    const each = (name: MetricName, valueOf: (gateway: GatewayStatus) => number | null | undefined): void =>
      this.#set(
        name,
        gateways.flatMap((gateway): Sample[] => {
          const value = valueOf(gateway);
          return value === null || value === undefined
            ? []
            : [[{ gateway: String(gateway.id), device: gateway.device, mac: gateway.mac }, value]];
        }),
      );
    each('gwmark_gateway_received_packets_total', ({ received }) => received?.packets);
    each('gwmark_gateway_received_bytes_total', ({ received }) => received?.bytes);
    each('gwmark_gateway_sent_packets_total', ({ sent }) => sent?.packets);
    each('gwmark_gateway_sent_bytes_total', ({ sent }) => sent?.bytes);
    each('gwmark_gateway_learned_flows_total', ({ learnedFlows }) => learnedFlows);
    each('gwmark_gateway_moves_total', ({ moves }) => moves);
    each('gwmark_gateway_deaths_total', ({ deaths }) => deaths);
    each('gwmark_gateway_idle_seconds', ({ idleMs }) => (idleMs === null ? null : idleMs / 1000));
  }

  /** Replaces all series of a metric. */
  #set(name: MetricName, samples: readonly Sample[]): void {
    const metric = this.#metrics.get(name);
    if (metric === undefined || metric instanceof Histogram) throw new Error(`${name} is not set from outside`);
    metric.reset();
    // A metric without labels is there even while it has no value.
    for (const [labels, value] of samples) metric.inc(labels, value);
  }
}
