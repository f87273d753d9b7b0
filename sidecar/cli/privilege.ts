import { GwmarkError } from '../errors.js';

/** Bit of CAP_NET_ADMIN. @see capabilities(7), linux/capability.h */
const CAP_NET_ADMIN = 12n;

/** Tells from the text of /proc/self/status whether CAP_NET_ADMIN is effective; undefined where it does not say. */
export function hasNetAdmin(procStatus: string): boolean | undefined {
  const effective = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(procStatus)?.[1];
  return effective === undefined ? undefined : ((BigInt(`0x${effective}`) >> CAP_NET_ADMIN) & 1n) === 1n;
}

/**
 * Ends a command that cannot succeed before it changes anything. Without /proc the kernel has the word.
 *
 * @throws GwmarkError NOT_PRIVILEGED
 */
export function requireNetAdmin(command: string, procStatus: string | undefined, purpose = 'change nftables and routes'): void {
  if (procStatus === undefined || hasNetAdmin(procStatus) !== false) return;
  throw new GwmarkError(
    'NOT_PRIVILEGED',
    `"gwmark ${command}" needs CAP_NET_ADMIN to ${purpose}: run it as root, or with AmbientCapabilities=CAP_NET_ADMIN (systemd), or --cap-add NET_ADMIN (docker)`,
  );
}
