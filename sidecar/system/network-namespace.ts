import { readlinkSync } from 'node:fs';

/**
 * The network namespace of this process as the kernel names it, `net:[4026531840]`; null if /proc does not say.
 * @see namespaces(7)
 */
export function readNetworkNamespace(): string | null {
  try {
    return readlinkSync('/proc/self/ns/net');
  } catch {
    return null;
  }
}
