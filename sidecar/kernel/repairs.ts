import type { RepairStatus } from '../status.js';

/** What was repaired since the daemon started, and what is being repaired now. */
export class Repairs {
  readonly #repairs = { firewall: 0, routing: 0 };
  #damage: string | null = null;

  get repairs(): RepairStatus {
    return { ...this.#repairs };
  }

  /** What another program did to our rules and is not restored yet, in one sentence; null if nothing. */
  get problem(): string | null {
    return this.#damage;
  }

  /**
   * The rules were found damaged.
   *
   * @param repaired resolves when they are installed again; never rejects
   */
  firewallDamaged(damage: string, repaired: Promise<void>): void {
    this.#repairs.firewall += 1;
    this.#damage = damage;
    void repaired.finally(() => {
      this.#damage = null;
    });
  }

  routingRepaired(): void {
    this.#repairs.routing += 1;
  }
}
