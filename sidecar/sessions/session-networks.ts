import type { ClientAddress } from 'openvpn-management-client';
import type { ClientNetwork, Link, Tunnel } from '../../rules/index.js';
import { isHost, networkKey } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks, OwnerIdentity } from './client-networks.js';
import type { Session, SessionChange } from './session-table.js';
import { NO_SURROUNDINGS, type Surroundings, refusal, surroundingsOf } from './surroundings.js';

/** A client network that gwmark refused, and why. */
export interface RefusedNetwork {
  /** Canonical form, with a prefix length unless it is one address. */
  readonly network: string;
  readonly reason: string;
}

/** A session, with what it has by `address/prefixLength`. */
interface Held {
  readonly session: Session;
  readonly addresses: Map<string, ClientAddress>;
  /** The refused networks, with the reason; null until there is one. */
  refused: Map<string, string> | null;
  /** It was kicked: nothing of it is served. */
  isWithheld: boolean;
}

const NO_REFUSALS: readonly RefusedNetwork[] = [];

export interface SessionNetworksOptions {
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
  /** The tunnel may not be known yet. */
  readonly #held = new Map<Session, Held>();
  #device: string | null = null;
  #surroundings = NO_SURROUNDINGS;

  constructor(options: SessionNetworksOptions) {
    this.#options = options;
  }

  /** As {@link setDevice}, with what is around a tunnel. */
  setTunnel(tunnel: Tunnel | null, links: readonly Link[]): void {
    this.setDevice(tunnel?.device ?? null, surroundingsOf(links, tunnel));
  }

  /**
   * The tunnel device that leads to every client of this server; null while there is none. What would take over other
   * traffic around it is refused, and served as soon as it does not any more.
   */
  setDevice(device: string | null, surroundings: Surroundings = NO_SURROUNDINGS): void {
    const before = this.#device;
    if (device === before && JSON.stringify(surroundings) === JSON.stringify(this.#surroundings)) return;
    this.#device = device;
    this.#surroundings = surroundings;
    for (const [session, held] of this.#held) {
      for (const address of held.addresses.values()) {
        const wasServed = before !== null && !held.isWithheld && held.refused?.has(address.cidr) !== true;
        if (device !== null && !held.isWithheld && this.#isTaken(held, address))
          this.#note(this.#options.clients.add(session, { ...address, device }, identityOf(session)));
        else if (wasServed)
          this.#note(this.#options.clients.remove(session, networkKey({ ...address, device: before })));
      }
    }
  }

  /**
   * Stops serving a session for good, whatever addresses it still gets: it was kicked. Nobody waits for its
   * connections. Idempotent.
   */
  withhold(session: Session): void {
    const { logger, clients } = this.#options;
    const held = this.#heldOf(session);
    if (held.isWithheld) return;
    held.isWithheld = true;
    for (const address of held.addresses.values()) {
      if (held.refused?.has(address.cidr) === true) continue;
      if (this.#device !== null)
        this.#note(
          clients.remove(session, networkKey({ ...address, device: this.#device }), {
            isAwaited: false,
          }),
        );
      logger.info('client.address', { ...describe(session), network: format(address), change: 'removed' });
    }
  }

  /** Whether {@link withhold} was called for it. */
  isWithheld(session: Session): boolean {
    return this.#held.get(session)?.isWithheld === true;
  }

  /** The refused networks of a session, in the order in which they came. */
  refusedOf(session: Session): readonly RefusedNetwork[] {
    const held = this.#held.get(session);
    if (held === undefined || held.refused === null) return NO_REFUSALS;
    return [...held.refused].flatMap(([cidr, reason]) => {
      const address = held.addresses.get(cidr);
      return address === undefined ? [] : [{ network: format(address), reason }];
    });
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
        this.#held.delete(session);
        this.#options.logger.info('client.gone', { ...describe(session), reason: change.why });
        return;
      default:
        change satisfies never;
    }
  }

  #add(session: Session, address: ClientAddress): void {
    const { logger, clients } = this.#options;
    const held = this.#heldOf(session);
    held.addresses.set(address.cidr, address);
    if (held.isWithheld) return;
    // Without a device, the check waits until there is one.
    if (this.#device !== null && !this.#isTaken(held, address)) return;
    if (this.#device !== null)
      this.#note(clients.add(session, { ...address, device: this.#device }, identityOf(session)));
    logger.info('client.address', { ...describe(session), network: format(address), change: 'added' });
  }

  #remove(session: Session, address: ClientAddress): void {
    const { logger, clients } = this.#options;
    const held = this.#held.get(session);
    if (
      held?.addresses.delete(address.cidr) !== true ||
      held.refused?.delete(address.cidr) === true ||
      held.isWithheld
    )
      return;
    if (this.#device !== null) this.#note(clients.remove(session, networkKey({ ...address, device: this.#device })));
    logger.info('client.address', { ...describe(session), network: format(address), change: 'removed' });
  }

  /** Checks against the current surroundings; logs a new reason. */
  #isTaken(held: Held, address: ClientAddress): boolean {
    const reason = refusal(address, this.#surroundings);
    if (reason === null) {
      held.refused?.delete(address.cidr);
      return true;
    }
    if (held.refused?.get(address.cidr) !== reason)
      this.#options.logger.warn('client.refused_route', {
        ...describe(held.session),
        network: format(address),
        reason,
      });
    held.refused ??= new Map<string, string>();
    held.refused.set(address.cidr, reason);
    return false;
  }

  #heldOf(session: Session): Held {
    const known = this.#held.get(session);
    if (known !== undefined) return known;
    const held: Held = { session, addresses: new Map(), refused: null, isWithheld: false };
    this.#held.set(session, held);
    return held;
  }

  #note(key: string | null): void {
    if (key !== null) this.#options.onChanged(key);
  }
}

/**
 * OpenVPN says UNDEF of a client without a certificate whose user name is not its common name
 * (`username-as-common-name`).
 */
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
