import type {
  ManagementClientOptions,
  Notification,
  Origin,
  PositionedStatus,
  State,
} from 'openvpn-management-client';
import { isManagementError, ManagementClient } from 'openvpn-management-client';
import { authRetryMs } from '../config/password.js';
import type { ManagementEndpoint, Settings } from '../config/settings.js';
import type { Logger } from '../log/logger.js';

/** States that a server never has: manage.c man_state_name and its callers, OpenVPN 2.6. */
const CLIENT_STATES: ReadonlySet<string> = new Set([
  'RESOLVE',
  'TCP_CONNECT',
  'WAIT',
  'AUTH',
  'AUTH_PENDING',
  'GET_CONFIG',
]);

/** True when only an OpenVPN client, or one side of a point-to-point tunnel, can be in this state. */
export function isClientState({ name, remoteAddress }: State): boolean {
  return CLIENT_STATES.has(name) || (name === 'CONNECTED' && remoteAddress !== undefined);
}

/** OpenVPN begins anew, or ends: nobody is connected any more. */
export function isRestart(name: string): boolean {
  return name === 'RECONNECTING' || name === 'EXITING';
}

/** A notification and its place. */
export interface Heard {
  readonly message: Notification;
  readonly origin: Origin;
}

/**
 * What of these is still to be taken, once the history of states was read that tells everything up to `sequence`: a
 * state in it does not count a second time, and of what came before a restart in it nothing is true any more.
 */
export function unlessInHistory(heard: readonly Heard[], sequence: number): Heard[] {
  const isTold = ({ message, origin }: Heard): boolean => message.kind === 'state' && origin.sequence <= sequence;
  const restart = heard.findLastIndex(
    (item) => isTold(item) && item.message.kind === 'state' && isRestart(item.message.name),
  );
  return heard.slice(restart + 1).filter((item) => !isTold(item));
}

/**
 * `status`, in the one form that answers: a user name of 450 characters and more breaks `status 3`, not `status 1`.
 */
export async function readStatus(client: ManagementClient): Promise<PositionedStatus> {
  try {
    return await client.status();
  } catch (error) {
    if (isManagementError(error) && error.code === 'MGMT_TRUNCATED') return client.status({ format: 1 });
    throw error;
  }
}

/**
 * Asks for the state of now, in case that a program between us and OpenVPN kept it for itself; `then` takes it where
 * it is CONNECTED.
 */
export async function askIfConnected(client: ManagementClient, then: (state: State) => Promise<void>): Promise<void> {
  const [latest] = await client.state().catch(() => []);
  if (latest?.name === 'CONNECTED') await then(latest);
}

/** Lets a holding OpenVPN go, once `whenApplied` resolves: its first packets find every rule. */
export async function releaseHold(
  client: ManagementClient,
  whenApplied: () => Promise<void>,
  logger: Logger,
): Promise<void> {
  const { session } = client;
  await whenApplied();
  // A later connection asks by itself, if OpenVPN still holds.
  if (client.session !== session) return;
  await client.holdRelease().catch((error: unknown) => {
    // Whoever else released it was quicker, or the connection is lost: then it is asked for again.
    logger.debug('management.hold_failed', { error });
  });
}

/**
 * The client of one management endpoint, as the settings want it. Whoever made it runs and closes it.
 *
 * @param password asked before each connection
 */
export function makeManagementClient(
  endpoint: ManagementEndpoint,
  settings: Settings['management'],
  password: ManagementClientOptions['password'],
): ManagementClient {
  return new ManagementClient({
    endpoint,
    password,
    authRetryMs: authRetryMs(settings),
    connectTimeoutMs: settings.connectTimeoutMs,
    commandTimeoutMs: settings.commandTimeoutMs,
    backoff: { baseMs: settings.backoffMinMs, maxMs: settings.backoffMaxMs },
  });
}
