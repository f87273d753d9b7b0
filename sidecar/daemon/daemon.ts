import type { ClientNetwork, Policy, Transport, Tunnel } from '../../rules/index.js';
import { networkKey, transportComment } from '../../rules/index.js';
import { readVersion } from '../config/version.js';
import type { Settings } from '../config/settings.js';
import type { MoveOrder } from '../control/move-order.js';
import { plainInForce } from '../control/settings-in-force.js';
import { readRouting } from '../routing/plan.js';
import { SourceLists } from '../datapath/source-lists.js';
import type { DatapathKind } from '../datapath/datapath.js';
import { type Devices, hasDevice, readDevices, tunnelTowards } from '../discovery/devices.js';
import { type FirewallTool, nameOf } from '../firewall/open-firewall.js';
import type { Logger } from '../log/logger.js';
import type { StatusDocument } from '../status.js';
import type { KernelEvent } from '../routing/neighbour-monitor.js';
import { checkClashes } from '../routing/conflicts.js';
import { ClientConnections } from '../kernel/client-connections.js';
import { Debounced } from '../system/debounced.js';
import { Forwarder } from '../kernel/forwarder.js';
import { FilterWatch } from '../kernel/filter-watch.js';
import { type KernelSide, makeKernelSide } from '../kernel/kernel-side.js';
import { uniqueBy } from './keys.js';
import { RestartingMonitor } from '../routing/restarting-monitor.js';
import type { WantedSite } from '../kernel/reconciler.js';
import { Reachability } from '../kernel/reachability.js';
import { repeat } from '../system/repeat.js';
import type { RunHooks } from './run-hooks.js';
import { RoutingCheck } from '../kernel/routing-check.js';
import { RoutingRepairs } from '../kernel/routing-repairs.js';
import { Servers } from '../openvpn/servers.js';
import { buildStatus } from './status-builder.js';
import { DeviceWatch } from '../kernel/device-watch.js';
import { Repairs } from './repairs.js';

/**
 * Owner of the client networks that an earlier run left in the kernel, until the first snapshot tells who is there.
 */
const ADOPTED = 'adopted';
/** A burst of device, route and rule events is answered once. */
const SETTLE_MS = 50;
/** Reading every element costs time in proportion to the clients, so it is done seldom. */
const FULL_CHECK_MS = 60_000;
/** An answer without a fresh look at the kernel is better than none. */
const ASKED_MS = 1000;

/**
 * The sidecar at work: servers tell who is connected, gateways who sends, and the reconciler brings the kernel there.
 * Nothing it installed goes when it ends.
 */
