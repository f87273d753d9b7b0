import type { IpNeighbour } from '../../routing/iproute.js';
import type { KernelRouting } from '../../routing/kernel-routing.js';
import {
  mayBeAsked,
  type NeighbourQuestion,
  resolveQuestion,
  stateQuestion,
} from '../../routing/neighbour-questions.js';
import { isUsable } from '../../routing/neighbours.js';
import type { GatewayChange } from './gateway-change.js';

/** So many probes in a row without an answer. */
const MISSES = 3;
/** A router that is dead is looked for each so many probes. */
const DEAD_EACH = 5;

/** A router that is to be probed. */
export interface ProbeTarget {
  readonly device: string;
  readonly mac: string;
  readonly isDead: boolean;
  /** Where the neighbour table has, or had, it. */
  readonly addresses: readonly string[];
  /** Frames that came from it so far. */
  readonly packets: number;
}

export interface RouterProbesOptions {
  readonly routing: Pick<KernelRouting, 'neighbours' | 'ask'>;
  /** Routers in use, with fresh counters. Those without an address cannot be asked. */
  readonly targets: () => Promise<readonly ProbeTarget[]>;
  readonly onDead: (device: string, mac: string) => void;
  readonly onAlive: (device: string, mac: string, by: Extract<GatewayChange, { kind: 'revived' }>['by']) => void;
}

interface Probed {
  misses: number;
  packets: number;
  /** Its neighbour entry was set to be probed in the last round. */
  wasAsked: boolean;
  rounds: number;
}

/**
 * The setting `gateways.probeIntervalMs`: asks routers in use by the kernel's own ARP and neighbour discovery (unicast,
 * `nud probe`). A frame counts like an answer, so routers that carry traffic are not asked. What does not answer three
 * times is dead; from then on its addresses are asked for by broadcast or multicast, so that another router that has
 * one shows itself.
 */
export class RouterProbes {
  readonly #options: RouterProbesOptions;
  /** `device MAC` -> what is known. */
  readonly #probed = new Map<string, Probed>();

  constructor(options: RouterProbesOptions) {
    this.#options = options;
  }

  /** One round; call it once each interval. */
  async round(): Promise<void> {
    const { routing } = this.#options;
    const targets = (await this.#options.targets()).filter(({ addresses }) => addresses.length > 0);
    const names = new Set(targets.map(({ device, mac }) => `${device} ${mac}`));
    for (const name of this.#probed.keys()) if (!names.has(name)) this.#probed.delete(name);
    if (targets.length === 0) return;
    const neighbours = await routing.neighbours();
    await routing.ask(targets.flatMap((target) => this.#look(target, neighbours)));
  }

  /** Judges the last round, and says what to ask now. */
  #look(target: ProbeTarget, all: readonly IpNeighbour[]): NeighbourQuestion[] {
    const { device, mac, addresses, packets } = target;
    const name = `${device} ${mac}`;
    const probed = this.#probed.get(name) ?? { misses: 0, packets, wasAsked: false, rounds: 0 };
    const own = all.filter(({ dev, dst }) => dev === device && addresses.includes(dst));
    const open = addresses.filter((address) => own.every((known) => known.dst !== address || mayBeAsked(known)));
    const hasSent = packets > probed.packets;
    const hasAnswered =
      probed.wasAsked && own.some(({ lladdr, state }) => lladdr === mac && state.includes('REACHABLE'));
    const isAlive = hasSent || hasAnswered;
    const misses = isAlive || !probed.wasAsked ? 0 : probed.misses + 1;
    const rounds = probed.rounds + 1;
    this.#probed.set(name, { misses, packets, wasAsked: !hasSent, rounds });
    if (target.isDead) {
      if (isAlive) this.#options.onAlive(device, mac, hasSent ? 'frame' : 'answer');
      return rounds % DEAD_EACH === 0 ? open.flatMap((address) => lookFor(device, address)) : [];
    }
    if (misses >= MISSES) {
      this.#options.onDead(device, mac);
      return open.flatMap((address) => lookFor(device, address));
    }
    if (hasSent) return [];
    const known = own.find((neighbour) => neighbour.lladdr === mac && isUsable(neighbour) && mayBeAsked(neighbour));
    // The kernel has forgotten it: it is asked for by broadcast.
    if (known === undefined) return open.slice(0, 1).map((address) => resolveQuestion(device, address));
    // From the state "probe" to itself is no change, so nothing would be sent.
    return (['stale', 'probe'] as const).map((state) => stateQuestion(device, known, state));
  }
}

/** Forgets who has the address, and asks by broadcast or multicast: whoever has it answers. */
function lookFor(device: string, address: string): NeighbourQuestion[] {
  return [stateQuestion(device, { dst: address }, 'failed'), resolveQuestion(device, address)];
}
