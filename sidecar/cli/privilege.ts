import { GwmarkError } from '../errors.js';
import { hasCapability } from '../system/capabilities.js';

/** Tells from the text of /proc/self/status whether CAP_NET_ADMIN is effective; undefined if it does not say. */
export function hasNetAdmin(procStatus: string): boolean | undefined {
  return hasCapability(procStatus, 'CAP_NET_ADMIN');
}

/**
 * Ends a command that cannot succeed before it changes anything. Without /proc, the kernel decides.
 *
 * @throws GwmarkError NOT_PRIVILEGED
 */
export function requireNetAdmin(
  command: string,
  procStatus: string | undefined,
  purpose = 'change nftables and routes',
): void {
  if (procStatus === undefined || hasNetAdmin(procStatus) !== false) return;
  throw new GwmarkError(
    'NOT_PRIVILEGED',
    `"gwmark ${command}" needs CAP_NET_ADMIN to ${purpose}: run it as root, or with AmbientCapabilities=CAP_NET_ADMIN (systemd), or --cap-add NET_ADMIN (docker)`,
  );
}
