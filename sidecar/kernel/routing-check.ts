import type { RoutingDamage } from '../routing/damage.js';
import type { Logger } from '../log/logger.js';
import { type IpDevice, ipJson } from '../routing/iproute.js';
import type { Reconciler } from './reconciler.js';

/** How many things one event of the log names. */
const MAX_NAMED = 20;

export interface RoutingCheckOptions {
  readonly reconciler: Pick<Reconciler, 'isSettled' | 'verifyRouting'>;
  /** Another program did something that is being repaired. */
  readonly onRepaired: () => void;
  readonly logger: Logger;
}

/**
 * Compares the kernel's rules, routes and neighbours with what was installed, and tells damage from devices that came
 * again.
 */
export class RoutingCheck {
  readonly #options: RoutingCheckOptions;
  /** By name, as they were before the latest look that found nothing wrong. */
  #indexes: ReadonlyMap<string, number> = new Map();

  constructor(options: RoutingCheckOptions) {
    this.#options = options;
  }

  /** Takes the devices as they are: what is installed from now on is on these. */
  async begin(): Promise<void> {
    this.#indexes = await readIndexes();
  }

  /**
   * Looks once. What differs is installed again by the next pass, which this starts.
   *
   * @param isSilent what other programs did is not logged
   * @returns what other programs did
   */
  async run(isSilent = false): Promise<readonly RoutingDamage[]> {
    const { reconciler, onRepaired, logger } = this.#options;
    if (!reconciler.isSettled) return [];
    // A device may be recreated at any moment: what is intact with one index tells nothing of the next.
    const indexes = await readIndexes();
    const damage = await reconciler.verifyRouting();
    if (damage.length === 0) this.#indexes = indexes;
    if (damage.length === 0) return [];
    const { lost, foreign } = explain(damage, this.#indexes, await readIndexes());
    if (lost.length > 0)
      logger.info('routing.renewed', {
        devices: [...new Set(lost.flatMap(({ devices }) => devices))],
        lost: lost.slice(0, MAX_NAMED).map(({ text }) => text),
      });
    if (foreign.length === 0) return foreign;
    onRepaired();
    if (isSilent) return foreign;
    const named = (what: RoutingDamage['what']): readonly string[] =>
      foreign
        .filter((item) => item.what === what)
        .slice(0, MAX_NAMED)
        .map(({ text }) => text);
    logger.warn('routing.repaired', { missing: named('missing'), surplus: named('surplus'), count: foreign.length });
    return foreign;
  }
}

async function readIndexes(): Promise<ReadonlyMap<string, number>> {
  return new Map((await ipJson<IpDevice>(['link', 'show'])).map(({ ifname, ifindex }) => [ifname, ifindex]));
}

/**
 * Parts what the kernel took away together with a device from what another program did. A device that is gone, or has
 * another index than before, was recreated: OpenVPN does that to its tunnel when it restarts. Pure.
 */
export function explain(
  damage: readonly RoutingDamage[],
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): { readonly lost: readonly RoutingDamage[]; readonly foreign: readonly RoutingDamage[] } {
  const isLost = ({ what, devices }: RoutingDamage): boolean =>
    what === 'missing' && devices.some((device) => !now.has(device) || before.get(device) !== now.get(device));
  // Installed again, but neither news nor a fault.
  const told = damage.filter(({ what, isPassing }) => what !== 'missing' || isPassing !== true);
  return { lost: told.filter(isLost), foreign: told.filter((item) => !isLost(item)) };
}
