import type { Count, RuleCounters } from './firewall.js';

/** The names of the counting chains in one packet filter. */
export interface CountingChains {
  /** What the names of the chains that learn begin with, one per gateway: `learn_` or `learn-`. */
  readonly learn: string;
  /** The same of the chains that return: `return_` or `return-`. */
  readonly return: string;
  /** Counts frames of VPN flows whose source MAC is no known gateway. */
  readonly unknownMac: string;
  /** Counts answers of a tunnel in flows that have no gateway. */
  readonly noGateway: string;
}

/** Adds up what chains counted: by gateway and direction, and by the reason why packets took the normal route. */
export class ChainCounters {
  readonly #names: CountingChains;
  readonly #reasons: ReadonlyMap<string, string>;
  readonly #received = new Map<number, Count>();
  readonly #sent = new Map<number, Count>();
  readonly #fallThrough = new Map<string, Count>();

  constructor(names: CountingChains) {
    this.#names = names;
    this.#reasons = new Map([
      [names.unknownMac, 'learn_unknown_mac'],
      [names.noGateway, 'return_no_gateway'],
    ]);
  }

  /** The sums so far. */
  get sums(): RuleCounters {
    return { received: this.#received, sent: this.#sent, fallThrough: this.#fallThrough };
  }

  /** Adds the counters of a chain's rules; ignores chains with other names. */
  add(chain: string, counts: readonly Count[]): void {
    const learntAs = idOfChain(this.#names.learn, chain);
    const returnedTo = idOfChain(this.#names.return, chain);
    const reason = this.#reasons.get(chain);
    if (learntAs !== null) addTo(this.#received, learntAs, counts);
    else if (returnedTo !== null) addTo(this.#sent, returnedTo, counts);
    else if (reason !== undefined) addTo(this.#fallThrough, reason, counts);
  }
}

/** 7 of `learn_7`, where `learn_` is the prefix; null for any other name. */
export function idOfChain(prefix: string, chain: string): number | null {
  const digits = chain.startsWith(prefix) ? chain.slice(prefix.length) : '';
  return /^\d{1,3}$/.test(digits) ? Number(digits) : null;
}

function addTo<Key>(sums: Map<Key, Count>, key: Key, counts: readonly Count[]): void {
  let { packets, bytes } = sums.get(key) ?? { packets: 0, bytes: 0 };
  for (const count of counts) {
    packets += count.packets;
    bytes += count.bytes;
  }
  sums.set(key, { packets, bytes });
}
