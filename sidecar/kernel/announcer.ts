import type { AnnouncedAddress, ClientNetwork, Family, Link } from '../../rules/index.js';
import { announcedAddresses, announcedKey, linksAround, networkKey } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import { type IpDevice, ipJson } from '../routing/iproute.js';
import { usableNeighbours } from '../routing/neighbours.js';
import {
  addProxyNeighbours,
  askWhoHas,
  forgetAnswers,
  readProxyNeighbours,
  removeProxyNeighbours,
} from '../routing/proxy-neighbours.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import type { AnnouncementStatus } from '../status.js';
import { Debounced } from '../system/debounced.js';
import { AnnouncementTable } from './announcement-table.js';
import { AnnouncementSender } from './announcement-sender.js';

/** A link is asked twice who has an address, and the answer to each request may take this long. */
const ANSWER_MS = 250;
const REQUESTS = 2;
/** Pause after a failure. */
const RETRY_MS = 2000;

export interface AnnouncerOptions {
  readonly clients: ClientNetworks;
  /** The protocol number of our neighbours. */
  readonly protocol: number;
  /** The setting `announce: proxy`, now. */
  readonly isEnabled: () => boolean;
  /** The links of the site; null before the first site. */
  readonly links: () => readonly Link[] | null;
  /** Clients of an OpenVPN server are on this tunnel; what an OpenVPN client's tunnel leads to is not announced. */
  readonly servesClients: (device: string) => boolean;
  /** {@link Announcer.devices} changed. */
  readonly onDevices: () => void;
  readonly logger: Logger;
}

/** Addresses that the links are being asked for. */
interface Round {
  readonly addresses: readonly AnnouncedAddress[];
  /** Requests sent for each. */
  requests: number;
  /** When the answers to the last one are in; monotonic milliseconds. */
  dueMs: number;
}

