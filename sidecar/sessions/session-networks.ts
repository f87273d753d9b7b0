import type { ClientAddress } from 'openvpn-management-client';
import type { ClientNetwork, ClientNetworkChange } from '../../rules/index.js';
import { isHost, networkKey } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks, OwnerIdentity } from './client-networks.js';
import type { Session, SessionChange } from './session-table.js';

export interface SessionNetworksOptions {
  /** Name of the server, unique among those that share `clients`. */
  readonly server: string;
  readonly clients: ClientNetworks;
  readonly logger: Logger;
  readonly onChanged: (key: string) => void;
}

/**
 * From the sessions of one server to client networks: holds each network for its sessions, on the tunnel device of the
 * moment, and logs who came and went.
 */
export class SessionNetworks {
  readonly #options: SessionNetworksOptions;
  /** What each session holds, by owner; the tunnel may not be known yet. */
  readonly #held = new Map<string, { readonly identity: OwnerIdentity; readonly addresses: Map<string, ClientAddress> }>();
  #device: string | null = null;

  constructor(options: SessionNetworksOptions) {
    this.#options = options;
  }

  /** The tunnel device that leads to every client of this server; null while there is none. */
  setDevice(device: string | null): void {
    if (device === this.#device) return;
    const before = this.#device;
    this.#device = device;
    for (const [owner, { identity, addresses }] of this.#held) {
      for (const address of addresses.values()) {
        if (device !== null) this.#note(this.#options.clients.add(owner, { ...address, device }, identity));
        else if (before !== null) this.#note(this.#options.clients.remove(owner, networkKey({ ...address, device: before })));
      }
    }
  }

  apply(change: SessionChange): void {
    const { session } = change;
    switch (change.kind) {
      case 'connected':
        this.#options.logger.info('client.connected', { ...describe(session), realAddress: session.realAddress });
        return;
      case 'address-added':
        this.#add(session, change.address);
        return;
      case 'address-removed':
        this.#remove(session, change.address);
        return;
      case 'gone':
        this.#held.delete(this.#ownerOf(session));
        this.#options.logger.info('client.gone', { ...describe(session), reason: change.why });
        return;
      default:
        change satisfies never;
    }
  }

  #add(session: Session, address: ClientAddress): void {
    const { logger, clients } = this.#options;
    if (address.prefixLength === 0) {
      // It would take every packet of the endpoint that main has no narrower route for, OpenVPN's own among them.
      logger.warn('client.refused_route', { ...describe(session), network: address.cidr, reason: 'a default route behind a client' });
      return;
    }
    const owner = this.#ownerOf(session);
    const identity = identityOf(session);
    const addresses = this.#held.get(owner)?.addresses ?? new Map<string, ClientAddress>();
    this.#held.set(owner, { identity, addresses });
    addresses.set(address.cidr, address);
    if (this.#device !== null) this.#note(clients.add(owner, { ...address, device: this.#device }, identity));
    logger.info('client.address', { ...describe(session), network: format(address), change: 'added' });
  }

  #remove(session: Session, address: ClientAddress): void {
    const { logger, clients } = this.#options;
    const owner = this.#ownerOf(session);
    if (this.#held.get(owner)?.addresses.delete(address.cidr) !== true) return;
    if (this.#device !== null) this.#note(clients.remove(owner, networkKey({ ...address, device: this.#device })));
    logger.info('client.address', { ...describe(session), network: format(address), change: 'removed' });
  }

  #note(change: ClientNetworkChange | null): void {
    if (change !== null) this.#options.onChanged(networkKey(change.network));
  }

  #ownerOf({ epoch, cid }: Session): string {
    return `${this.#options.server} ${epoch} ${cid}`;
  }
}

/** OpenVPN says UNDEF of a client without a certificate whose user name is not its common name (`username-as-common-name`). */
function identityOf({ commonName }: Session): OwnerIdentity {
  return commonName === '' || commonName === 'UNDEF' ? null : { name: commonName };
}

function describe({ cid, epoch, commonName }: Session): { cid: string; epoch: number; commonName: string } {
  return { cid, epoch, commonName };
}

function format(address: ClientAddress): string {
  const network: ClientNetwork = { ...address, device: '' };
  return isHost(network) ? address.address : address.cidr;
}
