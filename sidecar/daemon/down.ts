import { NftError, openNftables } from 'nftables-json';
import { EMPTY_PLAN, diffRouting } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { readRouting, removeRouting } from '../datapath/nexthop/plan.js';
import { disableModule } from '../datapath/module/proc.js';
import { GwmarkError } from '../errors.js';
import { NftablesFirewall } from '../firewall/nftables-firewall.js';
import type { Logger } from '../log/logger.js';
import { clearMarks } from '../system/conntrack.js';
import { restoreSysctls } from '../system/forwarding.js';
import { policyOf } from './policy.js';

/**
 * The command `down`: removes every trace of gwmark from the network namespace, whichever run left it: table, rules, routes, neighbours,
 * marks in conntrack; and sets sysctls back.
 *
 * @returns what was removed, one object a line; empty when there was nothing
 */
export async function bringDown(settings: Settings, logger: Logger): Promise<{ removed: readonly string[] }> {
  const policy = policyOf(settings);
  const removed: string[] = [];
  try {
    await using nft = await openNftables({ executor: settings.executor });
    const firewall = new NftablesFirewall(nft, settings.table);
    const bridge = new NftablesFirewall(nft, settings.table, 'bridge');
    // Somebody else's tables are refused before anything is touched.
    const table = await firewall.adopt(() => '');
    await bridge.adopt(() => '');
    // First the table: no packet is marked any more, so none looks for a route that is about to go.
    removed.push(...(await firewall.remove()), ...(await bridge.remove()));
    if (await disableModule()) removed.push('module gwmark: disabled, its gateways forgotten');

    const plan = await readRouting(policy);
    await removeRouting(policy, diffRouting(plan, EMPTY_PLAN));
    if (plan.rules.length > 0) removed.push(count(plan.rules.length, 'ip rule'));
    if (plan.routes.length > 0) removed.push(count(plan.routes.length, 'route'));
    if (plan.neighbours.length > 0) removed.push(count(plan.neighbours.length, 'permanent neighbour'));

    const originals = table?.originals ?? [];
    const failed = await restoreSysctls(originals);
    for (const original of originals) {
      if (failed.includes(original)) logger.error('sysctl.failed', { name: original.name, value: original.value, reason: 'cannot be set back' });
      else removed.push(`sysctl ${original.name.replaceAll('/', '.')} back to ${original.value}`);
    }
  } catch (error) {
    if (error instanceof NftError) throw new GwmarkError('FIREWALL_UNAVAILABLE', `open nftables: ${error.message}`, { cause: error });
    throw error;
  }
  // Without the program, what is left are bits that nobody reads any more.
  if (removed.length > 0) await clearMarks(policy.markMask).catch((error: unknown) => logger.warn('conntrack.unavailable', { error }));
  return { removed };
}

function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? '' : 's'}`;
}
