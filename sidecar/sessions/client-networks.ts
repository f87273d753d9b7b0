import type { ClientNetwork, ClientNetworkChange } from '../../rules/index.js';
import { networkKey } from '../../rules/index.js';

/**
 * Which client networks there are, by counting who has them. The same address passes from an old session to a new one in
 * any order of messages, so it goes only when its last owner let go.
 */
export class ClientNetworks {
  /** By network; owners with the device that each means, the latest last. */
  readonly #owners = new Map<string, { network: ClientNetwork; readonly owners: Map<string, string> }>();

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
      this.#owners.set(networkKey(network), { network, owners: new Map([[owner, network.device]]) });
      return { op: 'add', network };
    }
    entry.owners.delete(owner);
    entry.owners.set(owner, network.device);
    return leadTo(entry, network.device);
  }

  /** @returns a change when this was the last owner, or those who stay mean another device; null too when it was no owner */
  remove(owner: string, key: string): ClientNetworkChange | null {
    const entry = this.#owners.get(key);
    if (entry === undefined || !entry.owners.delete(owner)) return null;
    const device = [...entry.owners.values()].at(-1);
    if (device !== undefined) return leadTo(entry, device);
    this.#owners.delete(key);
    return { op: 'remove', network: entry.network };
  }
}

function leadTo(entry: { network: ClientNetwork }, device: string): ClientNetworkChange | null {
  if (entry.network.device === device) return null;
  entry.network = { ...entry.network, device };
  return { op: 'add', network: entry.network };
}