export class Daemon implements AsyncDisposable {
  #settings: Settings;
  readonly #policy: Policy;
  readonly #logger: Logger;
  readonly #tool: FirewallTool;
  readonly #tables: KernelSide['tables'];
  readonly #connections: ClientConnections;
  readonly #reconciler: KernelSide['reconciler'];
  readonly #kind: DatapathKind;
  readonly #sources: SourceLists;
  readonly #datapath: KernelSide['datapath'];
  readonly #gateways: KernelSide['gateways'];
  readonly #keeper: KernelSide['keeper'];
  readonly #neighbours: KernelSide['neighbours'];
  readonly #servers: Servers;
  readonly #reachability: Reachability;
  readonly #refresh: Debounced;
  readonly #routing: RoutingRepairs;
  readonly #forwarder: Forwarder;
  readonly #filters: FilterWatch;
  readonly #cards: DeviceWatch;
  readonly #forwarding: Debounced;
  readonly #stop = new AbortController();
  #devices: Devices = { links: [], tunnels: [], taps: [] };
  /** What an earlier run left, while a server that may have it is not heard of. */
  #adopted: readonly ClientNetwork[] = [];
  #adoptedTransports: readonly Transport[] = [];
  #earlierTransports: readonly Transport[] = [];
  #wanted: WantedSite | null = null;
  /** Until every server was heard of or tried without success, what an earlier run left stays as it is. */
  #isGateOpen = false;
  #areSettled = false;
  #onGateOpen: () => void = () => undefined;
  readonly #gate = new Promise<void>((resolve) => {
    this.#onGateOpen = resolve;
  });
  #monitor: RestartingMonitor | null = null;
  readonly #settle: Debounced;
  readonly #look: Debounced;
  readonly #repairs = new Repairs();
  #hooks: RunHooks = {};

  /** @param tool borrowed */
  constructor(settings: Settings, policy: Policy, kind: DatapathKind, tool: FirewallTool, logger: Logger) {
    this.#settings = settings;
    this.#policy = policy;
    this.#logger = logger;
    this.#tool = tool;
    this.#connections = new ClientConnections({
      isEnabled: settings.conntrack === 'flush',
      tunnels: () => this.#wanted?.tunnels ?? [],
      logger,
    });
    this.#kind = kind;
    this.#sources = new SourceLists(settings.gateways.exclude, settings.gateways.only);
    const side = makeKernelSide({
      kind,
      tool,
      policy,
      maxGateways: settings.gateways.max,
      configuredUplink: settings.uplink,
      clients: this.#connections.networks,
      sources: this.#sources,
      logger,
      onChanged: () => this.#updateSite(),
      onPass: (pass) => this.#hooks.onPass?.(pass),
      onRemoved: (networks) => this.#connections.removed(networks),
      beforeClients: () => this.#connections.handingOver,
    });
    this.#datapath = side.datapath;
    this.#gateways = side.gateways;
    this.#keeper = side.keeper;
    this.#neighbours = side.neighbours;
    this.#tables = side.tables;
    this.#reconciler = side.reconciler;
    this.#reachability = new Reachability({
      clients: this.#connections.networks,
      applied: () => this.#reconciler.applied(),
      logger,
    });
    this.#refresh = new Debounced(SETTLE_MS, () => this.#refreshNow(), logger);
    const check = new RoutingCheck({
      reconciler: this.#reconciler,
      onRepaired: () => this.#repairs.routingRepaired(),
      logger,
    });
    this.#routing = new RoutingRepairs({
      reconciler: this.#reconciler,
      check,
      refresh: () => this.#refresh.now(),
      logger,
    });
    this.#forwarder = new Forwarder({ datapath: kind, onSavedSysctls: () => this.#noteSavedSysctls(), logger });
    this.#cards = new DeviceWatch(logger);
    this.#filters = new FilterWatch({ tool, table: policy.table, datapath: kind, logger });
    this.#forwarding = new Debounced(0, () => this.#enableForwarding(), logger);
    this.#servers = new Servers(settings, {
      clients: this.#connections.networks,
      logger,
      onClientChanged: (key) => this.#clientChanged(key),
      onServerChanged: () => this.#refresh.now(),
      earlierTransports: (name) => this.#servers.withoutOthers(name, this.#earlierTransports),
      whenApplied: () => this.#whenApplied(),
    });
    this.#settle = new Debounced(0, () => this.#settleNow(), logger);
    this.#look = new Debounced(0, () => this.#poll().finally(() => this.#hooks.onLooked?.()), logger);
  }

  status(): StatusDocument {
    return buildStatus({
      version: readVersion(),
      datapath: this.#kind,
      gateways: this.#gateways,
      sources: this.#sources,
      firewall: nameOf(this.#tool),
      servers: this.#servers.list,
      repairs: this.#repairs,
      markMask: this.#policy.markMask,
      settings: plainInForce(this.#settings),
      elements: this.#reconciler.elements,
      appliedPass: this.#reconciler.appliedPass,
      problems: [
        this.#datapath.problem,
        this.#reconciler.problem,
        this.#repairs.problem,
        this.#routing.problem,
        this.#forwardingProblem,
        this.#uplinkProblem,
        this.#filters.problem,
        this.#cards.problem,
        ...this.#servers.list.map(({ problem }) => problem),
      ].filter((problem) => problem !== null),
      isSettled: this.#reconciler.isSettled,
      unreachable: this.#reachability.list(),
    });
  }

  /**
   * Makes `status` say what the kernel has: counters read again, every change known so far installed. Resolves after a
   * second at the latest.
   */
  settle(): Promise<void> {
    return this.#settle.within(ASKED_MS);
  }

  /** Sends answers of a gateway elsewhere; resolves when the kernel does. False where there is no such gateway. */
  async move(order: MoveOrder): Promise<boolean> {
    if (!(await this.#gateways.move(order))) return false;
    await this.#reconciler.applied();
    return true;
  }

  /**
   * Why traffic of the VPN is not carried, a sentence each, after a look at the kernel that takes a second at most;
   * empty when it is.
   */
  async readiness(): Promise<readonly string[]> {
    await this.#look.within(ASKED_MS);
    return this.status().problems;
  }

  /**
   * Works until the signal is aborted.
   *
   * @throws GwmarkError FIREWALL_CLASH, ROUTING_CLASH, ROUTING_UNAVAILABLE before anything was changed
   */
  async run(signal: AbortSignal, hooks: RunHooks = {}): Promise<void> {
    this.#hooks = hooks;
    await this.#adopt();
    this.#monitor = this.#startMonitor();
    await Promise.all([this.#routing.begin(), this.#neighbours.read()]);
    await this.#filters
      .look(this.#devices.links)
      .catch((error: unknown) => this.#logger.warn('daemon.check_failed', { error }));
    await this.#refresh.now();
    const failed = this.#servers.follow();
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    void Promise.all(this.#servers.list.map(({ settled }) => settled)).then(() => {
      this.#areSettled = true;
      return this.#start(hooks);
    });
    const every = (intervalMs: () => number, work: () => Promise<void>): Promise<void> =>
      repeat(intervalMs, work, this.#stop.signal, this.#logger);
    const loops = [
      every(
        () => this.#settings.gateways.pollIntervalMs,
        () => this.#look.now(),
      ),
      every(
        () => FULL_CHECK_MS,
        () => this.#checkElements(),
      ),
    ];
    loops.push(
      every(
        () => this.#settings.routing.rereadIntervalMs,
        () => this.#reread(),
      ),
    );
    try {
      if (!signal.aborted) await Promise.race([failed, aborted]);
    } finally {
      this.#stop.abort();
      await Promise.all(loops);
    }
  }

  /**
   * Puts changed settings into force, those of `RELOADABLE`: servers that are named no more are left with their
   * clients, new ones are followed; nobody else's flow notices.
   */
  async reconfigure(settings: Settings): Promise<void> {
    this.#settings = settings;
    this.#connections.isEnabled = settings.conntrack === 'flush';
    await this.#servers.reconfigure(settings);
    await this.#refresh.now();
    this.#forwarding.soon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#servers[Symbol.asyncDispose]();
    this.#refresh.stop();
    this.#routing.stop();
    this.#forwarding.stop();
    this.#settle.stop();
    this.#look.stop();
    this.#reachability.stop();
    await this.#monitor?.[Symbol.asyncDispose]();
    await this.#datapath.close();
    await this.#reconciler.close();
    await this.#connections[Symbol.asyncDispose]();
  }

  async #start(hooks: RunHooks): Promise<void> {
    await this.#refresh.now();
    await this.#reconciler.applied();
    if (!this.#stop.signal.aborted) hooks.onStarted?.();
  }

  async #adopt(): Promise<void> {
    this.#devices = await readDevices(this.#settings.devices);
    const table = await this.#tables.adopt((address) => tunnelTowards(this.#devices, address));
    await checkClashes(this.#policy, this.#tables);
    const plan = await readRouting(this.#policy);
    await this.#datapath.start(table === null ? null : { table, plan });
    if (table !== null) {
      this.#adopted = [...table.clients.values()];
      this.#adoptedTransports = this.#earlierTransports = table.transports;
      this.#forwarder.adopt(table.savedSysctls);
      this.#logger.info('firewall.adopted', {
        clients: this.#adopted.length,
        gateways: this.#gateways.ofSite.gateways.length,
      });
    }
    for (const network of this.#adopted) this.#connections.networks.add(ADOPTED, network, ADOPTED);
    this.#reconciler.adopt(this.#adopted, plan);
    // Set last: gateways on devices that are gone are dropped, those on present ones were adopted before.
    await this.#neighbours.setLinks(this.#devices.links);
  }

  async #settleNow(): Promise<void> {
    try {
      await this.#gateways.readCounters();
    } finally {
      await this.#reconciler.idle();
    }
  }

  #startMonitor(): RestartingMonitor {
    const onRestarted = (): Promise<void> => this.#neighbours.read().then(() => this.#refresh.now());
    return new RestartingMonitor({
      protocol: this.#policy.routing.protocol,
      onEvent: (event) => this.#kernelEvent(event),
      onRestarted,
      logger: this.#logger,
    });
  }

  #kernelEvent(event: KernelEvent): void {
    if (event.kind === 'neighbour') {
      this.#neighbours.take(event);
      this.#routing.neighbourChanged(event);
      return;
    }
    if (
      event.kind === 'link' ||
      event.kind === 'address' ||
      (event.kind === 'onlink-route' && hasDevice(this.#devices, event.device))
    )
      this.#refresh.soon();
    this.#routing.soon();
  }

  async #refreshNow(): Promise<void> {
    this.#devices = await readDevices(this.#settings.devices);
    await this.#neighbours.setLinks(this.#devices.links);
    for (const server of this.#servers.list) await server.resolve(this.#devices);
    this.#cards.look(
      this.#devices,
      this.#settings.devices,
      this.#servers.list.flatMap(({ place }) => place.transports),
    );
    this.#openGate();
    this.#updateSite();
    this.#forwarding.soon(); // A card that came may take router advertisements.
  }

  #openGate(): void {
    const areKnown = this.#servers.list.every(({ state }) => state !== 'connecting');
    if (areKnown || this.#devices.tunnels.length === 0) this.#releaseAdopted();
    if (this.#isGateOpen || (!this.#areSettled && this.#adopted.length + this.#adoptedTransports.length > 0)) return;
    this.#isGateOpen = true;
    this.#onGateOpen();
  }

  #releaseAdopted(): void {
    const adopted = this.#adopted;
    this.#adopted = [];
    this.#adoptedTransports = [];
    for (const network of adopted) {
      const key = this.#connections.networks.remove(ADOPTED, networkKey(network));
      if (key !== null) this.#reconciler.clientChanged(key);
    }
  }

  /** A server that is not heard of keeps the tunnel and the transports that an earlier run knew it by. */
  #adoptedTunnels(): readonly Tunnel[] {
    const devices = new Set(this.#adopted.map(({ device }) => device));
    return this.#devices.tunnels.filter(({ device }) => devices.has(device));
  }

  #updateSite(): void {
    if (!this.#isGateOpen || this.#stop.signal.aborted) return;
    const known = this.#wanted;
    const tunnels = uniqueBy(
      [...this.#servers.list.flatMap(({ place }) => place.tunnel ?? []), ...this.#adoptedTunnels()],
      ({ device }) => device,
    );
    const site: WantedSite = {
      tunnels,
      transports: uniqueBy(
        [...this.#servers.list.flatMap(({ place }) => place.transports), ...this.#adoptedTransports],
        transportComment,
      ),
      links: this.#devices.links,
      ...this.#gateways.ofSite,
      sources: this.#sources.filter,
      savedSysctls: this.#forwarder.savedSysctls,
      ...(this.#filters.isAnswering ? { answersPathFilters: true } : {}),
    };
    if (known !== null && JSON.stringify(known) === JSON.stringify(site)) return;
    // The same object as before tells the reconciler that routes to clients need not be asked for again.
    const hasSameTunnels = known !== null && JSON.stringify(known.tunnels) === JSON.stringify(tunnels);
    this.#wanted = hasSameTunnels ? { ...site, tunnels: known.tunnels } : site;
    this.#reconciler.setSite(this.#wanted);
    this.#reachability.routingChanged();
    if (tunnels.length > 0) this.#forwarding.soon();
  }

  get #uplinkProblem(): string | null {
    const isStranded = this.#servers.uplinkNeed === 'seeking' && this.#gateways.uplinkId === null;
    return isStranded
      ? "no router is known for the OpenVPN client's packets: a router has to send to this endpoint first, or set uplink"
      : null;
  }

  get #forwardingProblem(): string | null {
    const isPending =
      this.#settings.sysctl === 'manage' &&
      !this.#forwarder.isKnown &&
      this.#servers.list.some(({ place }) => place.tunnel !== null);
    return this.#forwarder.problem ?? (isPending ? 'forwarding is being enabled' : null);
  }

  async #enableForwarding(): Promise<void> {
    if (this.#settings.sysctl !== 'manage' || this.#wanted === null || this.#wanted.tunnels.length === 0) return;
    await this.#forwarder.enable(this.#wanted);
  }

  async #noteSavedSysctls(): Promise<void> {
    this.#updateSite();
    await this.#reconciler.applied();
  }

  /** A client that came has just sent: from where, tells the uplink, which its own packets need. */
  #clientChanged(key: string): void {
    this.#reconciler.clientChanged(key);
    this.#reachability.changed(key);
    if (this.#gateways.uplinkId === null) this.#look.soon();
  }

  async #whenApplied(): Promise<void> {
    await this.#gate;
    await this.#reconciler.applied();
  }

  async #poll(): Promise<void> {
    if (!this.#reconciler.isSettled) return;
    const { state, counters } = await this.#reconciler.exclusively(() =>
      this.#tables.inspect({ withCounters: this.#keeper?.wantsCounters ?? false }),
    );
    if (counters !== null) this.#keeper?.counted(counters);
    if (state !== 'intact') {
      this.#logger.warn('firewall.repaired', { table: this.#settings.table, found: state });
      this.#reconciler.rewriteFirewall();
      this.#repairs.firewallDamaged(
        `table ${this.#settings.table} of the packet filter was found ${state}; it is being installed again`,
        this.#reconciler.applied(),
      );
      return;
    }
    await this.#neighbours.ask();
    await this.#datapath.poll(this.#servers.uplinkNeed, this.#devices.links);
    if (await this.#filters.look(this.#devices.links)) this.#updateSite();
  }

  async #checkElements(): Promise<void> {
    if (!this.#reconciler.isSettled) return;
    const missing = await this.#reconciler.verifyElements();
    if (missing === 0) return;
    this.#logger.warn('firewall.repaired', { table: this.#settings.table, found: 'elements', differences: missing });
    this.#reconciler.rewriteFirewall();
    this.#repairs.firewallDamaged(
      `elements of table ${this.#settings.table} were changed; they are being installed again`,
      this.#reconciler.applied(),
    );
  }

  /** Events can be lost without a word (ENOBUFS), and sysctls change without one. */
  async #reread(): Promise<void> {
    await this.#neighbours.read();
    await this.#routing.now();
    if (await this.#filters.look(this.#devices.links, true)) this.#updateSite();
    this.#reachability.routingChanged();
  }
}
