import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** An event of `ip monitor`. */
export type KernelEvent =
  | {
      readonly kind: 'neighbour';
      readonly device: string;
      readonly address: string;
      readonly mac: string | null;
      readonly isDeleted: boolean;
      readonly isOurs: boolean;
    }
  /** A bridge learnt a sender at one of its ports. */
  | { readonly kind: 'bridged'; readonly port: string; readonly mac: string }
  /** The main table started or stopped routing a network to a device directly, without a next hop. */
  | { readonly kind: 'onlink-route'; readonly device: string }
  /** A device, an address, another route or a rule changed: read again what you need. */
  | { readonly kind: 'link' | 'address' | 'route' | 'rule' };

/**
 * Parses one line of `ip -N -o monitor label ...`. Null for what says nothing to us.
 * Neighbour lines read `[NEIGH]192.0.2.1 dev lan0 lladdr 02:.. REACHABLE`, with `Deleted ` in front of the address
 * when it went.
 *
 * @param protocol the protocol number that our own neighbours carry
 */
export function parseMonitorLine(line: string, protocol: number): KernelEvent | null {
  const labelled = /^\[(NEIGH|LINK|ADDR|ROUTE|RULE)\](.*)$/.exec(line);
  if (labelled === null) return null;
  const text = (labelled[2] ?? '').trim();
  switch (labelled[1]) {
    case 'NEIGH':
      return parseNeighbour(text, protocol);
    case 'LINK':
      return { kind: 'link' };
    case 'ADDR':
      return { kind: 'address' };
    case 'RULE':
      return { kind: 'rule' };
    default:
      return parseRoute(text);
  }
}

/** Other tables than main are named (`table 255`), and a route with a next hop has `via` or `nexthop`. */
function parseRoute(text: string): KernelEvent {
  const device = /^(?:Deleted )?[0-9a-f]*[.:]\S* (?!.*\b(?:via|nexthop|table)\b).*?\bdev (\S+)/.exec(`${text} `)?.[1];
  return device === undefined ? { kind: 'route' } : { kind: 'onlink-route', device };
}

/** The NUD states in which a neighbour's MAC is known (linux/neighbour.h, NUD_VALID without NOARP). */
const USABLE_STATES: ReadonlySet<string> = new Set(['REACHABLE', 'STALE', 'DELAY', 'PROBE', 'PERMANENT']);

function parseNeighbour(text: string, protocol: number): KernelEvent | null {
  const isDeleted = text.startsWith('Deleted ');
  const words = (isDeleted ? text.slice(8) : text).split(/\s+/);
  const [address] = words;
  const device = wordAfter(words, 'dev');
  // An entry of a bridge's forwarding table has no address; a permanent one is a MAC of the bridge itself.
  if (address === 'dev') {
    const mac = wordAfter(words, 'lladdr');
    const isSender = !isDeleted && !words.includes('PERMANENT');
    return device === null || mac === null || !isSender ? null : { kind: 'bridged', port: device, mac };
  }
  if (address === undefined || device === null) return null;
  const isUsable = !isDeleted && words.some((word) => USABLE_STATES.has(word));
  return {
    kind: 'neighbour',
    device,
    address,
    mac: isUsable ? wordAfter(words, 'lladdr') : null,
    isDeleted,
    isOurs: wordAfter(words, 'proto') === String(protocol),
  };
}

function wordAfter(words: readonly string[], word: string): string | null {
  const index = words.indexOf(word);
  return index < 0 ? null : (words[index + 1] ?? null);
}

export interface MonitorOptions {
  readonly protocol: number;
  readonly onEvent: (event: KernelEvent) => void;
  /** The program ended unexpectedly; events in between are lost, so read everything again after a restart. */
  readonly onEnd: (cause: Error) => void;
}

/**
 * A running `ip monitor` of the own network namespace. The caller closes it.
 */
export class NeighbourMonitor implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #isClosing = false;

  constructor(options: MonitorOptions) {
    const child = spawn('ip', ['-N', '-o', 'monitor', 'label', 'link', 'address', 'route', 'neigh', 'rule'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      // A group of its own: Ctrl-C in a terminal is for the sidecar, which ends the monitor itself.
      detached: true,
      env: { ...process.env, LC_ALL: 'C' },
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      const end = (cause: Error): void => {
        resolve();
        if (!this.#isClosing) options.onEnd(cause);
      };
      child.once('error', end);
      child.once('exit', (code, signal) => end(new Error(`ip monitor ended (${signal ?? `exit code ${code}`})`)));
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = parseMonitorLine(line, options.protocol);
      if (event !== null && !this.#isClosing) options.onEvent(event);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#child.kill('SIGTERM');
    await this.#ended;
  }
}
