import { exec } from './exec.js';

/** One direction of a conntrack entry. */
export interface FlowDirection {
  readonly source: string;
  readonly destination: string;
  /** Null for a protocol without ports. */
  readonly sourcePort: number | null;
  readonly destinationPort: number | null;
}

/** One entry of the connection tracking table. */
export interface ConntrackEntry {
  /** As conntrack(8) names it: `udp`, `tcp`, `icmp`, `icmpv6`, or `unknown`. */
  readonly protocol: string;
  readonly original: FlowDirection;
  readonly reply: FlowDirection;
  readonly mark: number;
  /** Nothing was seen in the reply direction yet. */
  readonly isUnreplied: boolean;
}

/**
 * Every entry of a family whose original direction comes from an address.
 *
 * Rejects when the program `conntrack` is missing or refuses.
 */
export async function entriesFrom(family: 4 | 6, source: string): Promise<readonly ConntrackEntry[]> {
  const { exitCode, stdout, stderr } = await exec('conntrack', ['-L', '-f', family === 4 ? 'ipv4' : 'ipv6', '-o', 'extended', '--orig-src', source]);
  if (exitCode !== 0 && stdout === '' && !stderr.includes('0 flow entries')) throw new Error(`conntrack: ${stderr.trim().split('\n')[0] ?? `exit code ${exitCode}`}`);
  return stdout.split('\n').map(parseEntry).filter((entry) => entry !== null);
}

/**
 * Parses a line of `conntrack -L -o extended`: `ipv4 2 udp 17 29 src=.. dst=.. sport=.. dport=.. [UNREPLIED] src=.. dst=.. ... mark=0`.
 * Null for any other line.
 */
export function parseEntry(line: string): ConntrackEntry | null {
  const words = line.trim().split(/\s+/);
  const [family, , protocol] = words;
  if ((family !== 'ipv4' && family !== 'ipv6') || protocol === undefined) return null;
  const second = words.findLastIndex((word) => word.startsWith('src='));
  const original = parseDirection(words.slice(0, second));
  const reply = parseDirection(words.slice(second));
  if (original === null || reply === null) return null;
  return { protocol, original, reply, mark: Number(valueOf(words, 'mark') ?? 0), isUnreplied: words.includes('[UNREPLIED]') };
}

function parseDirection(words: readonly string[]): FlowDirection | null {
  const [source, destination, sport, dport] = ['src', 'dst', 'sport', 'dport'].map((name) => valueOf(words, name));
  if (source === undefined || destination === undefined) return null;
  return { source, destination, sourcePort: sport === undefined ? null : Number(sport), destinationPort: dport === undefined ? null : Number(dport) };
}

function valueOf(words: readonly string[], name: string): string | undefined {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}
