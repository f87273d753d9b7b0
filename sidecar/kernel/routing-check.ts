import type { RoutingDamage } from '../routing/damage.js';
import type { Logger } from '../log/logger.js';
import { type IpDevice, ipJson } from '../routing/iproute.js';
import type { Reconciler } from './reconciler.js';

/** How many things one event of the log names. */
const MAX_NAMED = 20;

export interface RoutingCheckOptions {
  readonly reconciler: Pick<Reconciler<never>, 'isSettled' | 'verifyRouting'>;
  /** Another program did something that is being repaired. */
  readonly onRepaired: () => void;
  readonly logger: Logger;
}

/** Compares the kernel's rules, routes and neighbours with what was installed, and tells damage from devices that came anew. */
export class RoutingCheck {
  readonly #options: RoutingCheckOptions;
  /** By name, as of the look before. */
  #indexes: ReadonlyMap<string, number> = new Map();

  constructor(options: RoutingCheckOptions) {
    this.#options = options;
  }

  /**
   * Looks once. What differs is installed again by the next pass, which this starts.
   *
   * @param isSilent what other programs did is not logged
   * @returns what other programs did
   */
  async run(isSilent = false): Promise<readonly RoutingDamage[]> {
    const { reconciler, onRepaired, logger } = this.#options;
    const damage = reconciler.isSettled ? await reconciler.verifyRouting() : [];
    const now = new Map((await ipJson<IpDevice>(['link', 'show'])).map(({ ifname, ifindex }) => [ifname, ifindex]));
    // At the first look no device is known to have come anew.
    const before = this.#indexes.size === 0 ? now : this.#indexes;
    this.#indexes = now;
    const { lost, foreign } = explain(damage, before, this.#indexes);
    if (lost.length > 0) logger.info('routing.renewed', { devices: [...new Set(lost.flatMap(({ devices }) => devices))], lost: lost.slice(0, MAX_NAMED).map(({ text }) => text) });
    if (foreign.length === 0) return foreign;
    onRepaired();
    if (isSilent) return foreign;
    const named = (what: RoutingDamage['what']): readonly string[] => foreign.filter((item) => item.what === what).slice(0, MAX_NAMED).map(({ text }) => text);
    logger.warn('routing.repaired', { missing: named('missing'), surplus: named('surplus'), count: foreign.length });
    return foreign;
  }
}

/**
 * Parts what the kernel took away together with a device from what another program did. A device that is gone, or has another index
 * than before, was made anew: OpenVPN does that to its tunnel when it restarts. Pure.
 */
export function explain(damage: readonly RoutingDamage[], before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): { readonly lost: readonly RoutingDamage[]; readonly foreign: readonly RoutingDamage[] } {
  const isLost = ({ what, devices }: RoutingDamage): boolean => what === 'missing' && devices.some((device) => !now.has(device) || before.get(device) !== now.get(device));
  return { lost: damage.filter(isLost), foreign: damage.filter((item) => !isLost(item)) };
}
