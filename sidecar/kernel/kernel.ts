import type { Policy } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { AnswerPolicies } from '../datapath/answer-policies.js';
import type { Datapath, DatapathKind, GatewayView } from '../datapath/datapath.js';
import type { NeighbourFeed } from '../datapath/neighbour-feed.js';
import { SourceLists } from '../datapath/source-lists.js';
import type { Offload } from '../datapath/nexthop/offload.js';
import type { FirewallTool } from '../firewall/open-firewall.js';
import type { Logger } from '../log/logger.js';
import type { KernelRouting } from '../routing/kernel-routing.js';
import { Announcer } from './announcer.js';
import { ClientConnections } from './client-connections.js';
import { DeviceWatch } from './device-watch.js';
import { FilterWatch } from './filter-watch.js';
import { Forwarder } from './forwarder.js';
import { makeKernelSide } from './kernel-side.js';
import { Reachability } from './reachability.js';
import type { Pass, Reconciler, WantedSite } from './reconciler.js';
import { Repairs } from './repairs.js';
import { RoutingCheck } from './routing-check.js';
import { RoutingRepairs } from './routing-repairs.js';
import type { RuleTables } from './rule-tables.js';
import { TableRepairs } from './table-repairs.js';

export interface KernelOptions {
  /** The current ones. */
  readonly settings: () => Settings;
  readonly policy: Policy;
  readonly datapath: DatapathKind;
  /** Borrowed. */
  readonly tool: FirewallTool;
  /** Borrowed. */
  readonly routing: KernelRouting;
  /** What is around the clients, and may change. */
  readonly site: {
    /** The reconciler's site; null before the first. */
    readonly wanted: () => WantedSite | null;
    /** Gives the reconciler the current site. */
    readonly update: () => void;
    /** Reads devices first; resolves when done. */
    readonly refresh: () => Promise<void>;
    /** An OpenVPN has a tunnel. */
    readonly hasTunnel: () => boolean;
    /** Clients of an OpenVPN server may be on this tunnel; false for the tunnel of an OpenVPN client. */
    readonly servesClients: (device: string) => boolean;
  };
  readonly onPass: (pass: Pass) => void;
  readonly logger: Logger;
}

/** Assembles everything that reads and writes the kernel's network stack. Disposal leaves the kernel unchanged. */
export class Kernel implements AsyncDisposable {
  readonly connections: ClientConnections;
  readonly datapath: Datapath;
  /** Which of the two it is. */
  readonly kind: DatapathKind;
  readonly gateways: GatewayView;
  readonly neighbours: NeighbourFeed;
  readonly sources: SourceLists;
  readonly offload: Offload;
  readonly answers: AnswerPolicies;
  readonly tables: RuleTables;
  readonly reconciler: Reconciler;
  /** Borrowed. */
  readonly routing: KernelRouting;
  readonly reachability: Reachability;
  readonly announcer: Announcer;
  readonly forwarder: Forwarder;
  readonly repairs = new Repairs();
  readonly tableRepairs: TableRepairs;
  readonly routingRepairs: RoutingRepairs;
  readonly filters: FilterWatch;
  readonly cards: DeviceWatch;

  constructor({ settings, policy, datapath: kind, tool, routing, site, onPass, logger }: KernelOptions) {
    const { gateways: configured, uplink, conntrack } = settings();
    this.kind = kind;
    this.routing = routing;
    this.sources = new SourceLists(configured.exclude, configured.only);
    this.answers = new AnswerPolicies(configured.answer);
    this.connections = new ClientConnections({
      isEnabled: conntrack === 'flush',
      tunnels: () => site.wanted()?.tunnels ?? [],
      beforeDeletion: () => this.offload.clientLeft(),
      logger,
    });
    const clients = this.connections.networks;
    this.announcer = new Announcer({
      clients,
      protocol: policy.routing.protocol,
      isEnabled: () => settings().announce === 'proxy',
      links: () => site.wanted()?.links ?? null,
      servesClients: site.servesClients,
      onDevices: () => this.forwarder.soon(),
      logger,
    });
    const { datapath, gateways, keeper, neighbours, offload, tables, reconciler } = makeKernelSide({
      kind,
      tool,
      routing,
      policy,
      maxGateways: configured.max,
      configuredUplink: uplink,
      offload: settings().offload,
      clients,
      sources: this.sources,
      answers: this.answers,
      isProbing: configured.probeIntervalMs > 0,
      announcer: this.announcer,
      logger,
      onChanged: site.update,
      onPass,
      onRemoved: (networks) => {
        void this.offload.clientLeft();
        this.connections.removed(networks);
      },
      beforeClients: () => this.connections.handingOver,
    });
    this.datapath = datapath;
    this.gateways = gateways;
    this.neighbours = neighbours;
    this.tables = tables;
    this.offload = offload;
    this.reconciler = reconciler;
    this.reachability = new Reachability({ clients, routing, applied: () => reconciler.applied(), logger });
    this.forwarder = new Forwarder({
      datapath: kind,
      isManaging: () => settings().sysctl === 'manage',
      site: site.wanted,
      hasTunnel: site.hasTunnel,
      announcing: () => this.announcer.devices,
      onSavedSysctls: () => {
        site.update();
        return reconciler.applied();
      },
      logger,
    });
    this.tableRepairs = new TableRepairs({
      tables,
      reconciler,
      keeper,
      table: policy.table,
      onDamaged: (damage, repaired) => this.repairs.firewallDamaged(damage, repaired),
      logger,
    });
    this.routingRepairs = new RoutingRepairs({
      reconciler,
      check: new RoutingCheck({ reconciler, onRepaired: () => this.repairs.routingRepaired(), logger }),
      refresh: site.refresh,
      logger,
    });
    this.filters = new FilterWatch({ tool, table: policy.table, datapath: kind, logger });
    this.cards = new DeviceWatch(logger);
  }

  /** A network of `connections.networks` came, went or moved to another device. */
  clientChanged(key: string): void {
    this.reconciler.clientChanged(key);
    this.reachability.changed(key);
    this.announcer.clientChanged(key);
  }

  /** Changed settings are in force: those that decide about sysctls, connection tracking and announcing. */
  reconfigured(settings: Settings): void {
    this.connections.isEnabled = settings.conntrack === 'flush';
    this.forwarder.soon();
    this.announcer.siteChanged();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.routingRepairs.stop();
    this.forwarder.stop();
    this.reachability.stop();
    this.announcer.stop();
    await this.datapath.close();
    await this.reconciler.close();
    await this.connections[Symbol.asyncDispose]();
  }
}
