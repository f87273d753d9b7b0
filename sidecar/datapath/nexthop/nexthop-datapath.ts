import type { Gateway, Link, Policy, RoutingPlan, Site } from '../../../rules/index.js';
import { compileRouting, contains, gatewayMark, parseNetwork } from '../../../rules/index.js';
import type { Compiled, Datapath } from '../datapath.js';
import type { SourceLists } from '../source-lists.js';
import type { UplinkNeed } from '../uplink-seeker.js';
import { UplinkSeeker, isSame, resolveRouter } from '../uplink-seeker.js';
import { adoptedUplink, gatewayNeighbours } from './adoption.js';
import type { GatewayChange, NeighbourState } from './gateway-table.js';
import { GatewayTable } from './gateway-table.js';
import { RouterChecks } from './router-checks.js';
import type { ConfiguredUplink } from '../../config/places.js';
import type { MoveOrder } from '../../control/move-order.js';
import type { Installed, PacketPath, RuleCounters } from '../../firewall/firewall.js';
import type { Logger } from '../../log/logger.js';
import type { GatewayStatus } from '../../status.js';
import { flushMark } from '../../system/conntrack.js';
import type { IpNeighbour } from '../../routing/iproute.js';
import { ipJson } from '../../routing/iproute.js';
import type { KernelEvent } from '../../routing/neighbour-monitor.js';

/** A router with clients behind it is not silent for so long: OpenVPN's keepalive is 10 s in its own examples. */
const SILENT_MS = 60_000;
/** Of a gateway whose rules are not written or not read yet. */
const NOTHING_COUNTED = { packets: 0, bytes: 0 };

export interface NexthopDatapathOptions<Rules> {
  readonly policy: Policy;
  /** What the packet filter is to do for a site. Pure. */
  readonly compileRules: (site: Site) => Rules;
  /** Highest gateway id. */
  readonly max: number;
  /** The setting `uplink`; null: found by itself. */
  readonly configuredUplink: ConfiguredUplink | null;
  readonly sources: SourceLists;
  readonly firewall: PacketPath;
  readonly logger: Logger;
  /** Gateways or the uplink changed. */
  readonly onChanged: () => void;
  /** Number of the first pass that will take in what is known now, for the log. */
  readonly nextPass: () => number;
}

/**
 * The datapath that needs no code in the kernel. It keeps the gateways itself: fed by neighbour events, by the
 * neighbour table at the start, and by the sets that the packet path fills with source MACs it does not know.
 */
export class NexthopDatapath<Rules> implements Datapath<Rules> {
  readonly kind = 'nexthop';
  readonly problem = null;
  readonly moduleCounters = null;
  readonly #options: NexthopDatapathOptions<Rules>;
  readonly #table: GatewayTable;
  #devices = new Set<string>();
  #uplink: number | null = null;
  /** Gateway id -> what its rule counted last, and when that had grown (monotonic milliseconds). */
  readonly #counted = new Map<number, { packets: number; grownAtMs: number }>();
  #counters: RuleCounters | null = null;
  /** Gateway id -> how often it moved. */
  readonly #moves = new Map<number, number>();
  /** Another router than the uplink opened a transport flow lately. */
  #hasOtherUplinks = false;
  /** No packet came from the uplink yet: it is one that was tried. */
  #isUplinkGuessed = false;
  #need: UplinkNeed = 'none';
  readonly #seeker = new UplinkSeeker();
  #isFull = false;
  readonly #checks: RouterChecks;

