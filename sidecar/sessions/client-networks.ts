import type { ClientNetwork, ClientNetworkChange } from '../../rules/index.js';
import { networkKey } from '../../rules/index.js';

/**
 * Which client networks there are, by counting who has them. The same address passes from an old session to a new one in
 * any order of messages, so it goes only when its last owner let go.
 */
export class ClientNetworks {
  readonly #owners = new Map<string, { network: ClientNetwork; readonly owners: Set<string> }>();

  /** One entry a network. */
  *list(): IterableIterator<ClientNetwork> {
    for (const { network } of this.#owners.values()) yield network;
  }

  get(key: string): ClientNetwork | null {
    return this.#owners.get(key)?.network ?? null;
  }

  get size(): number {
    return this.#owners.size;
  }

  /**
   * @param owner unique for a session, for example `server epoch cid`
   * @returns a change when this is the first owner, or the network leads to another device than before
   */
  add(owner: string, network: ClientNetwork): ClientNetworkChange | null {
    const entry = this.#owners.get(networkKey(network));
    if (entry === undefined) {
      this.#owners.set(networkKey(network), { network, owners: new Set([owner]) });
      return { op: 'add', network };
    }
    entry.owners.add(owner);
    if (entry.network.device === network.device) return null;
    entry.network = network;
    return { op: 'add', network };
  }

  /** @returns a change when this was the last owner; null too when it was no owner */
  remove(owner: string, key: string): ClientNetworkChange | null {
    const entry = this.#owners.get(key);
    if (entry === undefined || !entry.owners.delete(owner) || entry.owners.size > 0) return null;
    this.#owners.delete(key);
    return { op: 'remove', network: entry.network };
  }
}
