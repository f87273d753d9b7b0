import type {
  ClientNetwork,
  ClientNetworkChange,
  Policy,
  Route,
  RoutingPlan,
  Site,
  SubnetLength,
} from '../../rules/index.js';
import { EMPTY_DIFF, EMPTY_PLAN, diffRouting, hasLength, networkKey, subnetLengths } from '../../rules/index.js';
import { damageOf, type RoutingDamage } from '../routing/damage.js';
import type { KernelRouting } from '../routing/kernel-routing.js';
import { GwmarkError } from '../errors.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import { isDeviceGone } from '../routing/iproute.js';
import type { ClientRoutePass } from './client-routes.js';
import { changedClientRoutes, everyClientRoute, familiesOf, withRoutes } from './client-routes.js';
import { keepValue } from '../system/keep-unchanged.js';
import type { CompiledSite, RuleTables } from './rule-tables.js';

/** So many passes in a row may fail for a device that is gone before that is an error. */
const PASSING_FAILURES = 3;

/** The site without what the reconciler adds to it. */
export type WantedSite = Omit<Site, 'policy' | 'subnetLengths' | 'clientRouteFamilies'>;

/** A finished pass. */
export interface Pass {
  readonly seconds: number;
  /** The kernel refused it; it is tried again. */
  readonly hasFailed: boolean;
}

export interface ReconcilerOptions {
  readonly policy: Policy;
  readonly tables: RuleTables;
  /** Borrowed. */
  readonly routing: Pick<KernelRouting, 'read' | 'add' | 'remove'>;
  /** The wanted networks; the reconciler reads them, others change them and call `clientChanged`. */
  readonly clients: ClientNetworks;
  readonly logger: Logger;
  /** Client networks that left the kernel: their conntrack entries go too. */
  readonly onRemoved: (networks: readonly ClientNetwork[]) => void;
  /** What must finish before new networks are installed; null: nothing. Never rejects. */
  readonly beforeClients?: () => Promise<void> | null;
  readonly onPass?: (pass: Pass) => void;
  /** Rules that had been installed are about to be replaced as a whole, and what the packet path noted will be lost. */
  readonly onRewrite?: () => void;
  /** First and last milliseconds between attempts after a failure. */
  readonly backoffMs?: readonly [number, number];
}

