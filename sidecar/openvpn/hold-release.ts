import type { ManagementClient } from 'openvpn-management-client';
import type { Logger } from '../log/logger.js';

/** Releases an OpenVPN that holds, once `whenApplied` resolves: its first packets find every rule. */
export async function releaseHold(
  client: ManagementClient,
  whenApplied: () => Promise<void>,
  logger: Logger,
): Promise<void> {
  const { session } = client;
  await whenApplied();
  // A later connection asks again if OpenVPN still holds.
  if (client.session !== session) return;
  await client.holdRelease().catch((error: unknown) => {
    // Another program released it before us, or the connection is lost: then the next one asks again.
    logger.debug('management.hold_failed', { error });
  });
}
