import type { Capabilities, DaemonVersion } from './capabilities.js';
import type { ExecuteOptions } from './command-queue.js';
import type { Command } from './command.js';
import * as commands from './commands.js';
import type { ClientKey, Kid } from './ids.js';
import type { LogMessage, State } from './messages.js';
import type { LinkRemote } from './push-reply.js';
import type { PositionedStatus } from './status.js';

/**
 * The commands of a server as methods, one at a time in the order of the calls. Each takes a timeout and an
 * AbortSignal, and rejects with what `CommandQueue.execute` names. Those for one client take its key, and reject with
 * MGMT_STALE_EPOCH when the daemon restarted inside since: the CID may belong to another client.
 */
export abstract class CommandSet {
  /**
   * Runs any command, one of `commands` or your own.
   *
   * @param key the client that it is for; checked right before sending
   */
  abstract execute<T>(command: Command<T>, options?: ExecuteOptions, key?: ClientKey): Promise<T>;

  /** What this daemon can do. @throws ManagementError MGMT_NOT_CONNECTED */
  abstract get capabilities(): Capabilities;

  /** The daemon's version. */
  async version(options?: ExecuteOptions): Promise<DaemonVersion> {
    return this.execute(commands.version(), options);
  }

  /** The daemon's process id, in its own pid namespace. */
  async pid(options?: ExecuteOptions): Promise<number> {
    return this.execute(commands.pid(), options);
  }

  /**
   * Who is connected. MGMT_TRUNCATED means that a client's over-long user name breaks the table; `format: 1` still
   * answers then, without CIDs.
   */
  async status(options: ExecuteOptions & { readonly format?: 1 | 3 } = {}): Promise<PositionedStatus> {
    return this.execute(commands.status(options.format ?? 3), options);
  }

  /** The last `count` states, oldest first. */
  async state(count: number | 'all' = 1, options?: ExecuteOptions): Promise<readonly State[]> {
    return this.execute(commands.state(count), options);
  }

  /** Turns state notifications on or off. Without them, nothing reports an internal restart of the daemon. */
  async setState(isOn: boolean, options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.setState(isOn), options);
  }

  /**
   * Turns state notifications on, and returns the history after that: a state is never lost in between, and one that was
   * notified up to the position is in the history too. Two commands, because `state on all` has two replies, and a
   * program between (the pass-through of openvpn-auth-oauth2) relays one a command.
   */
  async setStateWithHistory(options?: ExecuteOptions): Promise<commands.History<State>> {
    await this.setState(true, options);
    return this.execute(commands.stateHistory(), options);
  }

  /** The last lines of the daemon's log. */
  async log(count: number | 'all' = 'all', options?: ExecuteOptions): Promise<readonly LogMessage[]> {
    return this.execute(commands.log(count), options);
  }

  /** Turns log notifications on, and returns the history after that, as {@link setStateWithHistory} does. */
  async setLogWithHistory(options?: ExecuteOptions): Promise<commands.History<LogMessage>> {
    await this.setLog(true, options);
    return this.execute(commands.logHistory(), options);
  }

  /** Where a client may connect to, in the order of its configuration, without remotes that are names. */
  async remoteEntries(options?: ExecuteOptions): Promise<readonly LinkRemote[]> {
    return this.execute(commands.remoteEntries(), options);
  }

  /** Turns log notifications on or off. From verb 3 on the log repeats each command sent: polling feeds it. */
  async setLog(isOn: boolean, options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.setLog(isOn), options);
  }

  /** Traffic notifications every `intervalSeconds`, 0 for none. */
  async bytecount(intervalSeconds: number, options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.bytecount(intervalSeconds), options);
  }

  /** How many clients, and bytes over all. */
  async loadStats(options?: ExecuteOptions): Promise<commands.LoadStats> {
    return this.execute(commands.loadStats(), options);
  }

  /** How much environment events carry; 0 is all, and the level outlives connections: set it on each. */
  async envFilter(level: number, options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.envFilter(level), options);
  }

  /** Lets a holding daemon start. */
  async holdRelease(options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.holdRelease(), options);
  }

  /** Makes the daemon hold, or not, at its next start inside. */
  async setHold(isOn: boolean, options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.setHold(isOn), options);
  }

  /** Sends the daemon a signal. */
  async signal(name: commands.DaemonSignal, options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.signal(name), options);
  }

  /** Accepts a login, or a renegotiation. */
  async clientAuthNt(client: ClientKey, kid: Kid, options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.clientAuthNt(client.cid, kid), options, client);
  }

  /** Accepts a login with directives as of a client-config-dir file. */
  async clientAuth(
    client: ClientKey,
    kid: Kid,
    directives: readonly string[],
    options?: ExecuteOptions,
  ): Promise<void> {
    return this.execute(commands.clientAuth(client.cid, kid, directives), options, client);
  }

  /** Refuses a login. `reason` goes to the daemon's log, `clientReason` to the client. */
  async clientDeny(
    client: ClientKey,
    kid: Kid,
    reason: string,
    clientReason?: string,
    options?: ExecuteOptions,
  ): Promise<void> {
    return this.execute(commands.clientDeny(client.cid, kid, reason, clientReason), options, client);
  }

  /** Asks a client that logs in for more, `WEB_AUTH::URL` or `CR_TEXT:...`. */
  async clientPendingAuth(
    client: ClientKey,
    kid: Kid,
    extra: string,
    timeoutSeconds: number,
    options?: ExecuteOptions,
  ): Promise<void> {
    return this.execute(
      commands.clientPendingAuth(this.capabilities, client.cid, kid, extra, timeoutSeconds),
      options,
      client,
    );
  }

  /** Ends a client. OpenVPN takes 5 s for it: revoke its permissions yourself, immediately. */
  async clientKill(client: ClientKey, message?: string, options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.clientKill(client.cid, message), options, client);
  }

  /** Ends all clients with a common name immediately. */
  async kill(commonName: string, options?: ExecuteOptions): Promise<void> {
    return this.execute(commands.kill(commonName), options);
  }

  /** Changes options of connected clients (2.7); resolves with how many took it. */
  async pushUpdate(
    target: ClientKey | 'all',
    optionLines: readonly string[],
    options?: ExecuteOptions,
  ): Promise<number> {
    if (target === 'all') return this.execute(commands.pushUpdate(this.capabilities, 'all', optionLines), options);
    return this.execute(commands.pushUpdate(this.capabilities, target.cid, optionLines), options, target);
  }
}
