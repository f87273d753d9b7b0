import type { Link, Policy, Site, Structure } from '../../../rules/index.js';
import { compileModuleRouting, moduleMark } from '../../../rules/index.js';
import type { ConfiguredUplink } from '../../config/places.js';
import type { ForgetOrder } from '../../control/forget-order.js';
import type { MoveOrder } from '../../control/move-order.js';
import type { PacketPath } from '../../firewall/firewall.js';
import type { Logger } from '../../log/logger.js';
import type { GatewayStatus } from '../../status.js';
import { OngoingWork } from '../../system/ongoing-work.js';
import type { Compiled, Datapath, DatapathCounters, GatewayView } from '../datapath.js';
import { BridgeWarning } from '../bridge-warning.js';
import type { SourceLists } from '../source-lists.js';
import type { UplinkNeed } from '../uplink-seeker.js';
import { ModuleUplink } from './module-uplink.js';
import type { ModuleGateway } from './proc.js';
import { isFallThrough } from './counters.js';
import { parseModuleGateway, parseModuleStats, readRecords, writeControl } from './proc.js';

export interface ModuleDatapathOptions<Rules> {
  readonly policy: Policy;
  /** The packet filter rules for a site. Pure. */
  readonly compileRules: (site: Site) => Rules;
  /** The same for frames that pass these bridges, at least one; null if the packet filter cannot select them. Pure. */
  readonly compileBridge: ((site: Site, bridges: readonly string[]) => Structure) | null;
  readonly logger: Logger;
  readonly firewall: Pick<PacketPath, 'seenMacs'>;
  /** The setting `uplink`; null: found by itself. */
  readonly configuredUplink: ConfiguredUplink | null;
  readonly sources: SourceLists;
  /** The status changed, and the daemon should read it. */
  readonly onChanged: () => void;
}

/**
 * The datapath of gwmark.ko: rules mark the packets of VPN flows, the module learns, sends and follows moves by
 * itself. What is left to do here is to switch it on, to watch that it stays, and to show what it knows.
 */
export class ModuleDatapath<Rules> implements Datapath<Rules>, GatewayView {
  readonly ofSite = { gateways: [], uplink: null };
  readonly #options: ModuleDatapathOptions<Rules>;
  #known: readonly ModuleGateway[] = [];
  #problem: string | null = null;
  readonly #uplink: ModuleUplink;
  #counters: ReadonlyMap<string, number> = new Map();
  readonly #work = new OngoingWork();
  readonly #withoutFrames: BridgeWarning;

