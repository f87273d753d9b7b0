import type { Policy, Site, Structure } from '../../rules/index.js';
import {
  compileBridgeStructure,
  compileCableStructure,
  compileIptablesModule,
  compileIptablesNexthop,
  compileModuleStructure,
  compileNexthopStructure,
} from '../../rules/index.js';
import type { ConfiguredUplink } from '../config/places.js';
import type { AnswerPolicies } from '../datapath/answer-policies.js';
import type { SourceLists } from '../datapath/source-lists.js';
import type { Datapath, DatapathKind, GatewayKeeper, GatewayView } from '../datapath/datapath.js';
import { ModuleDatapath } from '../datapath/module/module-datapath.js';
import { NeighbourFeed } from '../datapath/neighbour-feed.js';
import { Offload, type OffloadKernel } from '../datapath/nexthop/offload.js';
import { NexthopDatapath } from '../datapath/nexthop/nexthop-datapath.js';
import type { Settings } from '../config/settings.js';
import { readBypassedChains } from '../firewall/bypassed-chains.js';
import { CountedNftables } from '../firewall/counted-nftables.js';
import type { Firewall } from '../firewall/firewall.js';
import { IptablesFirewall } from '../firewall/iptables-firewall.js';
import { NftablesFirewall } from '../firewall/nftables-firewall.js';
import type { FirewallTool } from '../firewall/open-firewall.js';
import type { Logger } from '../log/logger.js';
import type { KernelRouting } from '../routing/kernel-routing.js';
import type { Announcer } from './announcer.js';
import type { ReconcilerOptions } from './reconciler.js';
import { Reconciler } from './reconciler.js';
import { RuleTables } from './rule-tables.js';

export interface KernelSideOptions extends Pick<
  ReconcilerOptions,
  'clients' | 'onRemoved' | 'beforeClients' | 'onPass'
> {
  readonly kind: DatapathKind;
  /** Borrowed. */
  readonly tool: FirewallTool;
  /** Borrowed. */
  readonly routing: KernelRouting;
  readonly policy: Policy;
  readonly maxGateways: number;
  /** The setting `uplink`; null: found by itself. */
  readonly configuredUplink: ConfiguredUplink | null;
  /** The setting. */
  readonly offload: Settings['offload'];
  /** The settings `gateways.exclude` and `gateways.only`. */
  readonly sources: SourceLists;
  /** The setting `gateways.answer`. */
  readonly answers: AnswerPolicies;
  /** The setting `gateways.probeIntervalMs` is not 0. */
  readonly isProbing: boolean;
  /** It is told of every neighbour first. */
  readonly announcer: Pick<Announcer, 'heard'>;
  readonly logger: Logger;
  /** The datapath has something new for the site. */
  readonly onChanged: () => void;
}

/** The daemon's parts that change the kernel. */
export interface KernelSide {
  readonly datapath: Datapath;
  readonly gateways: GatewayView;
  /** Null where the kernel keeps the gateways itself. */
  readonly keeper: GatewayKeeper | null;
  readonly neighbours: NeighbourFeed;
  readonly offload: Offload;
  readonly tables: RuleTables;
  readonly reconciler: Reconciler;
}

/** A packet filter, and how each datapath compiles for it: the one place that knows the type of the rules. */
interface Backend<Rules> {
  readonly firewall: Firewall<Rules>;
  /**
   * The table for frames that pass an inline endpoint; only nftables can select them.
   */
  readonly bridge: Firewall<Structure> | null;
  /** In words why there is none. */
  readonly offload: OffloadKernel | string;
  readonly compileRules: Readonly<Record<DatapathKind, (site: Site) => Rules>>;
}

/** Puts datapath, firewall and reconciler together, for the firewall that there is. */
export function makeKernelSide(options: KernelSideOptions): KernelSide {
  const { tool, policy } = options;
  if (tool.kind === 'iptables') {
    const firewall = new IptablesFirewall(tool, policy.table);
    return connect(options, {
      firewall,
      bridge: null,
      offload: 'only rules made by nftables can offload',
      compileRules: {
        nexthop: (site) => compileIptablesNexthop(site, firewall.machine),
        module: (site) => compileIptablesModule(site, firewall.machine),
      },
    });
  }
  const nft = new CountedNftables(tool.nft);
  const firewall = new NftablesFirewall(nft, policy.table);
  return connect(options, {
    firewall,
    bridge: new NftablesFirewall(nft, policy.table, 'bridge'),
    offload: {
      othersGeneration: () => nft.othersGeneration(),
      bypassedChains: () => readBypassedChains(nft, policy.table),
      check: (commands) => nft.check(commands),
      flows: firewall,
    },
    compileRules: { nexthop: compileNexthopStructure, module: compileModuleStructure },
  });
}

function connect<Rules>(options: KernelSideOptions, backend: Backend<Rules>): KernelSide {
  const { kind, tool, policy, routing, maxGateways, clients, onRemoved, beforeClients, onPass } = options;
  const { firewall, bridge } = backend;
  const { configuredUplink, sources, answers, announcer, logger, onChanged } = options;
  const common = {
    policy,
    firewall,
    configuredUplink,
    sources,
    answers,
    logger,
    onChanged,
    compileRules: backend.compileRules[kind],
  };
  const offload = new Offload({
    setting: options.offload,
    kernel: kind === 'nexthop' ? backend.offload : 'the datapath module does not offload',
    onChanged,
    logger,
  });
  const { datapath, gateways, keeper } = makeDatapath();
  const neighbours = new NeighbourFeed({
    protocol: policy.routing.protocol,
    sources,
    listener: keeper,
    // Each poll reads the module's own uplink.
    asked: keeper === null ? null : configuredUplink,
    announcer,
    onListsChanged: onChanged,
  });
  const tables = RuleTables.of(
    firewall,
    bridge,
    (site) => datapath.compile(site),
    // An endpoint that takes the module because of a bridge is inline.
    kind === 'module' ? null : (error) => logger.warn('firewall.no_bridge', { error }),
  );
  const reconciler = new Reconciler({
    policy,
    tables,
    routing,
    clients,
    logger,
    onRemoved,
    onRewrite: () => keeper?.rewriting(),
    ...(beforeClients === undefined ? {} : { beforeClients }),
    ...(onPass === undefined ? {} : { onPass }),
  });
  return { datapath, gateways, keeper, neighbours, offload, tables, reconciler };

  function makeDatapath(): { datapath: Datapath<Rules>; gateways: GatewayView; keeper: GatewayKeeper | null } {
    if (kind === 'module') {
      if (!answers.isEmpty) logger.warn('gateway.setting_ignored', { setting: 'gateways.answer' });
      if (options.isProbing) logger.warn('gateway.setting_ignored', { setting: 'gateways.probeIntervalMs' });
      const module = new ModuleDatapath({ ...common, compileBridge: bridge === null ? null : compileBridgeStructure });
      return { datapath: module, gateways: module, keeper: null };
    }
    const nexthop = new NexthopDatapath({
      ...common,
      frames: bridge === null ? null : { compile: compileCableStructure, firewall: bridge },
      max: maxGateways,
      hasVacancies: tool.kind === 'nftables',
      applied: () => reconciler.applied(),
      nextPass: () => reconciler.nextPass,
      offload,
      routing,
    });
    return { datapath: nexthop, gateways: nexthop, keeper: nexthop };
  }
}
