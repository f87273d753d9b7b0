import type { Policy } from '../../../rules/index.js';
import type { PacketPath } from '../../firewall/firewall.js';
import type { Logger } from '../../log/logger.js';
import { OngoingWork } from '../../system/ongoing-work.js';
import type { GatewayChange } from './gateway-change.js';
import type { GatewayTable } from './gateway-table.js';

export interface TakersOptions {
  readonly policy: Policy;
  readonly table: GatewayTable;
  readonly firewall: Pick<PacketPath, 'takers'>;
  /** Resolves when the kernel has what was wanted at the call. */
  readonly applied: () => Promise<void>;
  /** Receives what became of the table. */
  readonly onChanges: (changes: readonly GatewayChange[]) => void;
  readonly logger: Logger;
}

/**
 * Routers that got a vacant id from the packet path. They are looked for before a new sender gets another id, since
 * its first frame may have passed by then; and once more when the rules know it, for one that passed in between.
 */
export class Takers {
  readonly #options: TakersOptions;
  readonly #work = new OngoingWork();
  /** What was heard during a look, in order; null: there is none under way. */
  #heard: (() => readonly GatewayChange[])[] | null = null;
  #isClosed = false;

  constructor(options: TakersOptions) {
    this.#options = options;
  }

  /**
   * Looks for takers if one of the senders is new, and then takes the senders in. What is heard meanwhile waits, so
   * that the order of events stays.
   *
   * @param take adds the senders to the table
   */
  before(
    senders: readonly { readonly device: string; readonly mac: string | null }[],
    take: () => readonly GatewayChange[],
  ): void {
    const { table, onChanges } = this.#options;
    if (this.#heard !== null) {
      this.#heard.push(take);
      return;
    }
    const isNew = senders.some(({ device, mac }) => mac !== null && table.bySource(device, mac) === null);
    if (!isNew || table.vacancies.list.length === 0) {
      onChanges(take());
      return;
    }
    const heard = [take];
    this.#heard = heard;
    this.#begin(
      this.look().finally(() => {
        this.#heard = null;
        onChanges(heard.flatMap((next) => next()));
      }),
    );
  }

  /** Looks now. */
  async look(): Promise<void> {
    const { policy, table, firewall, onChanges } = this.#options;
    if (table.vacancies.list.length === 0) return;
    const takers = await firewall.takers(policy);
    onChanges(takers.flatMap(({ id, device, mac }) => table.seat(id, device, mac)));
  }

  /** Looks when what is wanted now is in the kernel; returns immediately. */
  lookAfterPass(): void {
    // Not among the work that closing waits for: after a failure it may never be applied.
    void this.#lookWhenApplied();
  }

  /** Resolves when no look is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work.idle();
  }

  async #lookWhenApplied(): Promise<void> {
    await this.#options.applied();
    if (!this.#isClosed) this.#begin(this.look());
  }

  #begin(work: Promise<void>): void {
    this.#work.add(work).catch((error: unknown) => this.#options.logger.warn('daemon.check_failed', { error }));
  }
}
