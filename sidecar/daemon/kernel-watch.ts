import type { Policy } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { hasDevice } from '../discovery/devices.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Logger } from '../log/logger.js';
import type { Servers } from '../openvpn/servers.js';
import type { KernelEvent } from '../routing/neighbour-monitor.js';
import { RestartingMonitor } from '../routing/restarting-monitor.js';
import { Debounced } from '../system/debounced.js';
import { repeat } from '../system/repeat.js';
import type { CurrentSite } from './current-site.js';

/** Reading every element costs time in proportion to the clients, so it is rare. */
const FULL_CHECK_MS = 60_000;

/** Many clients at once ask for one look after the other, each of which lists the rules. */
const LOOK_REST_MS = 100;

export interface KernelWatchOptions {
  readonly settings: () => Settings;
  readonly policy: Policy;
  readonly kernel: Kernel;
  readonly servers: Pick<Servers, 'uplinkNeed'>;
  readonly site: CurrentSite;
  /** A check ended, whatever it found. */
  readonly onLooked: () => void;
  readonly logger: Logger;
}

/** Watches the kernel, by its events and on timers, and calls the parts that have to act. */
export class KernelWatch implements AsyncDisposable {
  readonly #options: KernelWatchOptions;
  readonly #look: Debounced;
  #monitor: RestartingMonitor | null = null;

  constructor(options: KernelWatchOptions) {
    this.#options = options;
    this.#look = new Debounced(0, () => this.#lookNow().finally(options.onLooked), options.logger, LOOK_REST_MS);
  }

  /** Starts to listen to the kernel's events, then reads the current state. Call it once. */
  async begin(): Promise<void> {
    const { policy, kernel, site, logger } = this.#options;
    const { neighbours, routingRepairs, filters } = kernel;
    this.#monitor = await RestartingMonitor.open({
      routing: kernel.routing,
      protocol: policy.routing.protocol,
      onEvent: (event) => this.#take(event),
      onRestarted: () => neighbours.read().then(() => site.refresh()),
      logger,
    });
    await Promise.all([routingRepairs.begin(), neighbours.read()]);
    await filters.look(site.devices.links).catch((error: unknown) => logger.warn('daemon.check_failed', { error }));
  }

  /** Checks on timers until the signal is aborted, then resolves; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { settings, kernel, logger } = this.#options;
    const every = (intervalMs: () => number, work: () => Promise<void>): Promise<void> =>
      repeat(intervalMs, work, signal, logger);
    const { probeIntervalMs } = settings().gateways;
    await Promise.all([
      ...(probeIntervalMs === 0
        ? []
        : [
            every(
              () => probeIntervalMs,
              () => kernel.datapath.probe(),
            ),
          ]),
      every(
        () => settings().gateways.pollIntervalMs,
        () => this.#look.now(),
      ),
      every(
        () => FULL_CHECK_MS,
        () => kernel.tableRepairs.checkElements(),
      ),
      every(
        () => settings().routing.rereadIntervalMs,
        () => this.#reread(),
      ),
    ]);
  }

  /** Checks rules and gateways soon. */
  lookSoon(): void {
    this.#look.soon();
  }

  /** Checks; resolves when done, or after this many milliseconds. */
  lookWithin(limitMs: number): Promise<void> {
    return this.#look.within(limitMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#look.stop();
    await this.#monitor?.[Symbol.asyncDispose]();
  }

  #take(event: KernelEvent): void {
    const { kernel, site } = this.#options;
    const { neighbours, routingRepairs, announcer } = kernel;
    if (event.kind === 'neighbour') {
      neighbours.take(event);
      routingRepairs.neighbourChanged(event);
      return;
    }
    if (event.kind === 'bridged') {
      neighbours.takeBridged(event);
      return;
    }
    if (event.kind === 'link') announcer.look();
    if (
      event.kind === 'link' ||
      event.kind === 'address' ||
      (event.kind === 'onlink-route' && hasDevice(site.devices, event.device))
    )
      site.refreshSoon();
    routingRepairs.soon();
  }

  async #lookNow(): Promise<void> {
    const { kernel, servers, site } = this.#options;
    const { tableRepairs, neighbours, datapath, filters } = kernel;
    if (!(await tableRepairs.look())) return;
    await neighbours.ask();
    await datapath.poll(servers.uplinkNeed, site.devices.links);
    if (await filters.look(site.devices.links)) site.update();
  }

  /** Events can be lost silently (ENOBUFS), and sysctls change without one. */
  async #reread(): Promise<void> {
    const { kernel, site } = this.#options;
    const { neighbours, routingRepairs, filters, reachability, announcer } = kernel;
    await neighbours.read();
    await routingRepairs.now();
    if (await filters.look(site.devices.links, true)) site.update();
    reachability.routingChanged();
    announcer.look();
  }
}
