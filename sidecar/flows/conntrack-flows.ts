import { setTimeout } from 'node:timers/promises';

import type { Family, Policy } from '../../rules/index.js';
import { gatewayMark } from '../../rules/index.js';
import { GwmarkError } from '../errors.js';
import { fileLines, programLines } from '../system/lines.js';
import type { Flow, FlowTuple } from './flow.js';
import { protocolName } from './flow.js';

/**
 * The kernel's own listing; absent without CONFIG_NF_CONNTRACK_PROCFS. It can miss entries while the table changes, a
 * dump cannot.
 */
const PROC_FILE = '/proc/net/nf_conntrack';

/**
 * EINVAL: what nfnetlink answers to the first listing of a machine while another one has its kernel module loaded
 * (`nfnetlink_rcv_msg()`). Such a listing has no lines.
 */
const LOADING = /invalid parameters/;
const LOADING_MS = 50;
const MOST_TRIES = 20;

/**
 * Streams the conntrack entries that have a gateway id, IPv4 then IPv6: from conntrack(8), or from /proc where that is
 * not installed.
 *
 * @throws GwmarkError FLOWS_UNAVAILABLE if neither can be read
 */
export async function* conntrackFlows(policy: Pick<Policy, 'markMask'>): AsyncGenerator<Flow, void> {
  const lowest = gatewayMark(policy, 1);
  for await (const line of conntrackLines([4, 6])) {
    const flow = parseConntrackLine(line, policy.markMask, lowest);
    if (flow !== null) yield flow;
  }
}

/**
 * Streams every entry that an address opened, with a gateway or without.
 *
 * @param source in canonical form
 * @throws GwmarkError FLOWS_UNAVAILABLE if none can be read
 */
export async function* entriesFrom(source: string): AsyncGenerator<ConntrackEntry, void> {
  const family = source.includes(':') ? 6 : 4;
  for await (const line of conntrackLines([family], ['--orig-src', source])) {
    const entry = parseConntrackEntry(line);
    // The kernel's own listing has all entries.
    if (entry?.original.source === source) yield entry;
  }
}

async function* conntrackLines(
  families: readonly Family[],
  selection: readonly string[] = [],
): AsyncGenerator<string, void> {
  try {
    for (const family of families) {
      const words = ['-L', '-f', `ipv${family}`, ...selection];
      const list = (): ReturnType<typeof programLines> => programLines('conntrack', [...words, '-o', 'extended']);
      let { exitCode, stderr } = yield* list();
      for (let tries = 1; tries < MOST_TRIES && exitCode !== 0 && LOADING.test(stderr); tries++) {
        await setTimeout(LOADING_MS);
        ({ exitCode, stderr } = yield* list());
      }
      if (exitCode !== 0)
        throw new GwmarkError(
          'FLOWS_UNAVAILABLE',
          `conntrack ${words.join(' ')}: ${stderr.trim().split('\n')[0] ?? `exit code ${exitCode}`}`,
        );
    }
  } catch (error) {
    if (error instanceof GwmarkError || !isMissing(error)) throw error;
    yield* procLines();
  }
}

async function* procLines(): AsyncGenerator<string, void> {
  try {
    yield* fileLines(PROC_FILE);
  } catch (error) {
    throw new GwmarkError(
      'FLOWS_UNAVAILABLE',
      `there is no program conntrack, and ${PROC_FILE} cannot be read: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** An entry of connection tracking as the kernel lists it. */
export type ConntrackEntry = Pick<Flow, 'family' | 'protocol' | 'original' | 'reply' | 'isOffloaded'> & {
  /** The whole conntrack mark; 0 if the kernel has none. */
  readonly mark: number;
};

/**
 * Parses a line of `conntrack -L -o extended` or of /proc/net/nf_conntrack, which are the same; null for one without a
 * gateway id.
 *
 * @param lowest the lowest bit of the mask
 */
export function parseConntrackLine(line: string, markMask: number, lowest: number): Flow | null {
  // Most entries are not ours; the mark shows it quickly.
  const mark = (markOf(line) & markMask) >>> 0;
  const entry = mark === 0 ? null : parseConntrackEntry(line);
  if (entry === null) return null;
  const { mark: _, ...flow } = entry;
  return { ...flow, gateway: mark / lowest, destinationGateway: 0 };
}

/** Parses such a line whatever its mark; null for one that is no entry. */
export function parseConntrackEntry(line: string): ConntrackEntry | null {
  const [layer3 = '', , , protocol = '', ...words] = line.split(/ +/);
  const tuples: Map<string, string>[] = [];
  for (const word of words) {
    const equals = word.indexOf('=');
    if (equals < 0) continue;
    const name = word.slice(0, equals);
    if (name === 'src') tuples.push(new Map());
    tuples.at(-1)?.set(name, word.slice(equals + 1));
  }
  const [original, reply] = tuples;
  if (original === undefined || reply === undefined) return null;
  return {
    family: layer3 === 'ipv6' ? 6 : 4,
    protocol: protocolName(Number(protocol)),
    original: toTuple(original),
    reply: toTuple(reply),
    mark: markOf(line),
    ...(words.includes('[OFFLOAD]') || words.includes('[HW_OFFLOAD]') ? { isOffloaded: true } : {}),
  };
}

function markOf(line: string): number {
  const at = line.lastIndexOf(' mark=');
  return at < 0 ? 0 : Number.parseInt(line.slice(at + ' mark='.length), 10) >>> 0;
}

function toTuple(words: ReadonlyMap<string, string>): FlowTuple {
  const number = (name: string): number | null => (words.has(name) ? Number(words.get(name)) : null);
  const [packets, bytes] = [number('packets'), number('bytes')];
  return {
    source: words.get('src') ?? '',
    sourcePort: number('sport'),
    destination: words.get('dst') ?? '',
    destinationPort: number('dport'),
    counted: packets === null || bytes === null ? null : { packets, bytes },
  };
}
