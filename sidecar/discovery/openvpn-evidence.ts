import type { Environment, Session as Connection } from 'openvpn-management-client';
import type { Transport } from '../../rules/index.js';
import type { Endpoint } from 'openvpn-management-client';
import type { Logger } from '../log/logger.js';
import type { EvidenceSource } from '../status.js';
import { socketsOfCgroup } from './cgroup-sockets.js';
import { type Devices, tunnelsWithAddress } from './devices.js';
import { type LoggedStart, readLoggedStart } from './openvpn-log.js';
import { type OpenVpnOptions, optionOf } from './openvpn-options.js';
import { findOpenVpnProcess, isRunning, type OpenVpnProcess } from './openvpn-process.js';
import { openVpnOptionsOf } from './processes.js';
import {
  type BoundSocket,
  readBoundSockets,
  servedBy,
  socketInodesOf,
  transportsOf,
  tunDevicesOf,
} from './sockets.js';
import { confirm, toldByEnvironment, toldByOptions, type ToldSocket } from './told-sockets.js';

/** A fact about OpenVPN, and its source. */
export interface Found<T> {
  readonly value: T;
  readonly source: EvidenceSource;
}

export interface OpenVpnEvidenceOptions {
  readonly endpoint: Endpoint;
  /** The part of the setting `transport` for this OpenVPN. */
  readonly configured: () => readonly Transport[];
  /** The transports that an earlier run left in the kernel, without those of other OpenVPNs. */
  readonly earlier: () => readonly Transport[];
  readonly logger: Logger;
}

/** Of a second socket only that it is there: all of them are bound together. */
const SOCKET_VARIABLES = ['dev', 'local_1', 'local_port_1', 'proto_1', 'local_port_2'];

/** The first version with a socket for each `local` line. */
const SEVERAL_SOCKETS = { major: 2, minor: 7 };

/**
 * What is known of the sockets and the tunnel device of one OpenVPN, and from where: OpenVPN itself, never a likeness.
 * The sources are asked in one order, the best first, and one that knows is never overruled by a later one:
 *
 * - setting (`transport`)
 * - process: what it holds
 * - cgroup: what a control group that is its own holds
 * - log: its latest start
 * - options: command line and configuration
 * - environment: of its events
 * - earlier: what a run of the sidecar before this one knew
 * - address: the device that has the tunnel's address
 *
 * What the log, the options, the environment and an earlier run tell of a socket counts only if such a socket is bound
 * in this network namespace.
 */
