import { IptablesError } from 'iptables-wrapper';
import { NftError } from 'nftables-json';
import type { OriginalSysctl } from '../../rules/index.js';
import { EMPTY_PLAN, diffRouting } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { readRouting, removeRouting } from '../routing/plan.js';
import { readProxyNeighbours, removeProxyNeighbours } from '../routing/proxy-neighbours.js';
import { disableModule } from '../datapath/module/proc.js';
import { GwmarkError } from '../errors.js';
import type { InstalledRules } from '../firewall/firewall.js';
import { IptablesFirewall } from '../firewall/iptables-firewall.js';
import { NftablesFirewall } from '../firewall/nftables-firewall.js';
import type { FirewallTool } from '../firewall/open-firewall.js';
import { openEveryTool } from '../firewall/open-firewall.js';
import type { Logger } from '../log/logger.js';
import { clearMarks } from '../system/conntrack.js';
import { restoreSysctls } from '../system/forwarding.js';
import { policyOf } from '../config/policy.js';

/**
 * The command `down`: removes every trace of gwmark from the network namespace, whichever run left it: table, rules,
 * routes, neighbours, proxy neighbours, marks in conntrack; and restores sysctls.
 *
 * @returns what was removed, one object a line; empty when there was nothing
 */
export async function bringDown(settings: Settings, logger: Logger): Promise<{ removed: readonly string[] }> {
  const policy = policyOf(settings);
  const removed: string[] = [];
  const tools = await openEveryTool(settings);
  try {
    const firewalls = tools.flatMap((tool) => firewallsOf(tool, settings.table));
    const savedSysctls: OriginalSysctl[] = [];
    // Another program's tables and chains are refused before anything is touched.
    for (const firewall of firewalls) savedSysctls.push(...((await firewall.adopt(() => ''))?.savedSysctls ?? []));
    // First the rules: then no packet is marked, so none looks up a route that is about to be removed.
    for (const firewall of firewalls) removed.push(...(await firewall.remove()));
    if (await disableModule()) removed.push('module gwmark: disabled, its gateways removed');

    const plan = await readRouting(policy);
    await removeRouting(policy, diffRouting(plan, EMPTY_PLAN));
    if (plan.rules.length > 0) removed.push(count(plan.rules.length, 'ip rule'));
    if (plan.routes.length > 0) removed.push(count(plan.routes.length, 'route'));
    if (plan.neighbours.length > 0) removed.push(count(plan.neighbours.length, 'permanent neighbour'));

    const proxies = (await readProxyNeighbours(policy.routing.protocol)).filter(({ isOurs }) => isOurs);
    await removeProxyNeighbours(policy.routing.protocol, proxies);
    if (proxies.length > 0) removed.push(count(proxies.length, 'proxy neighbour'));

    const failed = await restoreSysctls(savedSysctls);
    for (const original of savedSysctls) {
      if (failed.includes(original))
        logger.error('sysctl.failed', { name: original.name, value: original.value, reason: 'cannot be restored' });
      else removed.push(`sysctl ${original.name.replaceAll('/', '.')} restored to ${original.value}`);
    }
  } catch (error) {
    if (error instanceof NftError || error instanceof IptablesError)
      throw new GwmarkError('FIREWALL_FAILED', `remove the firewall rules of gwmark: ${error.message}`, {
        cause: error,
      });
    throw error;
  } finally {
    for (const tool of tools) await tool[Symbol.asyncDispose]();
  }
  // Without the program, mark bits remain that nothing reads any more.
  if (removed.length > 0)
    await clearMarks(policy.markMask).catch((error: unknown) => logger.warn('conntrack.unavailable', { error }));
  return { removed };
}

function firewallsOf(tool: FirewallTool, table: string): readonly InstalledRules[] {
  if (tool.kind === 'iptables') return [new IptablesFirewall(tool, table)];
  return [new NftablesFirewall(tool.nft, table), new NftablesFirewall(tool.nft, table, 'bridge')];
}

function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? '' : 's'}`;
}
