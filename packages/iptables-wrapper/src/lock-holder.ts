import { promises as fs } from 'node:fs';

/** Where the legacy programs lock (xshared.h XT_LOCK_NAME, iptables 1.8). */
export const DEFAULT_LOCK_FILE = '/run/xtables.lock';

/**
 * Who holds the lock of iptables-legacy just now: `firewalld (process 812)`. undefined: nobody any more, or not to be
 * seen from here.
 *
 * @see proc(5) /proc/locks: kind, mode, access, pid, MAJOR:MINOR:INODE (hexadecimal device, decimal inode)
 */
export async function findLockHolder(lockFile: string = DEFAULT_LOCK_FILE): Promise<string | undefined> {
  try {
    const { ino } = await fs.stat(lockFile);
    for (const line of (await fs.readFile('/proc/locks', 'utf8')).split('\n')) {
      const held = /^\d+: FLOCK +\S+ +WRITE (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /u.exec(line);
      if (held?.[2] !== String(ino)) continue;
      const pid = held[1] ?? '';
      const name = await fs.readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '?');
      return `${name.trim()} (process ${pid})`;
    }
  } catch {
    // Only a hint for a message that is complete without it.
  }
  return undefined;
}