/**
 * Makes the endpoint answer ARP and ND for connected clients whose addresses lie in the network of a link, by proxy
 * neighbours of the kernel. Before, it asks the link whether a host there has the address already; such an address is
 * not announced until that host is gone.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #table = new AnnouncementTable();
  readonly #sender: AnnouncementSender;
  /** What each client network contributed, by its key. */
  readonly #held = new Map<string, readonly AnnouncedAddress[]>();
  readonly #dirty = new Set<string>();
  /** Subnets with too many addresses, by key, with the link that they are on. */
  readonly #omitted = new Map<string, { readonly network: string; readonly device: string }>();
  readonly #work: Debounced;
  #devices: ReadonlyMap<string, IpDevice> = new Map();
  #announcing: Readonly<Record<Family, readonly string[]>> = { 4: [], 6: [] };
  #isSiteDirty = true;
  #isDoubtful = true;
  #hasPendingAdoption = false;
  #round: Round | null = null;
  #timer: NodeJS.Timeout | null = null;
  #problem: string | null = null;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#sender = new AnnouncementSender(options.logger);
    this.#work = new Debounced(0, () => this.#step(), options.logger);
  }

  /** Why addresses may not be announced as wanted; null when all is well. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The links on which something is announced, or is to be. */
  get devices(): Readonly<Record<Family, readonly string[]>> {
    return this.#announcing;
  }

  status(): AnnouncementStatus {
    return {
      announced: this.#table.installed,
      pending: this.#table.pending,
      taken: this.#table.taken.map(({ address, device, mac }) => ({ address, device, mac })),
      omitted: [...this.#omitted.values()],
      ...(this.#sender.missing === null ? {} : { silent: this.#sender.missing }),
    };
  }

  /** Takes over what an earlier run announces. Call it once, before the first site. */
  async adopt(): Promise<void> {
    const ours = (await readProxyNeighbours(this.#options.protocol)).filter(({ isOurs }) => isOurs);
    this.#table.adopt(ours);
    this.#hasPendingAdoption = ours.length > 0;
  }

  /** A client network came, went or moved. */
  clientChanged(key: string): void {
    if (!this.#options.isEnabled() && this.#table.isEmpty) return;
    this.#dirty.add(key);
    this.#work.soon();
  }

  /** Links, tunnels or the setting changed. */
  siteChanged(): void {
    this.#isSiteDirty = true;
    this.#isDoubtful = true;
    this.#work.soon();
  }

  /** A device changed, or the kernel's state is to be read again: it drops proxy neighbours with a link, silently. */
  look(): void {
    this.#isDoubtful = true;
    this.#work.soon();
  }

  /**
   * Takes an event or a reading of the neighbour table.
   *
   * @returns whether the address is one of those that are announced, or are to be: then its host is no router
   */
  heard({ device, address, mac }: { device: string; address: string; mac: string | null }): boolean {
    const other = mac !== null && this.#isOwn(mac) ? null : mac;
    const heard = this.#table.heard({ device, address }, other, performance.now());
    if (heard === 'taken') {
      this.#logTaken({ device, address, mac: other ?? '' });
      this.#work.soon();
    }
    return heard !== 'unknown';
  }

  stop(): void {
    this.#work.stop();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#sender.close();
  }

  async #step(): Promise<void> {
    const links = this.#options.links();
    if (links === null) return;
    try {
      this.#recompute(links);
      if (!this.#options.isEnabled() && this.#table.isEmpty) return;
      if (this.#isDoubtful) await this.#compare();
      await this.#withdraw();
      if (this.#round !== null && performance.now() >= this.#round.dueMs) await this.#continue(this.#round);
      if (this.#round === null) await this.#begin();
      this.#problem = null;
    } catch (error) {
      // What the kernel took of it is read before the next attempt.
      this.#isDoubtful = true;
      this.#round = null;
      const { message } = error as Error;
      if (this.#problem === null) this.#options.logger.warn('announce.failed', { reason: message });
      this.#problem = `clients are not announced: ${message}`;
    }
    this.#wakeUp();
  }

  #recompute(links: readonly Link[]): void {
    const { clients, isEnabled } = this.#options;
    if (this.#isSiteDirty) {
      for (const key of this.#held.keys()) this.#dirty.add(key);
      for (const network of clients.list()) this.#dirty.add(networkKey(network));
    }
    const keys = [...this.#dirty];
    this.#dirty.clear();
    this.#isSiteDirty = false;
    for (const key of keys) {
      const network = isEnabled() ? clients.get(key) : null;
      const addresses = network === null ? [] : this.#addressesOf(key, network, links);
      if (network === null) this.#omitted.delete(key);
      const before = this.#held.get(key) ?? [];
      // First those that stay: an address that changes hands is never without a holder.
      for (const address of addresses) this.#table.hold(address);
      for (const address of before) this.#table.release(address);
      if (addresses.length > 0) this.#held.set(key, addresses);
      else this.#held.delete(key);
    }
    if (this.#hasPendingAdoption) this.#table.releaseRest();
    this.#hasPendingAdoption = false;
    if (keys.length > 0) this.#findDevices();
  }

  #addressesOf(key: string, network: ClientNetwork, links: readonly Link[]): readonly AnnouncedAddress[] {
    const { servesClients, logger } = this.#options;
    const addresses = servesClients(network.device) ? announcedAddresses(network, links) : [];
    if (addresses !== 'too many') {
      this.#omitted.delete(key);
      return addresses;
    }
    const device = linksAround(network, links)[0]?.device ?? '';
    if (this.#omitted.get(key)?.device !== device) logger.warn('announce.omitted', { network: key, device });
    this.#omitted.set(key, { network: key, device });
    return [];
  }

  #findDevices(): void {
    const found = { 4: new Set<string>(), 6: new Set<string>() };
    for (const { family, device } of this.#table.addresses()) found[family].add(device);
    const now = { 4: [...found[4]].toSorted(), 6: [...found[6]].toSorted() };
    if (JSON.stringify(now) === JSON.stringify(this.#announcing)) return;
    this.#announcing = now;
    this.#options.onDevices();
  }

  /** The kernel drops proxy neighbours when their link goes down, and another program may remove them. */
  async #compare(): Promise<void> {
    const { protocol, logger } = this.#options;
    await this.#readDevices();
    const listed = await readProxyNeighbours(protocol);
    const missing = this.#table.compare(
      listed.filter(({ isOurs }) => isOurs),
      listed.filter(({ isOurs }) => !isOurs),
    );
    this.#isDoubtful = false;
    if (missing.length > 0)
      logger.info('announce.renewed', {
        devices: [...new Set(missing.map(({ device }) => device))],
        addresses: missing.length,
      });
  }

  async #readDevices(): Promise<void> {
    const before = this.#devices;
    this.#devices = new Map((await ipJson<IpDevice>(['link', 'show'])).map((device) => [device.ifname, device]));
    for (const [name, device] of this.#devices) {
      const known = before.get(name);
      if (known === undefined) continue;
      // Behind a cable that was pulled and plugged in may be another network.
      if (hasCarrier(device) && !hasCarrier(known)) this.#table.distrust(name);
      else if (device.address !== known.address) await this.#tell(this.#table.installedOn(name));
    }
  }

  async #withdraw(): Promise<void> {
    const withdrawn = this.#table.takeWithdrawn();
    if (withdrawn.length === 0) return;
    await removeProxyNeighbours(this.#options.protocol, withdrawn).finally(() => this.#table.removed());
    this.#options.logger.debug('announce.changed', { change: 'removed', addresses: withdrawn.length });
  }

  /** Asks for the next addresses. */
  async #begin(): Promise<void> {
    const addresses = this.#table.takeWaiting(performance.now());
    if (addresses.length === 0) return;
    const round: Round = { addresses, requests: 0, dueMs: 0 };
    this.#round = round;
    await this.#ask(round);
  }

  async #continue(round: Round): Promise<void> {
    if (round.requests < REQUESTS) await this.#ask(round);
    else await this.#end(round);
  }

  async #ask(round: Round): Promise<void> {
    await askWhoHas(round.addresses);
    round.requests += 1;
    round.dueMs = performance.now() + ANSWER_MS;
  }

  async #end({ addresses }: Round): Promise<void> {
    const { protocol, logger } = this.#options;
    this.#round = null;
    await this.#readDevices();
    const answers = new Map(
      (await usableNeighbours()).flatMap(({ dev, dst, lladdr }) =>
        lladdr === undefined || this.#isOwn(lladdr)
          ? []
          : [[announcedKey({ device: dev, address: dst }), lladdr] as const],
      ),
    );
    const { announce, taken, freed } = this.#table.settle(
      addresses,
      (address) => answers.get(announcedKey(address)),
      performance.now(),
    );
    await forgetAnswers(addresses);
    await addProxyNeighbours(protocol, announce);
    this.#table.added(announce);
    for (const address of taken) this.#logTaken(address);
    for (const { address, device } of freed) logger.info('announce.freed', { address, device });
    if (announce.length > 0) logger.debug('announce.changed', { change: 'added', addresses: announce.length });
    await this.#tell(announce);
  }

  #tell(addresses: readonly AnnouncedAddress[]): Promise<void> {
    return this.#sender.send(addresses, this.#devices);
  }

  #logTaken({ address, device, mac }: { address: string; device: string; mac: string }): void {
    this.#options.logger.warn('announce.taken', { address, device, mac });
  }

  /** Of another leg of this endpoint on the same network, which announces the address too. */
  #isOwn(mac: string): boolean {
    for (const { address } of this.#devices.values()) if (address === mac) return true;
    return false;
  }

  #wakeUp(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const nowMs = performance.now();
    const atMs = this.#problem === null ? (this.#round?.dueMs ?? this.#table.nextRetryMs) : nowMs + RETRY_MS;
    if (atMs === null) return;
    this.#timer = setTimeout(() => this.#work.soon(), Math.max(0, atMs - nowMs));
  }
}

function hasCarrier({ flags }: IpDevice): boolean {
  return flags.includes('LOWER_UP');
}
