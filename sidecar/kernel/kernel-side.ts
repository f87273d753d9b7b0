import type { IptablesRules, Policy, Structure } from '../../rules/index.js';
import type { ConfiguredUplink } from '../config/places.js';
import type { SourceLists } from '../datapath/source-lists.js';
import type { Datapath } from '../datapath/datapath.js';
import { ModuleDatapath } from '../datapath/module/module-datapath.js';
import { NexthopDatapath } from '../datapath/nexthop/nexthop-datapath.js';
import type { Firewall } from '../firewall/firewall.js';
import { IptablesFirewall } from '../firewall/iptables-firewall.js';
import { NftablesFirewall } from '../firewall/nftables-firewall.js';
import type { FirewallTool } from '../firewall/open-firewall.js';
import type { Logger } from '../log/logger.js';
import type { ReconcilerOptions } from './reconciler.js';
import { Reconciler } from './reconciler.js';

export interface KernelSideOptions extends Pick<
  ReconcilerOptions<never>,
  'clients' | 'onRemoved' | 'beforeClients' | 'onPass'
> {
  readonly kind: Datapath['kind'];
  /** Borrowed. */
  readonly tool: FirewallTool;
  readonly policy: Policy;
  readonly maxGateways: number;
  /** The setting `uplink`; null: found by itself. */
  readonly configuredUplink: ConfiguredUplink | null;
  /** The settings `gateways.exclude` and `gateways.only`. */
  readonly sources: SourceLists;
  readonly logger: Logger;
  /** The datapath has something new for the site. */
  readonly onChanged: () => void;
}

/** What the daemon works the kernel with. */
export interface KernelSide {
  readonly datapath: Datapath;
  readonly firewall: Firewall<never>;
  /**
   * The table for frames that pass an inline endpoint. Only the module captures them, the other datapath has it
   * removed; only nftables can select them.
   */
  readonly bridge: Firewall<Structure> | null;
  readonly reconciler: Reconciler | Reconciler<IptablesRules>;
}

/** Puts datapath, firewall and reconciler together, for the firewall that there is. */
export function makeKernelSide(options: KernelSideOptions): KernelSide {
  const {
    kind,
    tool,
    policy,
    maxGateways,
    configuredUplink,
    sources,
    logger,
    onChanged,
    clients,
    onRemoved,
    beforeClients,
    onPass,
  } = options;
  const makeDatapath = (
    source: Pick<Firewall<never>, 'seenMacs' | 'readCounters'>,
    nextPass: () => number,
  ): Datapath =>
    kind === 'module'
      ? new ModuleDatapath({ policy, logger, onChanged, firewall: source, configuredUplink, sources })
      : new NexthopDatapath({
          policy,
          max: maxGateways,
          firewall: source,
          logger,
          onChanged,
          configuredUplink,
          sources,
          nextPass,
        });
  const common = {
    policy,
    clients,
    logger,
    onRemoved,
    ...(beforeClients === undefined ? {} : { beforeClients }),
    ...(onPass === undefined ? {} : { onPass }),
  };

  if (tool.kind === 'iptables') {
    const firewall = new IptablesFirewall(tool, policy.table);
    const datapath = makeDatapath(firewall, () => reconciler.nextPass);
    const reconciler: Reconciler<IptablesRules> = new Reconciler<IptablesRules>({
      ...common,
      firewall,
      compile: (site) => datapath.compileForIptables(site, firewall.machine),
    });
    return { datapath, firewall, bridge: null, reconciler };
  }
  const firewall = new NftablesFirewall(tool.nft, policy.table);
  const bridge = new NftablesFirewall(tool.nft, policy.table, 'bridge');
  const datapath = makeDatapath(firewall, () => reconciler.nextPass);
  const reconciler: Reconciler = new Reconciler<Structure>({
    ...common,
    firewall,
    bridge,
    compile: (site) => datapath.compile(site),
  });
  return { datapath, firewall, bridge, reconciler };
}