  constructor(options: NexthopDatapathOptions<Rules>) {
    this.#options = options;
    this.#table = new GatewayTable(options.max, (device, mac) => this.#isLearntFrom(device, mac));
    const { firewall, logger } = options;
    this.#checks = new RouterChecks({
      table: this.#table,
      firewall,
      logger,
      onChanges: (changes) => this.#note(changes),
      onCounters: (counters) => this.counted(counters),
    });
  }

  get sources(): SourceLists {
    return this.#options.sources;
  }

  get gateways(): readonly Gateway[] {
    return this.#table.list();
  }

  get uplink(): Gateway | null {
    return this.#uplink === null ? null : this.#table.get(this.#uplink);
  }

  get uplinkId(): number | null {
    return this.uplink?.id ?? null;
  }

  compile(site: Site): Compiled<Rules> {
    return { rules: this.#options.compileRules(site), bridge: null, routing: compileRouting(site) };
  }

  /** Nothing: rules and routing are all that it needs. */
  async start(): Promise<void> {}

  /**
   * Takes over gateways under the ids that conntrack marks know.
   *
   * @param plan the routing of the earlier run: its permanent neighbours say where answers go
   */
  adopt(table: Installed, plan: RoutingPlan): void {
    const { policy } = this.#options;
    const neighbours = gatewayNeighbours(policy, plan);
    for (const [id, sources] of table.gateways) {
      const { device, mac } = neighbours.get(id) ?? sources[0] ?? { device: '', mac: '' };
      if (device === '') continue;
      this.#devices.add(device);
      const own = sources.filter((source) => source.device === device).map((source) => source.mac);
      const isOrdered = table.orders.some((order) => order.device === device && own.includes(order.mac));
      this.#table.adopt({ id, device, mac, sources: own, ...(isOrdered ? { isOrdered } : {}) });
    }
    this.#uplink = adoptedUplink(policy, plan);
    this.#chooseUplink(table.uplinks);
  }

  /** The devices on which gateways are learnt are these from now on; those of others go. */
  async setLinks(links: readonly Link[]): Promise<void> {
    const devices = new Set(links.map(({ device }) => device));
    const gone = [...this.#devices].filter((device) => !devices.has(device));
    const isNew = [...devices].some((device) => !this.#devices.has(device));
    this.#devices = devices;
    this.#note(gone.flatMap((device) => this.#table.removeDevice(device)));
    if (isNew) await this.readNeighbours();
  }

  /** Takes the kernel's neighbour table as it is now. */
  async readNeighbours(): Promise<void> {
    const protocol = String(this.#options.policy.routing.protocol);
    if (this.#options.configuredUplink !== null) await resolveRouter(this.#options.configuredUplink);
    const neighbours = await ipJson<IpNeighbour>(['-N', 'neigh', 'show']);
    const usable = neighbours.filter(
      ({ state, protocol: by }) =>
        by !== protocol && !state.some((word) => word === 'FAILED' || word === 'INCOMPLETE' || word === 'NOARP'),
    );
    this.#heard(usable.map(({ dev, dst, lladdr }) => ({ device: dev, address: dst, mac: lladdr ?? null })));
  }

  /** Takes an event of the neighbour table. */
  take(event: KernelEvent & { kind: 'neighbour' }): void {
    if (!event.isOurs) this.#heard([event]);
  }

  /** Reads what the packet path noted. */
  async poll(): Promise<void> {
    const { firewall, sources } = this.#options;
    await sources.ask(this.#devices);
    const uplinks = await firewall.seenMacs('uplinks');
    const candidates = await firewall.seenMacs('candidates');
    const changes = [...uplinks, ...candidates]
      .filter(({ device, mac }) => this.#devices.has(device) && this.#table.bySource(device, mac) === null)
      .flatMap(({ device, mac }) => this.#table.frame(device, mac));
    const before = this.#uplink;
    const { configuredUplink } = this.#options;
    if (configuredUplink !== null) {
      if (configuredUplink.mac !== null && this.#devices.has(configuredUplink.device))
        changes.push(...this.#table.frame(configuredUplink.device, configuredUplink.mac));
      else if (this.uplink === null) await resolveRouter(configuredUplink);
    }
    this.#chooseUplink(uplinks);
    this.#seek(uplinks);
    this.#note(changes, before !== this.#uplink);
  }

  async move({ device, from, to }: MoveOrder): Promise<boolean> {
    const changes = this.#table.order(device, from, to);
    // What is ordered may be what there is: it is noted all the same, since it holds from now on.
    if (changes !== null) this.#note(changes, true);
    return changes !== null;
  }

  need(uplink: UplinkNeed): void {
    this.#need = uplink;
  }

  get wantsCounters(): boolean {
    return (
      this.#hasOtherUplinks ||
      this.#checks.isWatching ||
      this.#table.list().some(({ id }) => !this.#table.isActive(id))
    );
  }

  get fallThrough(): ReadonlyMap<string, number> {
    return new Map([...(this.#counters?.fallThrough ?? [])].map(([reason, { packets }]) => [reason, packets]));
  }

  async readCounters(): Promise<void> {
    const counters = await this.#options.firewall.readCounters();
    if (counters !== null) this.counted(counters);
  }

  counted(counters: RuleCounters): void {
    this.#counters = counters;
    for (const [id, { packets }] of counters.received) {
      if (packets > 0) this.#table.used(id);
      // Counters begin anew when the table is replaced.
      if (this.#counted.get(id)?.packets !== packets) this.#counted.set(id, { packets, grownAtMs: performance.now() });
    }
    this.#checks.counted(counters);
  }

  status(): GatewayStatus[] {
    return this.#table.list().map(({ id, device, mac }) => ({
      id,
      device,
      mac,
      addresses: this.#table.addressesOf(id),
      state: this.#table.hasMoved(id) ? 'moved' : this.#table.isActive(id) || id === this.#uplink ? 'active' : 'known',
      received: this.#counters?.received.get(id) ?? NOTHING_COUNTED,
      sent: this.#counters?.sent.get(id) ?? NOTHING_COUNTED,
      learnedFlows: null,
      moves: this.#moves.get(id) ?? 0,
      isOrdered: this.#table.isOrdered(id),
      idleMs: null,
    }));
  }

  #heard(neighbours: readonly NeighbourState[]): void {
    const own = neighbours.filter(({ device, address }) => this.#devices.has(device) && !this.#isNexthop(address));
    const hasListChanged = own.filter((neighbour) => this.#options.sources.take(neighbour)).length > 0;
    // Who is on a list now must not become a gateway before.
    this.#note(
      [...own.flatMap((neighbour) => this.#table.neighbour(neighbour)), ...this.#table.removeExempt()],
      hasListChanged,
    );
  }

  /**
   * The configured uplink is a gateway whatever the lists say: it is sent to, and the rules see to it that nothing is
   * learnt from it.
   */
  #isLearntFrom(device: string, mac: string): boolean {
    const { configuredUplink: uplink, sources } = this.#options;
    const isUplink =
      uplink?.device === device &&
      (uplink.mac === mac || (uplink.address !== null && this.#table.macOf(device, uplink.address) === mac));
    return isUplink || sources.isLearntFrom(device, mac);
  }

  #isNexthop(address: string): boolean {
    const { nexthop4, nexthop6 } = this.#options.policy.routing;
    const network = parseNetwork(address);
    return network === null || contains(nexthop4, network) || contains(nexthop6, network);
  }

  /**
   * Of two uplinks that both carry clients neither is better, so it stays. It changes when it is gone, or when nothing
   * came from it for a while (clients send at least keepalives) and something did from another.
   */
  #chooseUplink(uplinks: Installed['uplinks']): void {
    const { configuredUplink } = this.#options;
    if (configuredUplink !== null) {
      const { device, mac, address } = configuredUplink;
      this.#setUplink(
        address === null ? this.#table.bySource(device, mac ?? '') : this.#table.byAddress(device, address),
      );
      return;
    }
    const current = this.#uplink === null ? null : this.#table.get(this.#uplink);
    const recent = uplinks
      .toSorted((a, b) => (b.expiresSeconds ?? 0) - (a.expiresSeconds ?? 0))
      .map(({ device, mac }) => this.#table.bySource(device, mac))
      .filter((gateway) => gateway !== null);
    this.#hasOtherUplinks = recent.some(({ id }) => id !== current?.id);
    const chosen =
      current === null || (this.#isUplinkGuessed && recent.length > 0)
        ? recent[0]
        : this.#isSilent(current.id)
          ? recent.find(({ id }) => !this.#isSilent(id))
          : undefined;
    if (chosen === undefined && current !== null) return;
    this.#isUplinkGuessed = false;
    this.#setUplink(chosen ?? null);
  }

  #setUplink(chosen: Gateway | null): void {
    if (this.#uplink === (chosen?.id ?? null)) return;
    this.#uplink = chosen?.id ?? null;
    this.#options.logger.info('uplink.changed', { gateway: this.#uplink, device: chosen?.device, mac: chosen?.mac });
  }

  /** An OpenVPN client has to send before anybody can answer: one router after the other. */
  #seek(uplinks: Installed['uplinks']): void {
    if (this.#options.configuredUplink !== null) return;
    const isProven = this.#uplink !== null && !this.#isUplinkGuessed && uplinks.length > 0;
    const chosen = this.#seeker.choose(this.#need, this.#table.list(), isProven, performance.now());
    if (chosen === null) return;
    this.#isUplinkGuessed = true;
    this.#setUplink(this.#table.list().find((gateway) => isSame(gateway, chosen)) ?? null);
  }

  #isSilent(id: number): boolean {
    const counted = this.#counted.get(id);
    return counted !== undefined && performance.now() - counted.grownAtMs > SILENT_MS;
  }

  #note(changes: readonly GatewayChange[], isOtherwiseChanged = false): void {
    const { logger } = this.#options;
    for (const change of changes) {
      this.#checks.take(change);
      if (change.kind === 'doubted') continue;
      if (change.kind === 'limit') {
        // Once until there is room again: every further MAC would say the same.
        if (!this.#isFull)
          logger.warn('gateway.limit', { device: change.device, mac: change.mac, max: this.#options.max });
        this.#isFull = true;
        continue;
      }
      if (change.kind === 'gone') this.#isFull = false;
      const { id, device, mac } = change.gateway;
      const fields = { gateway: id, device, mac };
      if (change.kind === 'found')
        logger.info('gateway.found', { ...fields, by: change.by, pass: this.#options.nextPass() });
      else if (change.kind === 'moved') {
        this.#moves.set(id, (this.#moves.get(id) ?? 0) + 1);
        logger.info('gateway.moved', {
          ...fields,
          from: change.from,
          by: change.by,
          address: change.address,
          pass: this.#options.nextPass(),
        });
      } else {
        logger.info('gateway.gone', { ...fields, reason: change.why });
        this.#counted.delete(id);
        this.#moves.delete(id);
        this.#forgetMarks(id);
      }
    }
    if (changes.some(({ kind }) => kind !== 'limit' && kind !== 'doubted') || isOtherwiseChanged)
      this.#options.onChanged();
  }

  /** Until its marks are gone from conntrack, an id may not mean another MAC; ids rotate, so there is time. */
  #forgetMarks(id: number): void {
    const { policy, logger } = this.#options;
    flushMark(gatewayMark(policy, id), policy.markMask).catch((error: unknown) =>
      logger.warn('conntrack.unavailable', { error }),
    );
  }
}
