import { setTimeout } from 'node:timers/promises';
import type { ClientNetwork } from '../../rules/index.js';
import { formatNetwork, isHost } from '../../rules/index.js';
import { exec } from './exec.js';

/** What conntrack(8) says when nothing matched: no failure. */
const NOTHING_DELETED = /0 flow entries have been deleted/;

/** What it says when it could not change every entry. */
const UNFINISHED = /No buffer space available|Protocol error|doesn't exist/;

/**
 * What it says of an entry that is in a flowtable, where the kernel does not delete such
 * (`ctnetlink_del_conntrack()`). The kernel empties a flowtable that was deleted a moment later.
 */
const OFFLOADED = /Device or resource busy/;
const OFFLOADED_MS = 50;
const MOST_TRIES = 20;

const CLEARING_MS = 60_000;

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

/**
 * Flows that were translated on their way to a client are found by where their replies come from; conntrack(8) takes
 * no subnet there.
 */
function sidesOf(network: ClientNetwork): readonly string[] {
  return isHost(network) ? [...SIDES, '--reply-src'] : SIDES;
}

/** Deletes the conntrack entries that carry a mark, so that its gateway id can be given to another MAC. */
export async function flushMark(value: number, mask: number): Promise<void> {
  await conntrack(['ipv4', 'ipv6'].map((family) => `-D -f ${family} --mark ${hex(value)}/${hex(mask)}`));
}

/**
 * How many conntrack entries have a mark. Takes as long as listing all, and no memory. Rejects when the program is
 * missing or fails.
 */
export async function countMark(value: number, mask: number): Promise<number> {
  const list = ['ipv4', 'ipv6'].map((family) => `conntrack -L -f ${family} --mark ${hex(value)}/${hex(mask)}`);
  const { exitCode, stdout } = await exec(
    'sh',
    ['-c', `command -v conntrack >/dev/null && { ${list.join('; ')}; } | wc -l`],
    {
      timeoutMs: 60_000,
    },
  );
  if (exitCode !== 0) throw new Error('conntrack: cannot be run');
  return Number(stdout);
}

/**
 * Zeroes the bits of the mask in every entry; the flows continue, and the other bits stay. A minute at most.
 * conntrack(8) 1.4.7 ends after some 250 updates, because it leaves their acknowledgements unread until its socket is
 * full, and at an entry that is gone since it was listed. The next run passes over what is done.
 */
export async function clearMarks(mask: number): Promise<void> {
  const deadlineMs = Date.now() + CLEARING_MS;
  for (const family of ['ipv4', 'ipv6']) {
    for (let isDone = false; !isDone;) {
      isDone = await conntrack([`-U -f ${family} --mark 0x0/${hex(mask)}`]).then(
        () => true,
        (error: Error) => {
          if (!UNFINISHED.test(error.message) || Date.now() > deadlineMs) throw error;
          return false;
        },
      );
    }
  }
}

/**
 * The pipe comes from a shell: conntrack opens its standard input by name, which fails (ENXIO) for the socket that Node
 * makes of a child's standard input. The name is one that /proc has: /dev/stdin, conntrack's `-`, is missing in a /dev
 * that no program has filled.
 */
async function conntrack(lines: readonly string[]): Promise<void> {
  const run = (): ReturnType<typeof exec> =>
    exec('sh', ['-c', 'cat | conntrack --load-file /proc/self/fd/0'], {
      input: `${lines.join('\n')}\n`,
      timeoutMs: 60_000,
    });
  let { exitCode, stderr } = await run();
  for (let tries = 1; tries < MOST_TRIES && exitCode !== 0 && OFFLOADED.test(stderr); tries++) {
    await setTimeout(OFFLOADED_MS);
    ({ exitCode, stderr } = await run());
  }
  if (exitCode !== 0 && !NOTHING_DELETED.test(stderr))
    throw new Error(`conntrack: ${stderr.trim().split('\n')[0] ?? `exit code ${exitCode}`}`);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
