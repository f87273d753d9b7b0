import { execFileSync } from 'node:child_process';
import { readdirSync, existsSync, statSync } from 'node:fs';

import {
  type ExecOptions,
  type ExecResult,
  exec,
  isRunning,
  LabProcess,
  type SpawnOptions,
  tryExec,
} from './process.js';

const PREFIX = 'gwm';
const RUN_DIRECTORY = '/run/netns';

/** Settings that every namespace of the lab starts with: quick, and deaf to advice about routes. */
const BASE_SYSCTLS = [
  'net.ipv6.conf.all.accept_dad=0',
  'net.ipv6.conf.default.accept_dad=0',
  'net.ipv6.conf.all.accept_ra=0',
  'net.ipv6.conf.default.accept_ra=0',
  'net.ipv6.conf.default.router_solicitations=0',
  'net.ipv6.conf.all.accept_redirects=0',
  'net.ipv6.conf.default.accept_redirects=0',
  'net.ipv4.conf.all.accept_redirects=0',
  'net.ipv4.conf.default.accept_redirects=0',
  'net.ipv4.conf.all.send_redirects=0',
  'net.ipv4.conf.default.send_redirects=0',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
] as const;

/** Writes each of its arguments, `net/ipv4/name=value`. */
const WRITE_SETTINGS = 'for s in "$@"; do printf "%s" "${s#*=}" > "/proc/sys/${s%%=*}" || exit 1; done';

const live = new Set<Namespace>();
let nextNumber = 0;
let isExitHandlerSet = false;

/**
 * A network namespace that this process made, named `gwm-<pid>-<n>-<role>`.
 * Disposal ends every process in it and deletes it; so does the end of this process, however it comes short of
 * SIGKILL, and {@link reapNamespaces} for a process that was killed.
 */
export class Namespace implements AsyncDisposable {
  readonly name: string;
  /** The part that it plays, for messages: `endpoint`, `r1` ... */
  readonly role: string;

  private constructor(name: string, role: string) {
    this.name = name;
    this.role = role;
  }

  /** Makes a namespace with loopback up. `forwarding` turns on IPv4 and IPv6 forwarding. */
  static async create(role: string, options: { readonly forwarding?: boolean } = {}): Promise<Namespace> {
    setExitHandler();
    nextNumber += 1;
    const namespace = new Namespace(`${PREFIX}-${process.pid}-${nextNumber}-${role}`, role);
    await exec(['ip', 'netns', 'add', namespace.name]);
    live.add(namespace);
    const forwarding = options.forwarding ? ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'] : [];
    // One program, because labs have ten namespaces, and an emulated machine takes a tenth of a second to start one.
    const settings = settingPaths([...BASE_SYSCTLS, ...forwarding]);
    await namespace.run(['sh', '-c', `${WRITE_SETTINGS}; exec ip link set lo up`, 'sh', ...settings]);
    return namespace;
  }

  /**
   * The argument list that runs `argv` in this namespace. The process id is the command's own: `ip netns exec` does
   * not fork.
   */
  argv(argv: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, ...argv];
  }

  /** Runs a command here and resolves with its standard output; rejects unless it exits with 0. */
  async run(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
    return await exec(this.argv(argv), options);
  }

  /** Runs a command here and resolves with its outcome, whatever that is. */
  async tryRun(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return await tryExec(this.argv(argv), options);
  }

  /** Starts a long-running command here. The caller stops it; disposal of the namespace ends it too. */
  spawn(argv: readonly string[], options: Partial<SpawnOptions> = {}): LabProcess {
    return LabProcess.spawn(this.argv(argv), { name: `${argv[0] ?? '?'} in ${this.role}`, ...options });
  }

  /** Runs lines of `ip` (without the word `ip`) here in one batch; the first refused line rejects. */
  async ip(...lines: readonly string[]): Promise<void> {
    await exec(['ip', '-n', this.name, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }

  /** Writes kernel settings here, each as `net.ipv4.name=value`. A device name with a dot is not supported. */
  async sysctl(...settings: readonly string[]): Promise<void> {
    await this.run(['sh', '-c', WRITE_SETTINGS, 'sh', ...settingPaths(settings)]);
  }

  /** Ends every process in the namespace with SIGKILL and deletes it. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!live.delete(this)) return;
    killAllIn(this.name);
    await tryExec(['ip', 'netns', 'del', this.name]);
  }
}

function settingPaths(settings: readonly string[]): string[] {
  return settings.map((setting) => {
    const [key, value] = setting.split('=', 2);
    return `${(key ?? '').replaceAll('.', '/')}=${value ?? ''}`;
  });
}

/** One end of a cable. */
export interface CableEnd {
  readonly namespace: Namespace;
  readonly device: string;
  /** Link-layer address; the kernel chooses one when it is left out. */
  readonly mac?: string;
}

/** Joins two namespaces by a veth pair and brings both ends up. */
export async function connect(a: CableEnd, b: CableEnd): Promise<void> {
  const end = (cable: CableEnd): string =>
    `name ${cable.device} netns ${cable.namespace.name}${cable.mac === undefined ? '' : ` address ${cable.mac}`}`;
  // The second end cannot be brought up as it is made: it has no other end yet.
  await exec(['ip', ...`link add ${end(a)} up type veth peer ${end(b)}`.split(' ')]);
  await b.namespace.ip(`link set ${b.device} up`);
}

/** Removes namespaces of earlier runs whose process is gone, with what still runs in them. */
export async function reapNamespaces(): Promise<void> {
  const names = existsSync(RUN_DIRECTORY) ? readdirSync(RUN_DIRECTORY) : [];
  for (const name of names) {
    const owner = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (owner === undefined || isRunning(Number(owner))) continue;
    killAllIn(name);
    await tryExec(['ip', 'netns', 'del', name]);
  }
}

function setExitHandler(): void {
  if (isExitHandlerSet) return;
  isExitHandlerSet = true;
  process.on('exit', () => {
    for (const namespace of live) {
      try {
        killAllIn(namespace.name);
        execFileSync('ip', ['netns', 'del', namespace.name]);
      } catch {
        // The reaper of the next run has another try; nothing else can be done while exiting.
      }
    }
  });
}

/** Ends the processes whose network namespace is the one of that name, as `ip netns pids` finds them; nothing if it is gone. */
function killAllIn(name: string): void {
  const wanted = statSync(`${RUN_DIRECTORY}/${name}`, { throwIfNoEntry: false });
  if (wanted === undefined) return;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const { dev, ino } = statSync(`/proc/${pid}/ns/net`);
      if (dev === wanted.dev && ino === wanted.ino) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // Gone between the listing and the signal, or a zombie, which has no namespace any more.
    }
  }
}
