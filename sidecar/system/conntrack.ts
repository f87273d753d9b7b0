import type { ClientNetwork } from '../../rules/index.js';
import { formatNetwork } from '../../rules/index.js';
import { exec } from './exec.js';

/** What conntrack(8) says when nothing matched: no failure. */
const NOTHING_DELETED = /0 flow entries have been deleted/;

/**
 * Deletes the conntrack entries of client networks, in both roles: flows to them and flows from them.
 * All in one process: conntrack-tools 1.4.7 and later read commands from a file.
 *
 * Rejects when the program is missing or fails.
 */
export async function flushClients(networks: readonly ClientNetwork[]): Promise<void> {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const lines = networks
      .filter((network) => (network.family === 4 ? 'ipv4' : 'ipv6') === family)
      .flatMap((network) => ['--orig-dst', '--orig-src'].map((side) => `-D -f ${family} ${side} ${formatNetwork(network)}`));
    if (lines.length > 0) await conntrack(lines);
  }
}

/** Deletes the conntrack entries that carry a mark, so that its gateway id can be given to another MAC. */
export async function flushMark(value: number, mask: number): Promise<void> {
  const mark = `0x${value.toString(16)}/0x${mask.toString(16)}`;
  await conntrack(['ipv4', 'ipv6'].map((family) => `-D -f ${family} --mark ${mark}`));
}

async function conntrack(lines: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await exec('conntrack', ['--load-file', '-'], { input: `${lines.join('\n')}\n`, timeoutMs: 60_000 });
  if (exitCode !== 0 && !NOTHING_DELETED.test(stderr)) throw new Error(`conntrack: ${stderr.trim().split('\n').at(-1) ?? `exit code ${exitCode}`}`);
}
