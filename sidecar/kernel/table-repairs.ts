import type { GatewayKeeper } from '../datapath/datapath.js';
import type { Logger } from '../log/logger.js';
import { RepairPace } from '../routing/repair-pace.js';
import type { Reconciler } from './reconciler.js';
import type { RuleTables } from './rule-tables.js';

export interface TableRepairsOptions {
  readonly tables: Pick<RuleTables, 'inspect'>;
  readonly reconciler: Pick<
    Reconciler,
    'isSettled' | 'exclusively' | 'verifyElements' | 'rewriteFirewall' | 'applied'
  >;
  /** Gets the counters that a look reads; null if the kernel keeps the gateways. */
  readonly keeper: Pick<GatewayKeeper, 'wantsCounters' | 'counted'> | null;
  /** Name of our table, for messages. */
  readonly table: string;
  /**
   * Another program changed the table, said in a sentence. `repaired` resolves when it is installed again, and never
   * rejects.
   */
  readonly onDamaged: (damage: string, repaired: Promise<void>) => void;
  readonly logger: Logger;
  /** Monotonic milliseconds; default: those of the process. */
  readonly now?: () => number;
}

/**
 * Restores what other programs change in our tables of the packet filter: at once, and ever slower where one of them
 * insists, since each time everything is written.
 */
export class TableRepairs {
  readonly #options: TableRepairsOptions;
  readonly #pace = new RepairPace();
  readonly #now: () => number;
  /** Found, and not repaired before the pause is over. */
  #damage: Damage | null = null;

  constructor(options: TableRepairsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** That another program insists, in a sentence; null when none does. */
  get problem(): string | null {
    return this.#pace.isContested(this.#now())
      ? `another program repeatedly changes table ${this.#options.table} of the packet filter`
      : null;
  }

  /**
   * Compares the rules with what was installed; costs microseconds where nobody wrote.
   *
   * @returns whether they are intact, and all that is wanted is installed
   */
  async look(): Promise<boolean> {
    const { tables, reconciler, keeper, table } = this.#options;
    if (!reconciler.isSettled) return false;
    if (this.#damage !== null) {
      this.#repair(this.#damage);
      return false;
    }
    const { state, counters } = await reconciler.exclusively(() =>
      tables.inspect({ withCounters: keeper?.wantsCounters ?? false }),
    );
    if (counters !== null) keeper?.counted(counters);
    if (state === 'intact') return true;
    this.#found({
      text: `table ${table} of the packet filter was found ${state}; it is being installed again`,
      fields: { found: state },
    });
    return false;
  }

  /** Compares every element, which takes time in proportion to the clients. */
  async checkElements(): Promise<void> {
    const { reconciler, table } = this.#options;
    if (!reconciler.isSettled || this.#damage !== null) return;
    const differences = await reconciler.verifyElements();
    if (differences === 0) return;
    this.#found({
      text: `elements of table ${table} were changed; they are being installed again`,
      fields: { found: 'elements', differences },
    });
  }

  #found(damage: Damage): void {
    this.#damage = damage;
    this.#repair(damage);
  }

  /** What is found damaged is found once: the tables are not compared again before they are rewritten. */
  #repair(damage: Damage): void {
    const { reconciler, table, onDamaged, logger } = this.#options;
    const nowMs = this.#now();
    if (this.#pace.pauseMs(nowMs) > 0) return;
    this.#damage = null;
    if (this.#pace.repaired(nowMs)) logger.warn('firewall.contested', { table, ...damage.fields });
    logger.warn('firewall.repaired', { table, ...damage.fields });
    reconciler.rewriteFirewall();
    onDamaged(damage.text, reconciler.applied());
  }
}

/** What another program did. */
interface Damage {
  /** In a sentence. */
  readonly text: string;
  readonly fields: { readonly found: string; readonly differences?: number };
}
