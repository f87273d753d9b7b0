import type { ClientNetwork } from '../../rules/index.js';
import { networkKey } from '../../rules/index.js';
import type { FormerOwners } from './former-owners.js';

export interface ClientNetworksOptions {
  /** Learns who left a network, and knows who had it before. */
  readonly former?: Pick<FormerOwners, 'left' | 'taken'>;
  /** Networks passed to another program, whose connections must not be inherited. */
  readonly onHandedOver?: (networks: readonly ClientNetwork[]) => void;
}

/**
 * Whom an owner stands for: text that is the same when he comes back; null: not known, so never the same; `adopted`:
 * whoever an earlier run knew.
 */
export type OwnerIdentity = { readonly name: string } | null | 'adopted';

/** Who holds a network: unique text, or an object that stands for itself. */
export type Holder = string | object;

interface Owner {
  readonly holder: Holder;
  readonly device: string;
  readonly identity: OwnerIdentity;
}

/**
 * The set of client networks, by counting their owners. The same address passes from an old session to a new one
 * in any order of messages, so it goes only when its last owner let go.
 */
export class ClientNetworks {
  readonly #options: ClientNetworksOptions;
  /** By network; nearly all have one owner, which an array holds in the least memory. The latest is last. */
  readonly #entries = new Map<string, { network: ClientNetwork; owners: readonly Owner[] }>();

  constructor(options: ClientNetworksOptions = {}) {
    this.#options = options;
  }

  /** One entry per network. */
  *list(): IterableIterator<ClientNetwork> {
    for (const { network } of this.#entries.values()) yield network;
  }

  get(key: string): ClientNetwork | null {
    return this.#entries.get(key)?.network ?? null;
  }

  /** The tunnel device of each owner, the latest last; where an earlier run had it does not count. */
  devicesOf(key: string): readonly string[] {
    const owners = this.#entries.get(key)?.owners ?? [];
    return owners.filter(({ identity }) => identity !== 'adopted').map(({ device }) => device);
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * @returns the key of the network when this is the first owner, or the network leads to another device than before;
   * else null
   */
  add(holder: Holder, network: ClientNetwork, identity: OwnerIdentity = null): string | null {
    const key = networkKey(network);
    const owner: Owner = { holder, device: network.device, identity };
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      const others = this.#options.former?.taken(network, nameOf(identity)) ?? [];
      if (others.length > 0) this.#options.onHandedOver?.(others);
      this.#entries.set(key, { network, owners: [owner] });
      return key;
    }
    const before = entry.owners.at(-1);
    const others = without(entry.owners, holder);
    const isKnown = others.length < entry.owners.length;
    entry.owners = [...others, owner];
    if (!isKnown && before !== undefined && !isSame(before.identity, identity))
      this.#options.onHandedOver?.([network]);
    return leadTo(entry, network.device) ? key : null;
  }

  /**
   * @param isAwaited its connections are kept in case it comes back; else they end now
   * @returns the key when this was the last owner, or those who stay mean another device; else null, also when it was
   * no owner
   */
  remove(holder: Holder, key: string, { isAwaited = true } = {}): string | null {
    const entry = this.#entries.get(key);
    const owner = entry?.owners.find((each) => each.holder === holder);
    if (entry === undefined || owner === undefined) return null;
    const before = entry.owners.at(-1);
    entry.owners = without(entry.owners, holder);
    const now = entry.owners.at(-1);
    if (now !== undefined) {
      if (before !== undefined && !isSame(before.identity, now.identity))
        this.#options.onHandedOver?.([entry.network]);
      return leadTo(entry, now.device) ? key : null;
    }
    this.#entries.delete(key);
    const name = nameOf(owner.identity);
    if (name !== null && isAwaited) this.#options.former?.left(entry.network, name);
    return key;
  }
}

function without(owners: readonly Owner[], holder: Holder): readonly Owner[] {
  return owners.filter((owner) => owner.holder !== holder);
}

function nameOf(identity: OwnerIdentity): string | null {
  return identity === null || identity === 'adopted' ? null : identity.name;
}

/** Whoever an earlier run had served is taken for the one whom this run finds there: a restart ends no connection. */
function isSame(before: OwnerIdentity, now: OwnerIdentity): boolean {
  if (before === 'adopted' || now === 'adopted') return true;
  const name = nameOf(before);
  return name !== null && name === nameOf(now);
}

/** True if the network led to another device before. */
function leadTo(entry: { network: ClientNetwork }, device: string): boolean {
  if (entry.network.device === device) return false;
  entry.network = { ...entry.network, device };
  return true;
}
