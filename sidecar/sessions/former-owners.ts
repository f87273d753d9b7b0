import type { ClientNetwork } from '../../rules/index.js';
import { contains, isHost, networkKey } from '../../rules/index.js';

export interface FormerOwnersOptions {
  /** Milliseconds for which a network is kept for its last owner. */
  readonly holdMs: number;
  /** The largest number of networks; beyond it, the oldest is released. */
  readonly max: number;
  /** Connections of these networks have no owner any more. Called once for each. */
  readonly onGivenUp: (networks: readonly ClientNetwork[]) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

interface Held {
  readonly network: ClientNetwork;
  readonly identity: string;
  readonly untilMs: number;
}

/** Networks that expire in the same second are released together: a deletion reads the whole conntrack table. */
const TOGETHER_MS = 1000;

/**
 * Who had a client network last, for as long as it may come back: its connections stay in connection tracking then,
 * and with them the routers that they came through.
 */
export class FormerOwners implements Disposable {
  readonly #options: FormerOwnersOptions;
  readonly #now: () => number;
  /** By network, in the order of leaving. */
  readonly #held = new Map<string, Held>();
  #subnets = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: FormerOwnersOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Whether the network waits for its owner. */
  holds(key: string): boolean {
    return this.#held.has(key);
  }

  /** Networks that wait. */
  get size(): number {
    return this.#held.size;
  }

  /** The last owner of a network left. @param identity by which it is known again */
  left(network: ClientNetwork, identity: string): void {
    this.#take(networkKey(network));
    this.#held.set(networkKey(network), { network, identity, untilMs: this.#now() + this.#options.holdMs });
    if (!isHost(network)) this.#subnets += 1;
    const [oldest] = this.#held.keys();
    if (this.#held.size > this.#options.max && oldest !== undefined) {
      const given = this.#take(oldest);
      if (given !== undefined) this.#options.onGivenUp([given.network]);
    }
    this.#schedule();
  }

  /**
   * A client has the network now.
   *
   * @param identity null: not known
   * @returns what others had of it, whose connections it must not inherit
   */
  taken(network: ClientNetwork, identity: string | null): readonly ClientNetwork[] {
    if (this.#held.size === 0) return [];
    const same = this.#take(networkKey(network));
    const others = [...(same === undefined ? [] : [same]), ...this.#takeOverlapping(network, identity)];
    return others.filter((held) => held.identity !== identity).map((held) => held.network);
  }

  /** Releases everything. */
  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#giveUp(Infinity);
  }

  /** Subnets are few, and only they can hold another network or lie in one that is no subnet of theirs. */
  #takeOverlapping(network: ClientNetwork, identity: string | null): readonly Held[] {
    if (this.#held.size === 0 || (isHost(network) && this.#subnets === 0)) return [];
    const found = [...this.#held].filter(
      ([, held]) => held.identity !== identity && (contains(held.network, network) || contains(network, held.network)),
    );
    for (const [key] of found) this.#take(key);
    return found.map(([, held]) => held);
  }

  #take(key: string): Held | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    this.#held.delete(key);
    if (!isHost(held.network)) this.#subnets -= 1;
    return held;
  }

  #giveUp(untilMs: number): void {
    const given: ClientNetwork[] = [];
    for (const [key, held] of this.#held) {
      if (held.untilMs > untilMs) break;
      this.#take(key);
      given.push(held.network);
    }
    if (given.length > 0) this.#options.onGivenUp(given);
  }

  #schedule(): void {
    const [first] = this.#held.values();
    if (this.#timer !== null || first === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#giveUp(this.#now() + TOGETHER_MS);
        this.#schedule();
      },
      Math.max(0, first.untilMs - this.#now()),
    );
    this.#timer.unref();
  }
}
