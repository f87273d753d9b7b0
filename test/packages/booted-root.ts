import { readFile } from 'node:fs/promises';

import type { Namespace } from '../lab/namespace.js';
import { exec, type ExecResult, LabProcess, tryExec } from '../lab/process.js';
import { eventually } from '../lab/wait.js';
import type { DebianRoot } from './root.js';

/**
 * systemd manages a cgroup2 of its own; everything mounted here is gone with the shell. systemd-nspawn without a
 * systemd outside of it.
 */
const BOOT = `
root=$1; network=$2; shared=$3; place=$4; group=$5
mount --make-rprivate /
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$group"
echo $$ > "/sys/fs/cgroup/$group/cgroup.procs"
exec systemd-nspawn --quiet --register=no --keep-unit --console=pipe --machine="$group" --boot --directory="$root" \
  --network-namespace-path="$network" --capability=CAP_NET_ADMIN --bind="$shared:$place" --bind=/dev/net/tun`;

/** Where a booted root sees the directory that it shares with this machine; /tmp is each service's own. */
export const SHARED = '/srv/lab';

/**
 * A Debian root in which its own systemd runs as process 1, in a network namespace of the lab. Disposal powers it off.
 */
export class BootedRoot implements AsyncDisposable {
  readonly #nspawn: LabProcess;
  readonly #leader: string;

  private constructor(nspawn: LabProcess, leader: string) {
    this.#nspawn = nspawn;
    this.#leader = leader;
  }

  /** @param shared a directory of this machine, seen in the root as {@link SHARED} */
  static async boot(root: DebianRoot, namespace: Namespace, shared: string): Promise<BootedRoot> {
    const argv = [
      'unshare',
      '--mount',
      'sh',
      '-e',
      '-c',
      BOOT,
      'sh',
      root.directory,
      `/run/netns/${namespace.name}`,
      shared,
      SHARED,
      `gwmark-${process.pid}`,
    ];
    // nspawn makes /proc/sys/net writable where the network is the container's own.
    const nspawn = LabProcess.spawn(argv, {
      name: 'systemd-nspawn',
      env: { ...process.env, SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network' },
    });
    try {
      const leader = await eventually(async () => await leaderOf(nspawn.pid), { what: 'process 1' });
      const booted = new BootedRoot(nspawn, leader);
      await eventually(
        async () => {
          if (nspawn.exitStatus !== undefined) return true;
          return /running|degraded/.test((await booted.try('systemctl', 'is-system-running')).stdout);
        },
        { what: 'systemd', timeoutMs: 60_000 },
      );
      if (nspawn.exitStatus !== undefined) throw new Error('it ended');
      return booted;
    } catch (error) {
      await nspawn.stop();
      throw new Error(`systemd did not come up: ${String(error)}\n${nspawn.log}`, { cause: error });
    }
  }

  /** Runs a command inside; rejects unless it exits with 0. */
  async run(...argv: readonly string[]): Promise<string> {
    return await exec(this.#inside(argv), { timeoutMs: 120_000 });
  }

  /** Runs a command inside; resolves with its outcome, whatever that is. */
  async try(...argv: readonly string[]): Promise<ExecResult> {
    return await tryExec(this.#inside(argv), { timeoutMs: 120_000 });
  }

  /** A property of a unit, as `systemctl show` prints it. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.run('systemctl', 'show', '--property', name, '--value', unit)).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.try('systemctl', 'poweroff', '--force', '--force');
    await this.#nspawn.stop();
  }

  #inside(argv: readonly string[]): string[] {
    return [
      'nsenter',
      '--target',
      this.#leader,
      '--mount',
      '--pid',
      '--uts',
      '--ipc',
      '--net',
      '--cgroup',
      '--root',
      'env',
      '-i',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      'LC_ALL=C',
      'sh',
      '-c',
      'cd / && exec "$@"',
      'sh',
      ...argv,
    ];
  }
}

/** The child of nspawn that is process 1 inside; an earlier child only prepares it. */
async function leaderOf(pid: number): Promise<string | undefined> {
  for (const child of (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')) {
    if (/^NSpid:\t\d+\t1$/m.test(await readFile(`/proc/${child}/status`, 'utf8'))) return child;
  }
  return undefined;
}
