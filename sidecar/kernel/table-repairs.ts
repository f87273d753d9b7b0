import type { GatewayKeeper } from '../datapath/datapath.js';
import type { Logger } from '../log/logger.js';
import type { Reconciler } from './reconciler.js';
import type { RuleTables } from './rule-tables.js';

export interface TableRepairsOptions {
  readonly tables: RuleTables;
  readonly reconciler: Reconciler;
  /** Gets the counters that a look reads; null where the kernel keeps the gateways. */
  readonly keeper: Pick<GatewayKeeper, 'wantsCounters' | 'counted'> | null;
  /** Name of our table, for messages. */
  readonly table: string;
  /**
   * Another program changed the table, said in a sentence. `repaired` resolves when it is installed again, and never
   * rejects.
   */
  readonly onDamaged: (damage: string, repaired: Promise<void>) => void;
  readonly logger: Logger;
}

/** Restores what other programs change in our tables of the packet filter. */
export class TableRepairs {
  readonly #options: TableRepairsOptions;

  constructor(options: TableRepairsOptions) {
    this.#options = options;
  }

  /**
   * Compares the rules with what was installed; costs microseconds where nobody wrote.
   *
   * @returns whether they are intact, and all that is wanted is installed
   */
  async look(): Promise<boolean> {
    const { tables, reconciler, keeper, table } = this.#options;
    if (!reconciler.isSettled) return false;
    const { state, counters } = await reconciler.exclusively(() =>
      tables.inspect({ withCounters: keeper?.wantsCounters ?? false }),
    );
    if (counters !== null) keeper?.counted(counters);
    if (state === 'intact') return true;
    this.#repair(`table ${table} of the packet filter was found ${state}; it is being installed again`, {
      found: state,
    });
    return false;
  }

  /** Compares every element, which takes time in proportion to the clients. */
  async checkElements(): Promise<void> {
    const { reconciler, table } = this.#options;
    if (!reconciler.isSettled) return;
    const differences = await reconciler.verifyElements();
    if (differences === 0) return;
    this.#repair(`elements of table ${table} were changed; they are being installed again`, {
      found: 'elements',
      differences,
    });
  }

  #repair(damage: string, fields: { readonly found: string; readonly differences?: number }): void {
    const { reconciler, table, onDamaged, logger } = this.#options;
    logger.warn('firewall.repaired', { table, ...fields });
    reconciler.rewriteFirewall();
    onDamaged(damage, reconciler.applied());
  }
}
