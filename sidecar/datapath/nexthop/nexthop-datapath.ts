import type { Link, Policy, Site, Vacancy } from '../../../rules/index.js';
import { cableLinks, compileRouting, contains, gatewayMark, parseNetwork } from '../../../rules/index.js';
import type { ConfiguredUplink } from '../../config/places.js';
import type { ForgetOrder } from '../../control/forget-order.js';
import type { KernelRouting } from '../../routing/kernel-routing.js';
import type { MoveOrder } from '../../control/move-order.js';
import type { PacketPath, RuleCounters } from '../../firewall/firewall.js';
import type { Logger } from '../../log/logger.js';
import type { GatewayStatus } from '../../status.js';
import { flushMark } from '../../system/conntrack.js';
import { orAborted } from '../../system/or-aborted.js';
import { OngoingWork } from '../../system/ongoing-work.js';
import type {
  BridgedSender,
  Compiled,
  Datapath,
  DatapathCounters,
  EarlierRun,
  GatewayKeeper,
  GatewayView,
  NeighbourState,
} from '../datapath.js';
import { BridgeWarning } from '../bridge-warning.js';
import { type AnswerPolicies, policyOf } from '../answer-policies.js';
import type { SourceLists } from '../source-lists.js';
import type { UplinkNeed } from '../uplink-seeker.js';
import { AnsweredGateways } from './answered-gateways.js';
import { adoptedUplink, deviceOfId, gatewayNeighbours } from './adoption.js';
import { type FrameTable, onLinks } from './frame-table.js';
import type { GatewayChange } from './gateway-change.js';
import { GatewayLog } from './gateway-log.js';
import { GatewayTable } from './gateway-table.js';
import { LatestNeighbours } from './latest-neighbours.js';
import type { Offload } from './offload.js';
import { NexthopUplink } from './nexthop-uplink.js';
import { RouterChecks } from './router-checks.js';
import { RouterProbes } from './router-probes.js';
import { Takers } from './takers.js';

/** A router with clients behind it is never silent for this long: OpenVPN's examples have a keepalive of 10 s. */
const SILENT_MS = 60_000;
/** Of a gateway whose rules are not written or not read yet. */
const NOTHING_COUNTED = { packets: 0, bytes: 0 };

export interface NexthopDatapathOptions<Rules> {
  readonly policy: Policy;
  /** The packet filter rules for a site. Pure. */
  readonly compileRules: (site: Site) => Rules;
  /** Highest gateway id. */
  readonly max: number;
  /** The setting `uplink`; null: found by itself. */
  readonly configuredUplink: ConfiguredUplink | null;
  readonly sources: SourceLists;
  readonly answers: AnswerPolicies;
  readonly firewall: PacketPath;
  /** The second table, for frames that pass a bridge; null if the packet filter has none. */
  readonly frames: FrameTable | null;
  readonly logger: Logger;
  /** Gateways or the uplink changed. */
  readonly onChanged: () => void;
  /** The rules can give vacant ids to routers that are not known. */
  readonly hasVacancies: boolean;
  /** Resolves when the kernel has what was wanted at the call. */
  readonly applied: () => Promise<void>;
  /** Number of the first pass that will take in what is known now, for the log. */
  readonly nextPass: () => number;
  /** Borrowed. */
  readonly offload: Offload;
  /** Borrowed. */
  readonly routing: Pick<KernelRouting, 'neighbours' | 'neighboursAt' | 'ask'>;
}

/**
 * The datapath that needs no kernel module. It keeps the gateways itself: fed by neighbour events, by the
 * neighbour table at the start, and by the sets that the packet path fills with source MACs it does not know.
 */
export class NexthopDatapath<Rules> implements Datapath<Rules>, GatewayView, GatewayKeeper {
  readonly problem = null;
  readonly #options: NexthopDatapathOptions<Rules>;
  readonly #table: GatewayTable;
  readonly #answered: AnsweredGateways;
  #devices = new Set<string>();
  readonly #uplink: NexthopUplink;
  /** Gateway id -> the last count of its rule, and when it increased (monotonic milliseconds). */
  readonly #counted = new Map<number, { packets: number; grownAtMs: number }>();
  #counters: RuleCounters | null = null;
  readonly #log: GatewayLog;
  readonly #withoutFrames: BridgeWarning;
  readonly #checks: RouterChecks;
  readonly #work = new OngoingWork();
  readonly #takers: Takers;
  readonly #closing = new AbortController();
  readonly #latest = new LatestNeighbours();
  readonly #probes: RouterProbes;

