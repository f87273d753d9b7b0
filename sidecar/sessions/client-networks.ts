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

interface Owner {
  readonly device: string;
  readonly identity: OwnerIdentity;
}

/**
 * The set of client networks, by counting their owners. The same address passes from an old session to a new one
 * in any order of messages, so it goes only when its last owner let go.
 */
export class ClientNetworks {
  readonly #options: ClientNetworksOptions;
  /** By network; owners with the device that each means, the latest last. */
  readonly #entries = new Map<string, { network: ClientNetwork; readonly owners: Map<string, Owner> }>();

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

  get size(): number {
    return this.#entries.size;
  }

  /**
   * @param owner unique for a session, for example `server epoch cid`
   * @returns the key of the network when this is the first owner, or the network leads to another device than before;
   * else null
   */
  add(owner: string, network: ClientNetwork, identity: OwnerIdentity = null): string | null {
    const key = networkKey(network);
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      const others = this.#options.former?.taken(network, nameOf(identity)) ?? [];
      if (others.length > 0) this.#options.onHandedOver?.(others);
      this.#entries.set(key, { network, owners: new Map([[owner, { device: network.device, identity }]]) });
      return key;
    }
    const before = latest(entry.owners);
    const isKnownOwner = entry.owners.delete(owner);
    entry.owners.set(owner, { device: network.device, identity });
    if (!isKnownOwner && before !== undefined && !isSame(before.identity, identity))
      this.#options.onHandedOver?.([network]);
    return leadTo(entry, network.device) ? key : null;
  }

  /**
   * @param isAwaited its connections are kept in case it comes back; else they end now
   * @returns the key when this was the last owner, or those who stay mean another device; else null, also when it was
   * no owner
   */
  remove(owner: string, key: string, { isAwaited = true } = {}): string | null {
    const entry = this.#entries.get(key);
    const before = entry === undefined ? undefined : latest(entry.owners);
    const identity = entry?.owners.get(owner)?.identity;
    if (entry === undefined || before === undefined || identity === undefined) return null;
    entry.owners.delete(owner);
    const now = latest(entry.owners);
    if (now !== undefined) {
      if (!isSame(before.identity, now.identity)) this.#options.onHandedOver?.([entry.network]);
      return leadTo(entry, now.device) ? key : null;
    }
    this.#entries.delete(key);
    const name = nameOf(identity);
    if (name !== null && isAwaited) this.#options.former?.left(entry.network, name);
    return key;
  }
}

function latest(owners: ReadonlyMap<string, Owner>): Owner | undefined {
  return [...owners.values()].at(-1);
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
