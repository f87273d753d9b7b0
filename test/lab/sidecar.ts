import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { fetchStatus } from '../../sidecar/control/client.js';
import { parseStatus, type StatusDocument } from '../../sidecar/status.js';
import type { Namespace } from './namespace.js';
import type { ExecOptions, ExecResult, ExitStatus, LabProcess } from './process.js';
import { eventually, patient, slowed } from './wait.js';

/** One line of the sidecar's JSON log. */
export interface LogEntry {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** How a sidecar is started. */
export interface SidecarOptions {
  /** The endpoint, or another namespace for tests of errors. */
  readonly namespace: Namespace;
  /** A directory for its control socket. */
  readonly directory: string;
  /** Path of OpenVPN's management socket; null: there is no OpenVPN. */
  readonly managementSocket: string | null;
  /** The sidecar listens there, and OpenVPN connects. */
  readonly listens?: boolean;
  /** Further command-line flags. */
  readonly flags?: readonly string[];
  /** Words before the command: other privileges, another namespace. */
  readonly prefix?: readonly string[];
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** ipset wants CAP_NET_RAW as well; the guide to iptables adds it to the unit. */
const CAPABILITIES = process.env['GWMARK_FIREWALL'] === 'iptables' ? '-all,+net_admin,+net_raw' : '-all,+net_admin';

/**
 * Has what the systemd unit leaves to the sidecar: root with CAP_NET_ADMIN alone, so that it may not look into other
 * processes.
 */
export const NET_ADMIN_ALONE = [
  'setpriv',
  '--bounding-set',
  CAPABILITIES,
  '--inh-caps',
  '-all',
  '--no-new-privs',
] as const;

/** The script of the program under test; a build elsewhere can be named by GWMARK_BIN. */
export const PROGRAM = process.env['GWMARK_BIN'] ?? fileURLToPath(new URL('../../../bin/gwmark', import.meta.url));

/**
 * Quick reactions, so that a test never waits for a pause that is only politeness toward OpenVPN. Where everything is
 * slow, looks at everything are fewer: they would be all that the machine does. A look at all routing starts a dozen
 * programs, which is half of what an idle sidecar costs.
 */
const PACE =
  slowed(1) < 8
    ? { poll: 500, snapshot: 1000, reread: 3000, gateways: 200 }
    : { poll: 2000, snapshot: 10_000, reread: 10_000, gateways: 1000 };
const QUICK_FLAGS = [
  '--management-poll-interval-ms',
  String(PACE.poll),
  '--management-snapshot-interval-ms',
  String(PACE.snapshot),
  '--routing-reread-interval-ms',
  String(PACE.reread),
  '--management-backoff-max-ms',
  '250',
  '--gateways-poll-interval-ms',
  String(PACE.gateways),
  '--wireguard-poll-interval-ms',
  String(PACE.poll),
] as const;

/** Runs one `gwmark` command in a namespace to its end. */
export async function runGwmark(
  namespace: Namespace,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  return await namespace.tryRun([process.execPath, PROGRAM, ...args], options);
}

/**
 * A running `gwmark run` and its control socket. Disposal stops it gracefully; what it left in the kernel goes with
 * the namespace.
 */
export class Sidecar implements AsyncDisposable {
  readonly options: SidecarOptions;
  readonly controlSocket: string;
  #process: LabProcess;

  private constructor(options: SidecarOptions) {
    this.options = options;
    this.controlSocket = path.join(options.directory, 'gwmark.sock');
    this.#process = this.#spawn();
  }

  /** Starts a sidecar without waiting until it is ready. */
  static launch(options: SidecarOptions): Sidecar {
    return new Sidecar(options);
  }

  /** Starts a sidecar and resolves when it is ready, see {@link ready}. */
  static async start(options: SidecarOptions): Promise<Sidecar> {
    const sidecar = new Sidecar(options);
    try {
      await sidecar.ready();
      return sidecar;
    } catch (error) {
      await sidecar.#process.stop();
      throw error;
    }
  }

  get process(): LabProcess {
    return this.#process;
  }

  /** Resolves when every OpenVPN server and every other VPN is in the state `ready`: device and transport are known. */
  async ready(timeoutMs = 30_000): Promise<StatusDocument> {
    return await this.statusWhere(
      ({ ready, servers, sources = [] }) =>
        ready &&
        servers.length + sources.length > 0 &&
        [...servers, ...sources].every(({ state }) => state === 'ready'),
      'the sidecar is ready',
      timeoutMs,
    );
  }

  /** The status document, without starting `gwmark status` for each look at it. @throws GwmarkError when nothing answers */
  async status(): Promise<StatusDocument> {
    return await fetchStatus(this.controlSocket, { timeoutMs: patient(5_000) });
  }

