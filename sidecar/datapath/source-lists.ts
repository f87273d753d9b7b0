import type { ScopeFilter, SourceFilter, SourceMac, SourceScope } from '../../rules/index.js';
import { isLearntFrom } from '../../rules/index.js';
import type { ConfiguredSource } from '../config/places.js';
import { formatConfiguredSource } from '../config/places.js';
import type { SourceListStatus } from '../status.js';
import type { NeighbourState } from './datapath.js';
import { resolveRouter } from './uplink-seeker.js';

/** The minimum time between ARP or ND requests for an address that no neighbour has. */
const ASK_MS = 10_000;

/**
 * The settings `gateways.exclude` and `gateways.only`. An address stands for the MAC that the neighbour table has for
 * it, and follows it; its earlier MAC no longer counts.
 */
export class SourceLists {
  readonly #exclude: readonly ConfiguredSource[];
  readonly #only: readonly ConfiguredSource[];
  /** `device address` -> MAC, of addresses on the lists. */
  readonly #macs = new Map<string, string>();
  readonly #addresses: ReadonlySet<string>;
  #askedMs = Number.NEGATIVE_INFINITY;
  #filter: SourceFilter | undefined;

  constructor(exclude: readonly ConfiguredSource[], only: readonly ConfiguredSource[]) {
    this.#exclude = exclude;
    this.#only = only;
    this.#addresses = new Set([...exclude, ...only].flatMap(({ address }) => address ?? []));
    this.#compute();
  }

  /** For the rules; undefined if there are no lists. A new object after each change. */
  get filter(): SourceFilter | undefined {
    return this.#filter;
  }

  /** A list contains an IP address, so the neighbour table matters. */
  get hasAddresses(): boolean {
    return this.#addresses.size > 0;
  }

  /** Frames of this sender are learnt from, of clients' flows or of transport flows. */
  isLearntFrom(device: string, mac: string): boolean {
    const filter = this.#filter;
    return (
      filter === undefined || isLearntFrom(filter.clients, device, mac) || isLearntFrom(filter.transport, device, mac)
    );
  }

  /** Takes what the neighbour table says. True if the lists mean other senders now. */
  take({ device, address, mac }: NeighbourState): boolean {
    const key = `${device} ${address}`;
    if (mac === null || !this.#addresses.has(address) || this.#macs.get(key) === mac) return false;
    this.#macs.set(key, mac);
    this.#compute();
    return true;
  }

  /** Makes the kernel ask for addresses that are not resolved, now and then; their answers come as events. */
  async ask(devices: Iterable<string>): Promise<void> {
    const missing = [...this.#exclude, ...this.#only].filter(
      (source) => source.address !== null && this.#macsOf(source).length === 0,
    );
    if (missing.length === 0 || performance.now() - this.#askedMs < ASK_MS) return;
    this.#askedMs = performance.now();
    for (const { address, device } of missing) {
      for (const name of device === null ? devices : [device])
        await resolveRouter({ device: name, mac: null, address });
    }
  }

  /** Each entry with the senders that it currently means. */
  status(): readonly SourceListStatus[] {
    const of = (list: SourceListStatus['list'], sources: readonly ConfiguredSource[]): SourceListStatus[] =>
      sources.map((source) => ({
        list,
        entry: formatConfiguredSource(source),
        macs: this.#macsOf(source).map(({ mac }) => mac),
      }));
    return [...of('exclude', this.#exclude), ...of('only', this.#only)];
  }

  #compute(): void {
    if (this.#exclude.length + this.#only.length === 0) return;
    const scope = (name: SourceScope): ScopeFilter => {
      const only = this.#only.filter((source) => source.scope === null || source.scope === name);
      const exclude = this.#exclude.filter((source) => source.scope === null || source.scope === name);
      return {
        exclude: exclude.flatMap((source) => this.#macsOf(source)),
        only: only.length === 0 ? null : only.flatMap((source) => this.#macsOf(source)),
      };
    };
    this.#filter = { clients: scope('clients'), transport: scope('transport') };
  }

  #macsOf({ device, mac, address }: ConfiguredSource): SourceMac[] {
    if (mac !== null) return [{ device, mac }];
    return [...this.#macs].flatMap(([key, known]) => {
      const [knownDevice = '', knownAddress] = key.split(' ');
      return knownAddress === address && (device === null || device === knownDevice)
        ? [{ device: knownDevice, mac: known }]
        : [];
    });
  }
}
