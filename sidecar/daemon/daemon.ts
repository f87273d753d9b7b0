import type { Policy } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import type { KickOrder, KickReport, ReleaseOrder } from '../control/kick-order.js';
import type { ForgetOrder } from '../control/forget-order.js';
import type { MoveOrder } from '../control/move-order.js';
import type { DatapathKind } from '../datapath/datapath.js';
import { type FirewallTool, nameOf } from '../firewall/open-firewall.js';
import { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../log/logger.js';
import type { KernelRouting } from '../routing/kernel-routing.js';
import { Servers } from '../openvpn/servers.js';
import { Sources } from '../sources/sources.js';
import type { SourceKind } from '../sources/vpn-source.js';
import { configuredTunnels } from '../tunnels/configured-tunnels.js';
import { wireguardInterfaces } from '../wireguard/wireguard-source.js';
import { Holds } from '../sessions/holds.js';
import type { StatusDocument } from '../status.js';
import { Debounced } from '../system/debounced.js';
import { Adoption } from './adoption.js';
import { CurrentSite } from './current-site.js';
import { Kicker } from './kicker.js';
import { KernelWatch } from './kernel-watch.js';
import type { RunHooks } from './run-hooks.js';
import { StartGate } from './start-gate.js';
import { StatusBuilder } from './status-builder.js';

/** The VPNs beside OpenVPN: another one is a folder, and a line here. */
const SOURCE_KINDS: readonly SourceKind[] = [configuredTunnels, wireguardInterfaces];

/** An answer without a fresh reading of the kernel is better than none. */
const ASKED_MS = 1000;

/**
 * The sidecar at work: the OpenVPNs and other VPNs tell who is connected, the datapath which routers send, and the
 * reconciler installs it. This is where the parts are put together. Nothing that it installed is removed when it ends.
 */
export class Daemon implements AsyncDisposable {
  #settings: Settings;
  #hooks: RunHooks = {};
  readonly #stop = new AbortController();
  readonly #kernel: Kernel;
  readonly #adoption: Adoption;
  readonly #gate = new StartGate();
  readonly #servers: Servers;
  readonly #sources: Sources;
  readonly #site: CurrentSite;
  readonly #watch: KernelWatch;
  readonly #settle: Debounced;
  readonly #status: StatusBuilder;
  readonly #kicker: Kicker;

  /** @param means to change the kernel: borrowed */
  constructor(
    settings: Settings,
    policy: Policy,
    datapath: DatapathKind,
    means: { readonly tool: FirewallTool; readonly routing: KernelRouting },
    logger: Logger,
  ) {
    this.#settings = settings;
    const common = { settings: () => this.#settings, policy, logger };
    const kernel = new Kernel({
      ...common,
      datapath,
      ...means,
      site: {
        wanted: () => this.#site.wanted,
        update: () => this.#site.update(),
        refresh: () => this.#site.refresh(),
        hasTunnel: () => this.#sources.tunnels.length > 0,
        servesClients: (device) => this.#sources.servesClients(device),
      },
      onPass: (pass) => this.#hooks.onPass?.(pass),
    });
    this.#kernel = kernel;
    this.#adoption = new Adoption({ policy, kernel, logger });
    const holds = new Holds();
    const surroundings = {
      clients: kernel.connections.networks,
      logger,
      onClientChanged: (key: string) => this.#clientChanged(key),
    };
    const servers = new Servers(settings, {
      ...surroundings,
      holds,
      onServerChanged: () => this.#site.refresh(),
      earlierTransports: (name) => servers.withoutOthers(name, this.#adoption.earlierTransports),
      whenApplied: () => this.#gate.opened.then(() => kernel.reconciler.applied()),
    });
    this.#servers = servers;
    const sources = new Sources(settings, servers, SOURCE_KINDS, {
      ...surroundings,
      onChanged: () => this.#site.refresh(),
    });
    this.#sources = sources;
    this.#site = new CurrentSite({
      ...common,
      sources,
      adoption: this.#adoption,
      gate: this.#gate,
      kernel,
      signal: this.#stop.signal,
    });
    this.#watch = new KernelWatch({
      ...common,
      kernel,
      servers,
      site: this.#site,
      onLooked: () => this.#hooks.onLooked?.(),
    });
    this.#status = new StatusBuilder({ ...common, firewall: nameOf(means.tool), kernel, servers, sources, holds });
    this.#kicker = new Kicker({ servers, kernel, holds, logger });
    this.#settle = new Debounced(0, () => this.#settleNow(), logger);
  }

  /** The status in one line. */
  summary(): string {
    return this.#status.summary();
  }

  status(): StatusDocument {
    return this.#status.build();
  }

  /**
   * Updates `status` from the kernel: reads counters again, and waits until every known change is installed. Resolves after a
   * second at the latest.
   */
  settle(): Promise<void> {
    return this.#settle.within(ASKED_MS);
  }

  /** Reads soon what OpenVPN counts of its clients, unless it was read a short time ago. */
  count(): void {
    for (const server of this.#servers.list) server.count();
  }

  /** Sends replies of a gateway elsewhere; resolves when the kernel does. False if there is no such gateway. */
  async move(order: MoveOrder): Promise<boolean> {
    if (!(await this.#kernel.gateways.move(order))) return false;
    await this.#kernel.reconciler.applied();
    return true;
  }

  /** Removes a gateway; resolves when the kernel has none. False if there is no such gateway. */
  async forget(order: ForgetOrder): Promise<boolean> {
    if (!(await this.#kernel.gateways.forget(order))) return false;
    await this.#kernel.reconciler.applied();
    return true;
  }

  /** See {@link Kicker.kick}. */
  kick(order: KickOrder): Promise<KickReport> {
    return this.#kicker.kick(order);
  }

  /** See {@link Kicker.release}. */
  release(order: ReleaseOrder): void {
    this.#kicker.release(order);
  }

  /**
   * Why traffic of the VPN is not carried, one sentence each, after a look at the kernel that takes a second at most;
   * empty when it is.
   */
  async readiness(): Promise<readonly string[]> {
    await this.#watch.lookWithin(ASKED_MS);
    return this.#status.problems();
  }

  /**
   * Works until the signal is aborted.
   *
   * @throws GwmarkError FIREWALL_CLASH, ROUTING_CLASH, ROUTING_UNAVAILABLE before anything was changed
   */
  async run(signal: AbortSignal, hooks: RunHooks = {}): Promise<void> {
    this.#hooks = hooks;
    await this.#adoption.takeOver(await this.#site.readDevices());
    await this.#watch.begin();
    await this.#site.refresh();
    const failed = this.#sources.follow();
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    void this.#sources.settled().then(() => this.#finishStart());
    const watching = this.#watch.run(this.#stop.signal);
    try {
      if (!signal.aborted) await Promise.race([failed, aborted]);
    } finally {
      this.#stop.abort();
      await watching;
    }
  }

  /**
   * Puts changed settings into force, those of `RELOADABLE`: OpenVPNs that are not named any more are left, and their
   * clients go; new ones are followed; no other flow notices.
   */
  async reconfigure(settings: Settings): Promise<void> {
    this.#settings = settings;
    this.#kernel.reconfigured(settings);
    await this.#sources.reconfigure(settings);
    await this.#site.refresh();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#sources[Symbol.asyncDispose]();
    this.#site.stop();
    this.#settle.stop();
    await this.#watch[Symbol.asyncDispose]();
    await this.#kernel[Symbol.asyncDispose]();
  }

  async #finishStart(): Promise<void> {
    this.#gate.settled();
    await this.#site.refresh();
    await this.#kernel.reconciler.applied();
    if (!this.#stop.signal.aborted) this.#hooks.onStarted?.();
  }

  async #settleNow(): Promise<void> {
    try {
      await this.#kernel.gateways.readCounters();
    } finally {
      await this.#kernel.reconciler.idle();
    }
  }

  /** A client that connected has just sent: where its packets came from tells the uplink. */
  #clientChanged(key: string): void {
    this.#kernel.clientChanged(key);
    if (this.#kernel.gateways.uplinkId === null) this.#watch.lookSoon();
  }
}