  /** Resolves with the first status that fulfils `condition`. */
  async statusWhere(
    condition: (status: StatusDocument) => boolean,
    what: string,
    timeoutMs = 10_000,
  ): Promise<StatusDocument> {
    let last: StatusDocument | undefined;
    try {
      return await eventually(
        async () => {
          if (this.#process.exitStatus !== undefined) return 'ended' as const;
          last = await this.status();
          return condition(last) && last;
        },
        { what, timeoutMs, intervalMs: 60 },
      ).then((status) => {
        if (status === 'ended') throw new Error(`${what}: the sidecar ended`);
        return status;
      });
    } catch (error) {
      throw new Error(
        `${String(error)}\nlast status: ${JSON.stringify(last)}\nlog:\n  ${this.#process.lines.slice(-40).join('\n  ')}`,
        { cause: error },
      );
    }
  }

  /** What `gwmark clients --json` prints. */
  async clients(): Promise<StatusDocument['clients']> {
    return (await this.status()).clients;
  }

  /** What `gwmark gateways --json` prints. */
  async gateways(): Promise<StatusDocument['gateways']> {
    return (await this.status()).gateways;
  }

  /** The log so far; lines that are not JSON objects are left out. */
  get log(): readonly LogEntry[] {
    return this.#process.lines.flatMap((line) => {
      if (!line.startsWith('{')) return [];
      // One JSON object a line is what --log-format json promises.
      const fields = JSON.parse(line) as Record<string, unknown>;
      return [{ event: String(fields['event'] ?? fields['message'] ?? fields['msg']), fields }];
    });
  }

  /** Resolves with the first log entry of that event at index `from` of {@link log} or later. */
  async event(name: string, options: { from?: number; timeoutMs?: number } = {}): Promise<LogEntry> {
    return await eventually(() => this.log.slice(options.from ?? 0).find((entry) => entry.event === name), {
      what: `log event ${name}`,
      timeoutMs: options.timeoutMs ?? 10_000,
    });
  }

  /**
   * Resolves when the kernel sends by a router that was found, or to a MAC that one moved to: `status` waits a second
   * for that at most, and an emulated machine needs longer. The module sends before it tells.
   */
  async carries(mac: string): Promise<void> {
    const isTold = ({ event, fields }: LogEntry): boolean =>
      (event === 'gateway.found' || event === 'gateway.moved') && fields['mac'] === mac;
    const { fields } = await eventually(() => this.log.findLast(isTold), { what: `the router ${mac} in the log` });
    const { pass } = fields;
    if (typeof pass !== 'number') return;
    await this.statusWhere(
      ({ appliedPass }) => appliedPass !== undefined && appliedPass >= pass,
      `rules for the router ${mac}`,
    );
  }

  /** SIGTERM, and waits for the end. Rules and routes stay. */
  async stop(): Promise<ExitStatus> {
    return await this.#process.stop();
  }

  /** SIGKILL, and waits for the end. */
  async killHard(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#process.exited;
  }

  /**
   * Starts the program again with the same options, after {@link stop} or {@link killHard}; resolves when it is ready.
   */
  async restart(): Promise<void> {
    this.#process = this.#spawn();
    await this.ready();
  }

  /** Runs `gwmark down` and resolves with its output. @throws Error when it fails. */
  async down(): Promise<string> {
    const result = await runGwmark(this.options.namespace, [
      'down',
      '--control-socket',
      this.controlSocket,
      ...downFlags(this.options.flags ?? []),
    ]);
    if (result.code !== 0) throw new Error(`gwmark down exited with ${result.code}: ${result.stderr}${result.stdout}`);
    return result.stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }

  #spawn(): LabProcess {
    const { options } = this;
    return options.namespace.spawn(
      [
        ...(options.prefix ?? []),
        process.execPath,
        PROGRAM,
        'run',
        ...(options.managementSocket === null
          ? []
          : ['--management', `${options.listens === true ? 'listen:' : ''}unix:${options.managementSocket}`]),
        '--control-socket',
        this.controlSocket,
        '--log-format',
        'json',
        ...QUICK_FLAGS,
        ...(options.flags ?? []),
      ],
      { name: 'gwmark run', ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }) },
    );
  }
}

/** Reads what `gwmark status --json` printed. @throws Error where it is no status document */
export function readStatus(printed: string): StatusDocument {
  const read = parseStatus(printed);
  if (!read.ok) throw new Error(`no status document: ${read.fault}\n${printed}`);
  return read.status;
}

/** The flags of `run` that `down` needs in order to find what is ours. */
function downFlags(flags: readonly string[]): string[] {
  return flags.flatMap((flag, index) =>
    /^--(table|routing-|mark-)/.test(flag) ? [flag, flags[index + 1] ?? ''] : [],
  );
}