  constructor(options: ModuleDatapathOptions<Rules>) {
    this.#options = options;
    this.#withoutFrames = new BridgeWarning(options.logger);
    this.#uplink = new ModuleUplink({
      configured: options.configuredUplink,
      protocol: options.policy.routing.protocol,
      firewall: options.firewall,
      logger: options.logger,
    });
  }

  get problem(): string | null {
    return this.#problem;
  }

  get uplinkId(): number | null {
    return this.#known.find(({ isUplink }) => isUplink)?.id ?? null;
  }

  compile(site: Site): Compiled<Rules> {
    const { compileRules, compileBridge } = this.#options;
    const bridges = site.links.filter(({ isBridge }) => isBridge).map(({ device }) => device);
    if (compileBridge === null) this.#withoutFrames.about(bridges);
    return {
      rules: compileRules(site),
      bridge: compileBridge === null || bridges.length === 0 ? null : compileBridge(site, bridges),
      routing: compileModuleRouting(site),
    };
  }

  /**
   * Switches the module on. It outlives the sidecar, so of an earlier run there is nothing to take over.
   *
   * @throws GwmarkError DATAPATH_FAILED, DATAPATH_ABI
   */
  async start(): Promise<void> {
    const { policy } = this.#options;
    // Reads first: never writes to a module of another ABI.
    const config = await readRecords('config');
    const mark = `0x${moduleMark(policy).toString(16)}/0x${policy.markMask.toString(16)}`;
    await writeControl('enable');
    await writeControl(`set reply_mark ${mark}`);
    await writeControl(`set orig_mark ${mark}`);
    await writeControl(`set learn_onlink ${policy.learnOnlink ? 'on' : 'off'}`);
    await this.#uplink.adopt(config);
  }

  async move({ device, from, to }: MoveOrder): Promise<boolean> {
    const gateways = (await readRecords('gateways')).map(parseModuleGateway);
    if (!gateways.some((gateway) => gateway?.device === device && gateway.mac === from)) return false;
    await writeControl(`move ${device} ${from} ${to} keep`);
    return true;
  }

  async forget({ device, mac }: ForgetOrder): Promise<boolean> {
    const gateways = (await readRecords('gateways')).map(parseModuleGateway);
    if (!gateways.some((gateway) => gateway?.device === device && gateway.mac === mac)) return false;
    await writeControl(`gateway del ${device} ${mac}`);
    return true;
  }

  /**
   * What it learnt before it was on a list is forgotten: packets of these flows take the normal route then. The uplink
   * is one to send to.
   */
  async #forgetExempt(): Promise<void> {
    const { sources } = this.#options;
    const exempt = this.#known.filter(({ device, mac, isUplink }) => !isUplink && !sources.isLearntFrom(device, mac));
    for (const { device, mac } of exempt) await writeControl(`gateway del ${device} ${mac}`);
  }

  get counters(): DatapathCounters {
    return {
      fallThrough: new Map([...this.#counters].filter(([name]) => isFallThrough(name))),
      module: this.#counters,
    };
  }

  /** Rejects while the module is not loaded: `poll` says so in the problem. */
  async readCounters(): Promise<void> {
    const [gateways, stats] = await Promise.all([readRecords('gateways'), readRecords('stats')]);
    this.#note(gateways.map(parseModuleGateway).filter((gateway) => gateway !== null));
    this.#counters = parseModuleStats(stats);
  }

  /** Notices when the module is unloaded, or reloaded without its settings, and sets it up again. */
  poll(need: UplinkNeed, links: readonly Link[]): Promise<void> {
    return this.#work.add(this.#pollNow(need, links));
  }

  /** The module follows claims by itself, and has no state for a gateway that is dead. */
  async probe(): Promise<void> {}

  close(): Promise<void> {
    return this.#work.idle();
  }

  async #pollNow(need: UplinkNeed, links: readonly Link[]): Promise<void> {
    const before = this.#problem;
    try {
      const config = await readRecords('config');
      if (config.includes('enabled 0')) await this.start();
      await this.#uplink.poll(need, links, this.uplinkId !== null);
      this.#note((await readRecords('gateways')).map(parseModuleGateway).filter((gateway) => gateway !== null));
      await this.#forgetExempt();
      this.#problem = null;
    } catch (error) {
      this.#known = [];
      this.#problem = (error as Error).message;
    }
    if (before === this.#problem) return;
    if (this.#problem === null) this.#options.logger.info('datapath.recovered');
    else this.#options.logger.error('datapath.failed', { reason: this.#problem });
    this.#options.onChanged();
  }

  status(): readonly GatewayStatus[] {
    return this.#known.map(
      ({ id, device, send, mac, addresses, idleMs, learned, sentPackets, sentBytes, moves, isOrdered }) => ({
        id,
        device,
        mac: send,
        addresses,
        state: send !== mac ? 'moved' : idleMs === null ? 'known' : 'active',
        received: null,
        sent: { packets: sentPackets, bytes: sentBytes },
        learnedFlows: learned,
        moves,
        isOrdered,
        idleMs,
      }),
    );
  }

  #note(gateways: readonly ModuleGateway[]): void {
    const { logger } = this.#options;
    const before = new Map(this.#known.map((gateway) => [gateway.id, gateway]));
    const uplinkBefore = this.uplinkId;
    this.#known = gateways;
    for (const { id, device, mac, send } of gateways) {
      const known = before.get(id);
      if (known === undefined) logger.info('gateway.found', { gateway: id, device, mac, by: 'frame' });
      else if (known.send !== send) logger.info('gateway.moved', { gateway: id, device, mac: send, from: known.send });
      before.delete(id);
    }
    for (const { id, device, mac } of before.values())
      logger.info('gateway.gone', { gateway: id, device, mac, reason: 'device' });
    if (this.uplinkId !== uplinkBefore) logger.info('uplink.changed', { gateway: this.uplinkId });
  }
}
