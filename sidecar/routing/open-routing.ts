import type { Settings } from '../config/settings.js';
import { GwmarkError } from '../errors.js';
import type { Logger } from '../log/logger.js';
import { IP_ROUTING } from './ip-routing.js';
import type { KernelRouting } from './kernel-routing.js';
import { NetlinkRouting } from './netlink/netlink-routing.js';

/**
 * Opens the kernel's routing as the setting `executor` says: by netlink in this process, or by spawned `ip`; `auto`
 * prefers netlink. The caller disposes the result.
 *
 * @throws GwmarkError ROUTING_UNAVAILABLE if `executor: library` is set and netlink cannot be used
 */
export async function openRouting({ executor }: Pick<Settings, 'executor'>, logger: Logger): Promise<KernelRouting> {
  if (executor === 'process') return IP_ROUTING;
  try {
    return await NetlinkRouting.open();
  } catch (error) {
    if (executor === 'library' || !(error instanceof GwmarkError)) throw error;
    logger.warn('routing.fallback', { reason: error.message });
    return IP_ROUTING;
  }
}
