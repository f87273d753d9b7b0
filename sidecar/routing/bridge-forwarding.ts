import { exec } from '../system/exec.js';

/** What `bridge -j fdb show` prints of one entry. */
interface FdbEntry {
  readonly mac: string;
  readonly state?: string;
}

/**
 * The senders in the forwarding table of a bridge, in the order of the kernel. Empty if the bridge is gone, or there
 * is no program `bridge`, which is optional.
 */
export async function macsSeenByBridge(bridge: string): Promise<readonly string[]> {
  const { exitCode, stdout } = await exec('bridge', ['-j', 'fdb', 'show', 'br', bridge]).catch(() => ({
    exitCode: 1,
    stdout: '',
  }));
  if (exitCode !== 0 || stdout.trim() === '') return [];
  // The parse border: the shape is iproute2's.
  const entries = JSON.parse(stdout) as readonly FdbEntry[];
  return entries.filter(({ state }) => state !== 'permanent').map(({ mac }) => mac);
}
