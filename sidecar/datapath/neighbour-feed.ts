import { cableLinks, type Link } from '../../rules/index.js';
import type { ConfiguredUplink } from '../config/places.js';
import type { KernelEvent } from '../routing/neighbour-monitor.js';
import { macsSeenByBridge } from '../routing/bridge-forwarding.js';
import { usableNeighbours } from '../routing/neighbours.js';
import type { BridgedSender, NeighbourListener, NeighbourState } from './datapath.js';
import type { SourceLists } from './source-lists.js';
import { resolveRouter } from './uplink-seeker.js';

export interface NeighbourFeedOptions {
  /** Of our own neighbours, which stand for gateways and are none. */
  readonly protocol: number;
  readonly sources: SourceLists;
  /** Null where the kernel keeps the gateways itself. */
  readonly listener: NeighbourListener | null;
  /** A router that the kernel should resolve before each reading; null: none. */
  readonly asked: ConfiguredUplink | null;
  /** Hears first; true: the address is a client's, so its host is no router. */
  readonly announcer: { readonly heard: (neighbour: NeighbourState) => boolean };
  /** The senders of the lists changed. */
  readonly onListsChanged: () => void;
}

/**
 * So many senders of one bridge are handed on. An inline endpoint is a cable between a few routers; behind the ports of
 * another bridge may be every host of a site, and those that are routers show it by their frames.
 */
const MAX_BRIDGED = 16;

/**
 * Hands on what the kernel's neighbour table says of links: addresses of clients to the announcer alone; the rest to the
 * lists of senders first, so that who is on one does not become a gateway, and then to whoever keeps gateways.
 */
export class NeighbourFeed {
  readonly #options: NeighbourFeedOptions;
  #devices: ReadonlySet<string> = new Set();
  /** Port -> the bridge that is a link. */
  #bridgeOf: ReadonlyMap<string, string> = new Map();
  /** Bridge -> senders that were handed on. */
  readonly #bridged = new Map<string, Set<string>>();

  constructor(options: NeighbourFeedOptions) {
    this.#options = options;
  }

  /** Sets the devices on which gateways are learnt; new ones may already have neighbours. */
  async setLinks(links: readonly Link[]): Promise<void> {
    const known = this.#devices;
    this.#devices = new Set(links.map(({ device }) => device));
    const bridges = cableLinks(links).filter(({ isBridge }) => isBridge);
    this.#bridgeOf = new Map(bridges.flatMap(({ device, cable }) => cable.ports.map((port) => [port.device, device])));
    for (const bridge of this.#bridged.keys()) if (!this.#devices.has(bridge)) this.#bridged.delete(bridge);
    this.#options.listener?.setLinks(links);
    if (links.some(({ device }) => !known.has(device))) await this.read();
  }

  /** Reads the neighbour table, after events may have been lost. Costs nothing without a listener. */
  async read(): Promise<void> {
    const { protocol, sources, listener, asked } = this.#options;
    if (asked !== null) await resolveRouter(asked);
    if (listener === null && !sources.hasAddresses) return;
    const others = (await usableNeighbours()).filter((neighbour) => neighbour.protocol !== String(protocol));
    this.#handOn(others.map(({ dev, dst, lladdr }) => ({ device: dev, address: dst, mac: lladdr ?? null })));
    if (listener === null) return;
    for (const device of new Set(this.#bridgeOf.values()))
      this.#handOnBridged((await macsSeenByBridge(device)).map((mac) => ({ device, mac })));
  }

  /** Processes an event of a bridge's forwarding table. */
  takeBridged({ port, mac }: KernelEvent & { kind: 'bridged' }): void {
    const device = this.#bridgeOf.get(port);
    if (device !== undefined) this.#handOnBridged([{ device, mac }]);
  }

  /** Processes an event of the neighbour table. */
  take(event: KernelEvent & { kind: 'neighbour' }): void {
    if (!event.isOurs) this.#handOn([event]);
  }

  /** Makes the kernel resolve addresses on the lists; the answers come as events. */
  ask(): Promise<void> {
    return this.#options.sources.ask(this.#devices);
  }

  #handOnBridged(senders: readonly BridgedSender[]): void {
    const fresh = senders.filter(({ device, mac }) => {
      const known = this.#bridged.get(device) ?? new Set();
      if (known.has(mac) || known.size >= MAX_BRIDGED) return false;
      this.#bridged.set(device, known.add(mac));
      return true;
    });
    if (fresh.length > 0) this.#options.listener?.bridged(fresh);
  }

  #handOn(neighbours: readonly NeighbourState[]): void {
    const { sources, listener, announcer, onListsChanged } = this.#options;
    const ofLinks = neighbours.filter(
      (neighbour) => this.#devices.has(neighbour.device) && !announcer.heard(neighbour),
    );
    const hasListChanged = ofLinks.filter((neighbour) => sources.take(neighbour)).length > 0;
    listener?.heard(ofLinks);
    if (hasListChanged) onListsChanged();
  }
}
