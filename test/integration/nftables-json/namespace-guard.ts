import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Tests here flush the ruleset: they must not run in the network namespace of the machine. Where that cannot be told
 * from /proc/1 (hidden in some containers), a default route gives it away: a namespace made for tests has none.
 */
export function requireOwnNamespace(): void {
  if (isNamespaceOfInit() ?? hasDefaultRoute()) {
    throw new Error('this suite changes the nftables ruleset: run it in a network namespace of its own (unshare -n)');
  }
}

function isNamespaceOfInit(): boolean | undefined {
  try {
    return readlinkSync('/proc/self/ns/net') === readlinkSync('/proc/1/ns/net');
  } catch {
    return undefined;
  }
}

/** @see proc(5) /proc/net/route: the second column is the destination in hexadecimal */
function hasDefaultRoute(): boolean {
  const [, ...lines] = readFileSync('/proc/self/net/route', 'utf8').trim().split('\n');
  return lines.some((line) => line.split(/\s+/u)[1] === '00000000');
}
