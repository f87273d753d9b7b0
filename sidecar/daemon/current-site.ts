import { transportComment } from '../../rules/index.js';
import { namedTunnels } from '../config/policy.js';
import type { Settings } from '../config/settings.js';
import { type Devices, readDevices } from '../discovery/devices.js';
import type { Kernel } from '../kernel/kernel.js';
import type { WantedSite } from '../kernel/reconciler.js';
import type { Logger } from '../log/logger.js';
import type { Followed } from '../sources/vpn-source.js';
import { Debounced } from '../system/debounced.js';
import type { Adoption } from './adoption.js';
import { keepUnchanged } from '../system/keep-unchanged.js';
import type { StartGate } from './start-gate.js';

/** A burst of device, route and rule events causes one reading. */
const BURST_MS = 50;

export interface CurrentSiteOptions {
  readonly settings: () => Settings;
  readonly sources: Followed;
  readonly adoption: Adoption;
  readonly gate: StartGate;
  readonly kernel: Kernel;
  /** After an abort, the reconciler gets no further site. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/**
 * Everything around the clients, as it is now: devices, tunnels, transports, gateways, uplink. What the reconciler is
 * to install comes from here.
 */
export class CurrentSite {
  readonly #options: CurrentSiteOptions;
  readonly #refresh: Debounced;
  #devices: Devices = { links: [], tunnels: [], taps: [] };
  #wanted: WantedSite | null = null;

  constructor(options: CurrentSiteOptions) {
    this.#options = options;
    this.#refresh = new Debounced(BURST_MS, () => this.#refreshNow(), options.logger);
  }

  /** The last reading. */
  get devices(): Devices {
    return this.#devices;
  }

  /** The site of the reconciler; null before the gate is open. */
  get wanted(): WantedSite | null {
    return this.#wanted;
  }

  /** Reads only the devices, before any OpenVPN is followed. */
  async readDevices(): Promise<Devices> {
    const { kernel } = this.#options;
    const settings = this.#options.settings();
    this.#devices = await readDevices(settings.devices, settings.inline, namedTunnels(settings), kernel.routing);
    return this.#devices;
  }

  /** Reads devices again and finds tunnels and transports on them; resolves when done. */
  refresh(): Promise<void> {
    return this.#refresh.now();
  }

  /** As {@link refresh}, shortly after an event, because more may follow. */
  refreshSoon(): void {
    this.#refresh.soon();
  }

  /** Gives the reconciler the current site, if it differs from before. */
  update(): void {
    const { sources: vpns, adoption, gate, kernel, signal } = this.#options;
    const { gateways, sources, forwarder, filters, reachability, announcer, reconciler } = kernel;
    if (!gate.isOpen || signal.aborted) return;
    const known = this.#wanted;
    // A VPN that was not heard of yet keeps the tunnel and the transports that an earlier run knew it by.
    const tunnels = uniqueBy([...vpns.tunnels, ...adoption.tunnelsAmong(this.#devices)], ({ device }) => device);
    const site = keepUnchanged<WantedSite>(known, {
      tunnels,
      transports: uniqueBy([...vpns.transports, ...adoption.transports], transportComment),
      links: this.#devices.links,
      ...gateways.ofSite,
      sources: sources.filter,
      savedSysctls: forwarder.savedSysctls,
      ...(filters.isAnswering ? { answersPathFilters: true } : {}),
    });
    if (site === known) return;
    this.#wanted = site;
    reconciler.setSite(site);
    reachability.routingChanged();
    announcer.siteChanged();
    if (tunnels.length > 0) forwarder.soon();
  }

  /** Stops reading. */
  stop(): void {
    this.#refresh.stop();
  }

  async #refreshNow(): Promise<void> {
    const { settings, sources, adoption, gate, kernel } = this.#options;
    const { neighbours, forwarder, cards, offload } = kernel;
    const devices = await this.readDevices();
    await neighbours.setLinks(devices.links);
    await sources.resolve(devices);
    cards.look(devices, settings().devices, sources.transports);
    if (sources.areHeardOf || devices.tunnels.length === 0) adoption.release();
    gate.look(adoption.isHolding);
    this.update();
    offload.devicesRead(devices.numbers ?? []);
    forwarder.soon(); // A device that came may take router advertisements.
  }
}

/** The first of each key, in order. */
function uniqueBy<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const found = new Map<string, T>();
  for (const item of items) if (!found.has(keyOf(item))) found.set(keyOf(item), item);
  return [...found.values()];
}
