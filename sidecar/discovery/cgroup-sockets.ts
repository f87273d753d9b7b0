import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { exec } from '../system/exec.js';

/**
 * The inodes of the sockets that the control group of a process made, where the process is alone in it, as a service
 * of systemd or a container's only program: then they are its own. The kernel keeps the group of each socket
 * (sock_diag(7), INET_DIAG_CGROUP_ID, Linux 5.8), and nobody needs the right to trace a process to ask.
 *
 * @returns null if it is not alone, or groups cannot be seen (cgroup v1)
 */
export async function socketsOfCgroup(pid: number): Promise<ReadonlySet<number> | null> {
  try {
    const [own, mounts] = await Promise.all([
      readFile(`/proc/${pid}/cgroup`, 'utf8'),
      readFile('/proc/self/mountinfo', 'utf8'),
    ]);
    const group = /^0::(\/.+)$/m.exec(own)?.[1];
    const mount = /^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m.exec(mounts)?.[1];
    if (group === undefined || mount === undefined) return null;
    const members = await readFile(path.join(mount, group, 'cgroup.procs'), 'utf8');
    if (members.trim() !== String(pid)) return null;
    const { exitCode, stdout } = await exec('ss', ['-t', '-u', '-l', '-n', '-e', '-H', '--cgroup']);
    const inodes = exitCode === 0 ? inodesOf(stdout, group) : new Set<number>();
    return inodes.size === 0 ? null : inodes;
  } catch {
    return null;
  }
}

/** Parses `tcp LISTEN 0 5 0.0.0.0:22 0.0.0.0:* ino:278220 sk:102a cgroup:/system.slice/ssh.service <->`. Pure. */
export function inodesOf(listing: string, group: string): ReadonlySet<number> {
  const lines = listing
    .split('\n')
    .map((line) => ({ inode: Number(/ ino:(\d+) /.exec(line)?.[1] ?? 0), group: / cgroup:(\S+)/.exec(line)?.[1] }));
  return new Set(lines.filter((line) => line.group === group && line.inode > 0).map(({ inode }) => inode));
}
