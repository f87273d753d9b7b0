import { type Endpoint, ManagementClient } from 'openvpn-management-client';
import { authRetryMs, passwordNow } from '../config/password.js';
import type { Settings } from '../config/settings.js';

/**
 * The client of one management endpoint, as the settings want it. Whoever made it runs and closes it.
 *
 * @param settings those in force: the password is asked for before each connection, the rest is as it is now
 */
export function makeManagementClient(endpoint: Endpoint, settings: () => Settings): ManagementClient {
  const { management } = settings();
  return new ManagementClient({
    endpoint,
    password: () => passwordNow(settings().management, endpoint),
    authRetryMs: authRetryMs(management),
    connectTimeoutMs: management.connectTimeoutMs,
    commandTimeoutMs: management.commandTimeoutMs,
    backoff: { baseMs: management.backoffMinMs, maxMs: management.backoffMaxMs },
  });
}