  constructor(options: NexthopDatapathOptions<Rules>) {
    this.#options = options;
    this.#table = new GatewayTable(
      options.max,
      (device, mac) => this.#isLearntFrom(device, mac),
      undefined,
      (device, mac) => this.#answered.policyOf({ device, mac, sources: [mac] }) !== null,
    );
    const { firewall, routing, logger } = options;
    this.#answered = new AnsweredGateways(this.#table, options.answers);
    this.#log = new GatewayLog({ ...options, table: this.#table, applied: () => this.#appliedOrClosing() });
    this.#withoutFrames = new BridgeWarning(logger);
    this.#uplink = new NexthopUplink({
      configured: options.configuredUplink,
      table: this.#table,
      isSilent: (id) => this.#isSilent(id) || this.#table.get(id)?.isDead === true,
      logger,
    });
    this.#checks = new RouterChecks({
      table: this.#table,
      firewall,
      routing,
      logger,
      onChanges: (changes) => this.#note(changes),
      onCounters: (counters) => this.counted(counters),
    });
    this.#probes = new RouterProbes({
      routing,
      targets: async () => {
        await this.readCounters();
        return this.#answered.probed(this.uplinkId, (id) => this.#counters?.received.get(id)?.packets ?? 0);
      },
      onDead: (device, mac) => this.#note(this.#table.dead(device, mac)),
      onAlive: (device, mac, by) => this.#note(this.#table.alive(device, mac, by)),
    });
    this.#takers = new Takers({
      ...options,
      table: this.#table,
      onChanges: (changes) => this.#note(changes),
    });
  }

  get ofSite(): Pick<Site, 'gateways' | 'uplink' | 'vacancies' | 'offloads'> {
    const { gateway: uplink } = this.#uplink;
    return {
      gateways: this.#answered.list(),
      uplink: uplink === null || uplink.isDead === true ? null : this.#answered.of(uplink),
      vacancies: this.#options.hasVacancies ? this.#table.vacancies.list : [],
      ...(this.#options.offload.isOn ? { offloads: true } : {}),
    };
  }

  get uplinkId(): number | null {
    return this.#uplink.gateway?.id ?? null;
  }

  compile(site: Site): Compiled<Rules> {
    const { compileRules, frames } = this.#options;
    if (frames === null) this.#withoutFrames.about(cableLinks(site.links).map(({ device }) => device));
    return { rules: compileRules(site), bridge: frames?.compile(site) ?? null, routing: compileRouting(site) };
  }

  /**
   * Takes over gateways under the ids that conntrack marks know; the permanent neighbours of the earlier run say where
   * answers go. Rules and routing are all that it needs of the kernel.
   */
  async start(earlier: EarlierRun | null): Promise<void> {
    if (earlier === null) return;
    const { table, plan } = earlier;
    const { policy } = this.#options;
    const neighbours = gatewayNeighbours(policy, plan);
    for (const [id, sources] of table.gateways) {
      const { device, mac } = neighbours.get(id) ?? sources[0] ?? { device: '', mac: '' };
      if (device === '') continue;
      this.#devices.add(device);
      const own = sources.filter((source) => source.device === device).map((source) => source.mac);
      const isOrdered = table.orders.some((order) => order.device === device && own.includes(order.mac));
      const [home] = own;
      const isPolicy =
        !isOrdered && home !== undefined && this.#answered.policyOf({ device, mac: home, sources: own }) !== null;
      this.#table.adopt({ id, device, mac: isPolicy ? home : mac, sources: own, ...(isOrdered ? { isOrdered } : {}) });
    }
    this.#uplink.adopt(adoptedUplink(policy, plan), table.uplinks);
    for (const [id, taker] of table.vacancies) {
      const device = deviceOfId(policy, plan, id);
      if (device === null) continue;
      this.#devices.add(device);
      this.#table.adoptVacancy({ id, device });
      if (taker?.device === device) this.#note(this.#table.seat(id, device, taker.mac));
    }
  }

  /** Gateways on other devices go. */
  setLinks(links: readonly Link[]): void {
    const devices = new Set(links.map(({ device }) => device));
    const gone = [...this.#devices].filter((device) => !devices.has(device));
    this.#devices = devices;
    for (const device of gone) this.#retire(this.#table.vacancies.removeDevice(device));
    this.#note(
      gone.flatMap((device) => this.#table.removeDevice(device)),
      this.#reserve(),
    );
  }

  heard(neighbours: readonly NeighbourState[]): void {
    const others = neighbours.filter(({ address }) => !this.#isNexthop(address));
    this.#note(this.#answered.take(others));
    // Flows must not wait until the packet path was asked who is new.
    const claims = others.map((neighbour) => ({ neighbour, ...this.#table.claim(neighbour) }));
    // Senders that the lists now exclude are no longer gateways.
    this.#note([...claims.flatMap(({ changes }) => changes), ...this.#table.removeExempt()]);
    const fresh = claims.flatMap(({ isNew, neighbour }) => (isNew ? [neighbour] : []));
    if (!this.#latest.add(fresh)) return;
    this.#takers.before(fresh, () =>
      this.#latest.take().flatMap(({ device, mac }) => (mac === null ? [] : this.#table.seen(device, mac))),
    );
  }

  bridged(senders: readonly BridgedSender[]): void {
    this.#takers.before(senders, () => senders.flatMap(({ device, mac }) => this.#table.seen(device, mac)));
  }

  /** Who takes which id until the rules are replaced will not be known, so other ids are vacant from then on. */
  rewriting(): void {
    const { list } = this.#table.vacancies;
    this.#retire(list.filter(({ id }) => this.#table.vacancies.take(id) !== null));
    if (this.#reserve()) this.#options.onChanged();
  }

  /** See {@link RouterProbes}. */
  probe(): Promise<void> {
    return this.#work.add(this.#probes.round());
  }

  poll(need: UplinkNeed, links: readonly Link[]): Promise<void> {
    return this.#work.add(this.#pollNow(need, links));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#takers.close();
    await this.#checks.close();
    await this.#options.offload.close();
    await this.#work.idle();
    await this.#log.close();
  }

  async move({ device, from, to }: MoveOrder): Promise<boolean> {
    const changes = this.#table.order(device, from, to);
    // What is ordered may be what there is: it is noted anyway, since it holds from now on.
    if (changes !== null) this.#note(changes, true);
    return changes !== null;
  }

  async forget({ device, mac }: ForgetOrder): Promise<boolean> {
    const changes = this.#table.forget(device, mac);
    this.#note(changes);
    return changes.length > 0;
  }

  get wantsCounters(): boolean {
    return (
      this.#options.offload.isOn ||
      this.#uplink.hasOthers ||
      this.#checks.isWatching ||
      this.#table.list().some(({ id }) => !this.#table.isActive(id))
    );
  }

  get counters(): DatapathCounters {
    const fallThrough = [...(this.#counters?.fallThrough ?? [])].map(
      ([reason, { packets }]) => [reason, packets] as const,
    );
    return { fallThrough: new Map(fallThrough), module: null };
  }

  async readCounters(): Promise<void> {
    const counters = await this.#options.firewall.readCounters();
    if (counters !== null) this.counted(counters);
  }

  counted(counters: RuleCounters): void {
    this.#counters = counters;
    this.#options.offload.relearnt(counters.relearnt ?? 0);
    for (const [id, { packets }] of counters.received) {
      if (packets > 0) this.#table.used(id);
      // Counters start again when the table is replaced.
      if (this.#counted.get(id)?.packets !== packets) this.#counted.set(id, { packets, grownAtMs: performance.now() });
    }
    this.#checks.counted(counters);
  }

  status(): GatewayStatus[] {
    const { uplinkId } = this;
    return this.#answered.list().map(({ id, device, mac, sources, isDead }) => ({
      id,
      device,
      mac,
      addresses: this.#table.addressesOf(id),
      deaths: this.#log.deaths.get(id) ?? 0,
      state:
        isDead === true
          ? 'down'
          : this.#table.hasMoved(id)
            ? 'moved'
            : this.#table.isActive(id) || id === uplinkId
              ? 'active'
              : 'known',
      received: this.#counters?.received.get(id) ?? NOTHING_COUNTED,
      sent: this.#counters?.sent.get(id) ?? NOTHING_COUNTED,
      learnedFlows: null,
      moves: this.#log.moves.total(id),
      recentMoves: this.#log.moves.recent(id),
      isOrdered: this.#table.isOrdered(id),
      ...policyOf(this.#answered.policyOf({ device, mac, sources })),
      idleMs: null,
    }));
  }

  async #pollNow(need: UplinkNeed, links: readonly Link[]): Promise<void> {
    const { firewall, frames, answers, offload } = this.#options;
    await answers.ask(this.#devices);
    await offload.look();
    await this.#takers.look();
    const uplinks = await firewall.seenMacs('uplinks');
    const candidates = await firewall.seenMacs('candidates');
    const noted =
      frames === null || cableLinks(links).length === 0 ? [] : await frames.firewall.seenMacs('destinations');
    const destinations = onLinks(noted, links);
    const found = [...uplinks, ...candidates, ...destinations]
      .filter(({ device, mac }) => this.#devices.has(device) && this.#table.bySource(device, mac) === null)
      .flatMap(({ device, mac }) => this.#table.frame(device, mac));
    const { changes, hasChanged } = await this.#uplink.poll(need, { uplinks, destinations }, this.#devices);
    this.#note([...found, ...changes], hasChanged);
  }

  /**
   * The configured uplink is a gateway whatever the lists say: it is sent to, and the rules see to it that nothing is
   * learnt from it.
   */
  #isLearntFrom(device: string, mac: string): boolean {
    return this.#uplink.isConfigured(device, mac) || this.#options.sources.isLearntFrom(device, mac);
  }

  #isNexthop(address: string): boolean {
    const { nexthop4, nexthop6 } = this.#options.policy.routing;
    const network = parseNetwork(address);
    return network === null || contains(nexthop4, network) || contains(nexthop6, network);
  }

  #isSilent(id: number): boolean {
    const counted = this.#counted.get(id);
    return counted !== undefined && performance.now() - counted.grownAtMs > SILENT_MS;
  }

  #reserve(): boolean {
    return this.#options.hasVacancies && this.#table.reserve(this.#devices);
  }

  #retire(vacancies: readonly Vacancy[]): void {
    for (const { id } of vacancies) this.#forgetMarks(id);
  }

  #note(changes: readonly GatewayChange[], isOtherwiseChanged = false): void {
    for (const change of changes) {
      this.#checks.take(change);
      this.#log.tell(change);
      if (change.kind === 'dead') this.#endOffloaded();
      if (change.kind !== 'gone') continue;
      this.#counted.delete(change.gateway.id);
      this.#forgetMarks(change.gateway.id);
    }
    const hasReserved = changes.length > 0 && this.#reserve();
    if (changes.some(({ kind }) => kind !== 'limit' && kind !== 'doubted') || isOtherwiseChanged || hasReserved)
      this.#options.onChanged();
    if (changes.some(({ kind }) => kind === 'found') && this.#table.vacancies.list.length > 0)
      this.#takers.lookAfterPass();
  }

  /** The offloaded flows of a dead gateway pass rules and routing once more, when its rule is removed. */
  #endOffloaded(): void {
    const { offload, applied, logger } = this.#options;
    const renewed = offload.isOn ? applied().then(() => offload.rulesChanged()) : Promise.resolve();
    renewed.catch((error: unknown) => logger.warn('daemon.check_failed', { error }));
  }

  async #appliedOrClosing(): Promise<void> {
    // Who noted a change asks for the pass that takes it in in the same call.
    await Promise.resolve();
    await orAborted(this.#options.applied(), this.#closing.signal);
  }

  /**
   * Until its marks are gone from conntrack, an id may not mean another MAC; ids rotate, so there is time. The pass that
   * takes a gateway away ends its offloaded flows, whose entries some kernels do not delete before.
   */
  #forgetMarks(id: number): void {
    const { policy, logger, offload } = this.#options;
    const ended = offload.isOn ? this.#appliedOrClosing() : Promise.resolve();
    this.#work
      .add(ended.then(() => flushMark(gatewayMark(policy, id), policy.markMask)))
      .catch((error: unknown) => logger.warn('conntrack.unavailable', { error }));
  }
}
