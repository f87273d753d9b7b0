import type { Link } from '../../rules/index.js';
import { isAnswerable } from '../../rules/index.js';
import type { DatapathKind } from '../datapath/datapath.js';
import type { PathFilter } from '../firewall/path-filters.js';
import { readPathFilters } from '../firewall/read-path-filters.js';
import type { FirewallTool } from '../firewall/open-firewall.js';
import type { Logger } from '../log/logger.js';
import { linkWithoutDefault } from '../routing/default-routes.js';

/** The minimum time between readings of the whole ruleset, however often it changes. */
const PAUSE_MS = 5000;

export interface FilterWatchOptions {
  /** Borrowed. */
  readonly tool: FirewallTool;
  /** Name of our table. */
  readonly table: string;
  readonly datapath: DatapathKind;
  readonly logger: Logger;
}

/**
 * Reverse path filters that other programs made of rules: whether there are any, and whether packets of the VPN pass
 * them.
 */
export class FilterWatch {
  readonly #options: FilterWatchOptions;
  #filters: readonly PathFilter[] = [];
  #problem: string | null = null;
  #generation: number | null = null;
  #readAtMs = -Infinity;
  #text = '[]';

  constructor(options: FilterWatchOptions) {
    this.#options = options;
  }

  /** The datapath's rules must answer one of them. */
  get isAnswering(): boolean {
    return this.#canAnswer && this.#filters.some(isAnswerable);
  }

  /** Which of them drops packets from distant hosts; null if none does. */
  get problem(): string | null {
    return this.#problem;
  }

  get #canAnswer(): boolean {
    return this.#options.datapath === 'nexthop' && this.#options.tool.kind === 'nftables';
  }

  /**
   * Looks, unless nobody changed anything in nftables since.
   *
   * @param isForced also where nothing seems changed: iptables-legacy has no generation, and routes have none either
   * @returns whether {@link isAnswering} changed
   */
  async look(links: readonly Link[], isForced = false): Promise<boolean> {
    const { tool, table, logger } = this.#options;
    const nft = tool.kind === 'nftables' ? tool.nft : null;
    const generation = (await nft?.generation()) ?? null;
    const isKnown = generation !== null ? generation === this.#generation : this.#readAtMs !== -Infinity;
    if (!isForced && (isKnown || performance.now() - this.#readAtMs < PAUSE_MS)) return false;
    const before = this.isAnswering;
    this.#filters = await readPathFilters(nft, table);
    this.#generation = generation;
    this.#readAtMs = performance.now();
    this.#problem = await this.#findProblem(links);
    const text = JSON.stringify(this.#filters);
    if (text !== this.#text)
      logger.info('path_filter.changed', {
        filters: this.#filters.map(({ where }) => where),
        isAnswering: this.isAnswering,
      });
    this.#text = text;
    return before !== this.isAnswering;
  }

  async #findProblem(links: readonly Link[]): Promise<string | null> {
    const filters = this.#filters.filter((filter) => !this.#canAnswer || !isAnswerable(filter));
    for (const filter of filters) {
      for (const family of filter.families) {
        const device = await linkWithoutDefault(links, family);
        if (device === null) continue;
        return `${filter.where} drops IPv${family} packets from distant hosts on ${device}, because the endpoint has no route back: see gwmark doctor`;
      }
    }
    return null;
  }
}
