import type { ClientNetwork } from '../../rules/index.js';
import { formatNetwork, isHost } from '../../rules/index.js';
import { exec } from './exec.js';

/** What conntrack(8) says when nothing matched: no failure. */
const NOTHING_DELETED = /0 flow entries have been deleted/;

/** Flows to a client network, and from it. */
const SIDES = ['--orig-dst', '--orig-src'];

/**
 * Deletes the conntrack entries of client networks, in every role.
 * All in one process: conntrack-tools 1.4.7 and later read commands from a file.
 *
 * Rejects when the program is missing or fails.
 */
export async function flushClients(networks: readonly ClientNetwork[]): Promise<void> {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const lines = networks
      .filter((network) => (network.family === 4 ? 'ipv4' : 'ipv6') === family)
      .flatMap((network) => sidesOf(network).map((side) => `-D -f ${family} ${side} ${formatNetwork(network)}`));
    if (lines.length > 0) await conntrack(lines);
  }
}

/** Flows that were translated on their way to a client are found by where their replies come from; conntrack(8) takes no subnet there. */
function sidesOf(network: ClientNetwork): readonly string[] {
  return isHost(network) ? [...SIDES, '--reply-src'] : SIDES;
}

/** Deletes the conntrack entries that carry a mark, so that its gateway id can be given to another MAC. */
export async function flushMark(value: number, mask: number): Promise<void> {
  await conntrack(['ipv4', 'ipv6'].map((family) => `-D -f ${family} --mark ${hex(value)}/${hex(mask)}`));
}

/** Zeroes the bits of the mask in every entry; the flows go on, and the other bits stay. */
export async function clearMarks(mask: number): Promise<void> {
  await conntrack(['ipv4', 'ipv6'].map((family) => `-U -f ${family} --mark 0x0/${hex(mask)}`));
}

/**
 * The pipe comes from a shell: conntrack opens /dev/stdin by name, which fails (ENXIO) for the socket that Node makes of
 * a child's standard input.
 */
async function conntrack(lines: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await exec('sh', ['-c', 'cat | conntrack --load-file -'], { input: `${lines.join('\n')}\n`, timeoutMs: 60_000 });
  if (exitCode !== 0 && !NOTHING_DELETED.test(stderr)) throw new Error(`conntrack: ${stderr.trim().split('\n')[0] ?? `exit code ${exitCode}`}`);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
