import type { ManagementClient, PositionedStatus, State } from 'openvpn-management-client';
import type { Link, Tunnel } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import type { OpenVpnRole } from '../status.js';
import type { ClientRole } from './client-role.js';
import { isClientState } from './openvpn-state.js';
import type { Role } from './role.js';
import type { ServerRole } from './server-role.js';
import { readStatus } from './status-command.js';

export interface RolesOptions {
  /** Borrowed. */
  readonly client: ManagementClient;
  readonly server: ServerRole;
  readonly vpnClient: ClientRole;
  /** The setting `management.role`. */
  readonly configured: OpenVpnRole | 'auto';
  readonly logger: Logger;
}

/**
 * Which of the two roles an OpenVPN has: as the setting says, or as it tells itself.
 *
 * Until it told, it is treated as a server. A server tells of its clients by events, each once; whatever a client
 * tells can be asked for later.
 */
export class Roles {
  readonly #options: RolesOptions;
  #known: OpenVpnRole | null;

  constructor(options: RolesOptions) {
    this.#options = options;
    this.#known = configuredRole(options);
  }

  /** Null before it is known. */
  get known(): OpenVpnRole | null {
    return this.#known;
  }

  get current(): Role {
    return this.#known === 'client' ? this.#options.vpnClient : this.#options.server;
  }

  /** True when this state tells that it is a client, and that was not known. */
  isNews(state: State): boolean {
    return this.#known === null && isClientState(state);
  }

  /** OpenVPN tells what it is. What is known already stays. @returns what is known now */
  note(role: OpenVpnRole): OpenVpnRole {
    if (this.#known !== null) return this.#known;
    this.#known = role;
    this.#options.logger.info('server.role', { role });
    if (role === 'client') void this.#options.server.stop();
    return role;
  }

  /**
   * Finds out by the states of this process and, where they say nothing and it is connected, by `status`.
   *
   * @returns what it answered to `status`, for {@link Role.begin}; null if it was not asked, and of a client
   * @throws ManagementError if it does not answer
   */
  async find(states: readonly State[]): Promise<PositionedStatus | null> {
    const told = states.some(isClientState) ? this.note('client') : this.#known;
    if (told === 'client' || states.at(-1)?.name !== 'CONNECTED') return null;
    const status = await readStatus(this.#options.client);
    return this.note(status.daemonMode) === 'client' ? null : status;
  }

  /** Another process answers. */
  forget(): void {
    this.#known = configuredRole(this.#options);
  }

  /** As {@link Role.resolve}; the other role, or a former one, gets no tunnel. */
  resolve(tunnel: Tunnel | null, links: readonly Link[]): void {
    const { current } = this;
    for (const role of [this.#options.server, this.#options.vpnClient])
      role.resolve(role === current ? tunnel : null, links);
  }

  /** OpenVPN is not followed any more, and its client networks go. */
  retire(): void {
    this.#options.server.retire();
    this.#options.vpnClient.resolve(null, []);
  }
}

function configuredRole({ configured }: RolesOptions): OpenVpnRole | null {
  return configured === 'auto' ? null : configured;
}
