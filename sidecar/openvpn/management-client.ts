import { ManagementClient, type ManagementClientOptions } from 'openvpn-management-client';
import { authRetryMs, passwordNow } from '../config/password.js';
import type { ConfiguredEndpoint, Settings } from '../config/settings.js';
import { chown } from '../system/chown.js';

/**
 * The client of one management endpoint, as the settings want it. Whoever made it runs and closes it.
 *
 * @param settings those in force: the password is asked for before each connection, the rest is as it is now
 * @param onNotificationBytes for programs that its messages are passed on to
 */
export function makeManagementClient(
  endpoint: ConfiguredEndpoint,
  settings: () => Settings,
  onNotificationBytes: ManagementClientOptions['onNotificationBytes'],
): ManagementClient {
  const { management } = settings();
  const { mode, owner } = endpoint;
  return new ManagementClient({
    endpoint,
    listenFile: {
      ...(mode === undefined ? {} : { mode }),
      onListening: async (path) => {
        if (owner !== undefined) await chown(path, owner);
      },
    },
    onNotificationBytes,
    password: () => passwordNow(settings().management, endpoint),
    authRetryMs: authRetryMs(management),
    connectTimeoutMs: management.connectTimeoutMs,
    commandTimeoutMs: management.commandTimeoutMs,
    backoff: { baseMs: management.backoffMinMs, maxMs: management.backoffMaxMs },
  });
}