export class OpenVpnEvidence {
  readonly #endpoint: Endpoint;
  readonly #configured: () => readonly Transport[];
  /** Empty from the first restart on. */
  #earlier: () => readonly Transport[];
  readonly #logger: Logger;
  #process: OpenVpnProcess | null = null;
  #log: LoggedStart | null = null;
  #options: OpenVpnOptions | null = null;
  #hasSeveralSockets = false;
  #isRead = false;
  #reason = '';
  /** What the latest environment said: those of one start say the same, and each event of a client brings one. */
  #heard = '';
  #environment: { readonly sockets: readonly ToldSocket[] | null; readonly device: string | null } = {
    sockets: null,
    device: null,
  };

  constructor({ endpoint, configured, earlier, logger }: OpenVpnEvidenceOptions) {
    this.#endpoint = endpoint;
    this.#configured = configured;
    this.#earlier = earlier;
    this.#logger = logger;
  }

  /** The latest start was read: before that, do not ask. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** Why {@link transports} resolved with null the last time: a part of a sentence. */
  get reason(): string {
    return this.#reason;
  }

  /** Finds the process behind a new connection. @param told the answer to `pid` */
  async meet(connection: Connection, told: number): Promise<void> {
    const { major, minor } = connection.daemon;
    this.#hasSeveralSockets =
      major > SEVERAL_SOCKETS.major || (major === SEVERAL_SOCKETS.major && minor >= SEVERAL_SOCKETS.minor);
    this.#process = await findOpenVpnProcess(this.#endpoint, told, connection.descriptor);
  }

  /**
   * Reads what OpenVPN tells of its latest start: call it once it has started, and again after each start inside of
   * it.
   */
  async read(connection: Connection): Promise<void> {
    // Without the log there are other sources.
    const lines = await connection.log('all').catch((error: unknown) => {
      this.#logger.debug('session.snapshot_failed', { error });
      return [];
    });
    // What it reported about this start before the log lost it is still true.
    this.#log = readLoggedStart(lines.map(({ text }) => text)) ?? this.#log;
    this.#options = this.#process === null ? null : await openVpnOptionsOf(this.#process.pid);
    this.#isRead = true;
  }

  /** Takes the environment of an event. True if it contained something new. */
  note(env: Environment): boolean {
    const heard = SOCKET_VARIABLES.map((name) => env.get(name)).join(' ');
    if (heard === this.#heard) return false;
    this.#heard = heard;
    const next = {
      sockets: toldByEnvironment(env) ?? this.#environment.sockets,
      device: env.get('dev') ?? this.#environment.device,
    };
    const isNew = JSON.stringify(next) !== JSON.stringify(this.#environment);
    this.#environment = next;
    return isNew;
  }

  /** OpenVPN starts again: what it reported about the previous start is no longer true. */
  restarted(): void {
    this.#isRead = false;
    this.#earlier = () => [];
    this.#log = null;
    this.#environment = { sockets: null, device: null };
    this.#heard = '';
  }

  /** Another process. */
  forget(): void {
    this.restarted();
    this.#process = null;
    this.#options = null;
  }

  /** True when OpenVPN's process is known to have ended; null if it is unknown. */
  async hasEnded(): Promise<boolean | null> {
    return this.#process === null ? null : !(await isRunning(this.#process));
  }

  /**
   * The sockets that OpenVPN serves; null while they are not known. Ask only while it is connected and has started.
   */
  async transports(): Promise<Found<readonly Transport[]> | null> {
    const configured = this.#configured();
    if (configured.length > 0) return { value: configured, source: 'setting' };
    const bound = await readBoundSockets();
    const held = await this.#held(bound);
    if (held !== null)
      return this.#found(
        held.value,
        held.source,
        'its process holds no socket that serves, of this network namespace',
      );
    const told = [
      { source: 'log', sockets: this.#log === null || this.#log.sockets.length === 0 ? null : this.#log.sockets },
      {
        source: 'options',
        sockets: this.#options === null ? null : toldByOptions(this.#options, this.#hasSeveralSockets),
      },
      { source: 'environment', sockets: this.#environment.sockets },
    ] as const;
    const best = told.find(({ sockets }) => sockets !== null);
    if (best?.sockets != null)
      return this.#found(
        confirm(best.sockets, bound),
        best.source,
        `${describe(best.sockets)} by its ${best.source}, and no such socket, or more than one, is bound in this network namespace`,
      );
    const earlier = this.#earlier().flatMap((transport) => confirm([transport], bound));
    return this.#found(
      earlier,
      'earlier',
      'its process may not be looked into, its log has forgotten the start, its configuration cannot be read, and no client has logged in since',
    );
  }

  #found(value: readonly Transport[], source: EvidenceSource, reason: string): Found<readonly Transport[]> | null {
    this.#reason = value.length === 0 ? reason : '';
    return value.length === 0 ? null : { value, source };
  }

  /** Null where its sockets cannot be seen. */
  async #held(bound: readonly BoundSocket[]): Promise<Found<readonly Transport[]> | null> {
    if (this.#process === null) return null;
    const managementPort = this.#endpoint.kind === 'tcp' ? this.#endpoint.port : null;
    const own = await socketInodesOf(this.#process.pid);
    if (own !== null) return { value: transportsOf(servedBy(own, bound, managementPort)), source: 'process' };
    const grouped = await socketsOfCgroup(this.#process.pid);
    const transports = grouped === null ? [] : transportsOf(servedBy(grouped, bound, managementPort));
    // A process that was put into its group later left its sockets in another.
    return transports.length === 0 ? null : { value: transports, source: 'cgroup' };
  }

  /** The name of OpenVPN's tunnel device, which need not be there any more; null while it is not known. */
  async device(devices: Devices, addresses: readonly string[]): Promise<Found<string> | null> {
    const held = this.#process === null ? null : await tunDevicesOf(this.#process.pid);
    // With data channel offload the process has no such descriptor.
    if (held?.length === 1 && held[0] !== undefined) return { value: held[0], source: 'process' };
    if (this.#log?.device != null) return { value: this.#log.device, source: 'log' };
    const named = this.#options === null ? null : namedDevice(this.#options);
    if (named !== null) return { value: named, source: 'options' };
    if (this.#environment.device !== null) return { value: this.#environment.device, source: 'environment' };
    const [tunnel, ...more] = tunnelsWithAddress(devices, addresses);
    return tunnel === undefined || more.length > 0 ? null : { value: tunnel.device, source: 'address' };
  }
}

function describe(sockets: readonly ToldSocket[]): string {
  return sockets
    .map(
      ({ protocol, address, port }) =>
        `${protocol}/${address === null ? '' : `${address.includes(':') ? `[${address}]` : address}:`}${port}`,
    )
    .join(', ');
}

/** `dev` names a device unless it is the kind alone: `tun`, and then the kernel numbers it. */
function namedDevice(options: OpenVpnOptions): string | null {
  const name = optionOf(options, 'dev')?.values[0];
  return options.unread.length > 0 || name === undefined || ['tun', 'tap', 'null'].includes(name) ? null : name;
}