/**
 * Brings the kernel to what is wanted: one pass at a time, and everything that changed during a pass in the next one.
 *
 * A pass makes additions to routing first, then one nftables transaction, then removals from routing: whatever a
 * packet is marked for exists. A failed pass is repeated with backoff, reading the kernel again first.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  #wanted: WantedSite | null = null;
  #site: Site | null = null;
  #compiled: CompiledSite | null = null;
  #plan: RoutingPlan = EMPTY_PLAN;
  readonly #installedClients = new Map<string, ClientNetwork>();
  /** Routes to client networks that main does not lead to, by {@link routeKey}; a part of `#plan` too. */
  #clientRoutes: ReadonlyMap<string, Route> = new Map();
  #dirty = new Set<string>();
  #isSiteDirty = false;
  /** The last pass had more than one change. */
  #isBurst = false;
  #running: Promise<void> | null = null;
  #onApplied: (() => void)[] = [];
  #failures = 0;
  #retry: NodeJS.Timeout | null = null;
  #problem: string | null = null;
  /** The last transaction was refused: the table may not be what it was taken for. */
  #isTableDoubtful = false;
  #isClosed = false;
  #isRewriting = false;
  /** Number of the last pass that began; the first is 1, and a repeated one has a number of its own. */
  #begun = 0;
  #applied = 0;
  /** Work that must not overlap with a pass. */
  readonly #exclusive: (() => Promise<void>)[] = [];

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Why the kernel is not as wanted; null when it is, or will be with the pass under way. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Everything wanted was applied at least once, and nothing has failed since. */
  get isSettled(): boolean {
    return this.#site !== null && this.#problem === null;
  }

  /** Number of the last successful pass; 0 before the first. Failed passes have numbers too. */
  get appliedPass(): number {
    return this.#applied;
  }

  /** Number of the first pass that will include a change made now: the one after the current pass. */
  get nextPass(): number {
    return this.#begun + 1;
  }

  /** Client networks that the kernel has. */
  get elements(): number {
    return this.#installedClients.size;
  }

  /** What an earlier run left: it is compared with what is wanted instead of being written again. */
  adopt(clients: Iterable<ClientNetwork>, plan: RoutingPlan): void {
    for (const network of clients) this.#installedClients.set(networkKey(network), network);
    this.#plan = plan;
  }

  /** Sets everything that is wanted except the clients. */
  setSite(site: WantedSite): void {
    this.#wanted = site;
    this.#isSiteDirty = true;
    this.#start();
  }

  /** A network of `clients` came, went or moved to another device. */
  clientChanged(key: string): void {
    this.#dirty.add(key);
    this.#start();
  }

  /** Resolves when everything requested before the call was tried. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /**
   * Resolves when the kernel has everything that was asked for before the call; after failures, when a later attempt
   * succeeded.
   */
  async applied(): Promise<void> {
    await this.idle();
    if (this.isSettled || this.#isClosed) return;
    await new Promise<void>((resolve) => this.#onApplied.push(resolve));
  }

  /** Runs `work` between two passes. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#exclusive.push(() => work().then(resolve, reject));
      this.#start();
    });
  }

  /**
   * Reads the kernel's routing again; what is not as it was installed comes back. Resolves with what was missing or too
   * much.
   */
  verifyRouting(): Promise<readonly RoutingDamage[]> {
    return this.exclusively(async () => {
      if (this.#compiled === null) return [];
      this.#plan = await this.#options.routing.read(this.#options.policy);
      const damage = damageOf(
        this.#options.policy,
        diffRouting(this.#plan, withRoutes(this.#compiled.routing, this.#clientRoutes)),
      );
      this.#isSiteDirty ||= damage.length > 0;
      return damage;
    });
  }

  /**
   * True if a neighbour of ours is not what the kernel was left with.
   *
   * @param mac null when it is gone
   */
  lacksNeighbour(device: string, address: string, mac: string | null): boolean {
    return this.#plan.neighbours.some(
      (neighbour) => neighbour.device === device && neighbour.address === address && neighbour.mac !== mac,
    );
  }

  /**
   * Compares every element in the kernel with what was installed. Returns how many differ; 0 too while the table is
   * not ours to judge.
   */
  verifyElements(): Promise<number> {
    return this.exclusively(() => this.#options.tables.differences(this.#installedClients));
  }

  /** The table was damaged: everything is written again. */
  rewriteFirewall(): void {
    // Not during a pass: that counts on the table to be what it was at its beginning.
    void this.exclusively(async () => {
      this.#options.tables.invalidate();
      this.#isSiteDirty = true;
    });
  }

  /** Finishes the current pass and starts no other. The kernel does not change. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.idle();
  }

  #start(): void {
    if (this.#running !== null || this.#isClosed || (this.#wanted === null && this.#exclusive.length === 0)) return;
    if (this.#retry !== null && this.#exclusive.length === 0) return;
    // In a burst, what else the same read brings goes along; a single change does not wait.
    this.#running = (this.#isBurst ? Promise.resolve().then(() => this.#run()) : this.#run()).finally(() => {
      this.#running = null;
      if (this.#exclusive.length > 0 || ((this.#dirty.size > 0 || this.#isSiteDirty) && this.#retry === null))
        this.#start();
    });
  }

  async #run(): Promise<void> {
    for (let work = this.#exclusive.shift(); work !== undefined; work = this.#exclusive.shift()) await work();
    while (
      !this.#isClosed &&
      this.#retry === null &&
      this.#wanted !== null &&
      (this.#isSiteDirty || this.#dirty.size > 0)
    ) {
      this.#announceRewrite();
      await this.#attempt(this.#wanted);
    }
  }

  /** Once, however often the rewrite has to be tried. */
  #announceRewrite(): void {
    const isRewrite = this.#site !== null && this.#options.tables.needsFullRewrite;
    if (isRewrite && !this.#isRewriting) this.#options.onRewrite?.();
    this.#isRewriting = isRewrite;
  }

  async #attempt(wanted: WantedSite): Promise<void> {
    const { logger } = this.#options;
    const dirty = this.#dirty;
    const isSiteDirty = this.#isSiteDirty;
    this.#dirty = new Set();
    this.#isSiteDirty = false;
    this.#isBurst = dirty.size > 1;
    this.#begun += 1;
    const startedMs = performance.now();
    try {
      const work = await this.#pass(wanted, isSiteDirty, dirty);
      const seconds = (performance.now() - startedMs) / 1000;
      logger.debug('firewall.applied', { pass: this.#applied, ...work, durationMs: Math.round(seconds * 1e5) / 100 });
      this.#options.onPass?.({ seconds, hasFailed: false });
      if (this.#problem !== null) logger.info('firewall.recovered', { afterAttempts: this.#failures });
      this.#problem = null;
      this.#failures = 0;
      const waiting = this.#onApplied;
      this.#onApplied = [];
      for (const resolve of waiting) resolve();
    } catch (error) {
      this.#options.onPass?.({ seconds: (performance.now() - startedMs) / 1000, hasFailed: true });
      for (const key of dirty) this.#dirty.add(key);
      this.#isSiteDirty = true;
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    const [firstMs, lastMs] = this.#options.backoffMs ?? [200, 10_000];
    const delayMs = Math.min(lastMs, firstMs * 2 ** this.#failures);
    this.#failures += 1;
    this.#problem = error.message;
    this.#isTableDoubtful ||= error instanceof GwmarkError && error.code === 'FIREWALL_FAILED';
    // A device that goes during a pass takes its routes along, and the site of the next pass does without it: no
    // fault, unless it lasts.
    if (isDeviceGone(error) && this.#failures <= PASSING_FAILURES)
      this.#options.logger.info('routing.device_gone', { reason: error.message, retryInMs: delayMs });
    else this.#options.logger.error('firewall.failed', { error, retryInMs: delayMs });
    this.#retry = setTimeout(() => this.#tryAgain(), delayMs);
  }

  #tryAgain(): void {
    this.#retry = null;
    // The kernel may have taken a part: what it has is read, not remembered. If it cannot be read, the pass fails
    // again.
    void this.exclusively(async () => {
      // It usually fails because another program changed the table: then only a complete one is right.
      if (this.#isTableDoubtful) this.#options.tables.invalidate();
      this.#isTableDoubtful = false;
      this.#plan = await this.#options.routing.read(this.#options.policy).catch(() => this.#plan);
    });
  }

  /** Resolves with what it did, for the log. */
  async #pass(
    wanted: WantedSite,
    isSiteDirty: boolean,
    dirty: ReadonlySet<string>,
  ): Promise<{ readonly changes: number; readonly isSiteChange: boolean }> {
    const { policy, tables, clients } = this.#options;
    const isRewrite = tables.needsFullRewrite;
    const { site, isNew, routing } = this.#nextSite(wanted, isSiteDirty || isRewrite, dirty);
    const compiled = isNew || this.#compiled === null ? tables.compile(site) : this.#compiled;
    const plan = isNew || routing.diff !== EMPTY_DIFF ? withRoutes(compiled.routing, routing.routes) : this.#plan;
    // A change of clients alone leaves the plan as it is except for their routes; most passes touch no route at all.
    const diff = isNew ? diffRouting(this.#plan, plan) : routing.diff;

    // Who is there now: whoever comes or goes while the kernel works is of the next pass, and must not count as
    // installed by this one.
    const everyone: readonly ClientNetworkChange[] =
      isRewrite || compiled.needsEveryone ? [...clients.list()].map((network) => ({ op: 'add', network })) : [];
    const some = this.#clientChanges(dirty);
    const removed = [...(isRewrite ? this.#installedClients.keys() : dirty)].flatMap((key) =>
      clients.get(key) === null ? (this.#installedClients.get(key) ?? []) : [],
    );

    const before = this.#options.beforeClients?.() ?? null;
    if (before !== null) await before;
    // Most passes have nothing for routing, and then the transaction begins within the call that brought the event.
    if (diff !== EMPTY_DIFF) await this.#options.routing.add(policy, diff);
    await compiled.install(some, everyone);

    // The transaction stays applied, whatever happens to the rest.
    this.#site = site;
    this.#compiled = compiled;
    this.#clientRoutes = routing.routes;
    for (const network of removed) this.#installedClients.delete(networkKey(network));
    for (const { op, network } of isRewrite ? everyone : some)
      if (op === 'add') this.#installedClients.set(networkKey(network), network);
    if (removed.length > 0) this.#options.onRemoved(removed);

    if (diff !== EMPTY_DIFF) await this.#options.routing.remove(policy, diff);
    this.#plan = plan;
    this.#applied = this.#begun;
    return { changes: some.length, isSiteChange: isNew };
  }

  /** The site of this pass: the one of the last pass unless something of it changed. */
  #nextSite(
    wanted: WantedSite,
    isDirty: boolean,
    dirty: ReadonlySet<string>,
  ): { site: Site; isNew: boolean; routing: ClientRoutePass } {
    const { policy, clients } = this.#options;
    const known = this.#site;
    const lengths = keepValue(known?.subnetLengths, this.#subnetLengths(isDirty, dirty));
    // Which clients need a route depends on the tunnels alone, so a change of gateways does not ask for every client
    // again.
    const routing =
      known?.tunnels === wanted.tunnels
        ? changedClientRoutes(
            { policy, tunnels: wanted.tunnels },
            this.#clientRoutes,
            dirty,
            clients,
            this.#installedClients,
          )
        : this.#everyRoute(wanted);
    const families = keepValue(known?.clientRouteFamilies, routing.families);
    const isSame =
      !isDirty && known !== null && lengths === known.subnetLengths && families === known.clientRouteFamilies;
    if (isSame) return { site: known, isNew: false, routing };
    return {
      site: { ...wanted, policy, subnetLengths: lengths, clientRouteFamilies: families },
      isNew: true,
      routing,
    };
  }

  #everyRoute(wanted: WantedSite): ClientRoutePass {
    const routes = everyClientRoute({ ...wanted, policy: this.#options.policy }, this.#options.clients);
    return { routes, families: familiesOf(routes), diff: EMPTY_DIFF };
  }

  #clientChanges(keys: Iterable<string>): ClientNetworkChange[] {
    const changes: ClientNetworkChange[] = [];
    for (const key of keys) {
      const wanted = this.#options.clients.get(key);
      const installed = this.#installedClients.get(key);
      if (wanted !== null && installed === undefined) changes.push({ op: 'add', network: wanted });
      else if (wanted === null && installed !== undefined) changes.push({ op: 'remove', network: installed });
    }
    return changes;
  }

  /**
   * The same array as before unless a length is new; an old one that nobody uses is dropped with the next change of
   * the site.
   */
  #subnetLengths(isSiteDirty: boolean, dirty: ReadonlySet<string>): readonly SubnetLength[] {
    const known = this.#site?.subnetLengths;
    if (isSiteDirty || known === undefined)
      return subnetLengths([...this.#options.clients.list(), ...this.#installedClients.values()]);
    const isKnown = [...dirty].every((key) => hasLength(known, this.#options.clients.get(key)));
    return isKnown ? known : subnetLengths([...this.#options.clients.list(), ...this.#installedClients.values()]);
  }
}
