import { formatNetwork } from '../../rules/index.js';
import type { Surroundings } from '../sessions/surroundings.js';
import { TunnelNetworks, type TunnelNetworksOptions } from '../sessions/tunnel-networks.js';
import type { PeerStatus, SourceStatus } from '../status.js';
import type { DumpedPeer } from './dump.js';

/** One peer, and the networks that are held for it. */
interface Held {
  peer: DumpedPeer;
  isConnected: boolean;
  /** Since when, if it is connected. */
  since: Date;
  readonly networks: TunnelNetworks;
}

/** Around the peers at one reading. */
export interface PeerQuestion {
  /** Null while there is no tunnel: nobody is connected then. */
  readonly device: string | null;
  readonly surroundings: Surroundings;
  /** A peer is connected that long after its last handshake; 0: always. */
  readonly handshakeTimeoutMs: number;
  readonly now: Date;
}

/**
 * The peers of one WireGuard interface: which of them are connected, and their allowed IPs as networks of the tunnel. No
 * I/O and no clock. WireGuard gives an allowed IP to one peer at a time, so the order in which peers change is theirs:
 * first those that lose networks.
 */
export class Peers {
  readonly #options: Omit<TunnelNetworksOptions, 'server'> & { readonly source: string };
  readonly #held = new Map<string, Held>();
  #readAt = new Date(0);

  constructor(options: Omit<TunnelNetworksOptions, 'server'> & { readonly source: string }) {
    this.#options = options;
  }

  /** How many are connected. */
  get count(): number {
    let count = 0;
    for (const { isConnected } of this.#held.values()) if (isConnected) count += 1;
    return count;
  }

  /** Canonical text of each network in force. */
  get networks(): string[] {
    return [...this.#held.values()].flatMap(({ networks }) => [...networks.list()]);
  }

  /** See {@link TunnelNetworks.refused}. */
  get refused(): NonNullable<SourceStatus['refused']> {
    return [...this.#held.values()].flatMap(({ networks }) => networks.refused);
  }

  /** See {@link TunnelNetworks.shared}. */
  get shared(): NonNullable<SourceStatus['shared']> {
    return [...this.#held.values()].flatMap(({ networks }) => networks.shared());
  }

  /** Takes what was read, all of it; whoever is missing is gone. Idempotent. */
  set(peers: readonly DumpedPeer[], question: PeerQuestion): void {
    const { device, surroundings } = question;
    this.#readAt = question.now;
    const read = new Map(peers.map((peer) => [peer.publicKey, peer]));
    for (const [publicKey, held] of this.#held) {
      if (read.has(publicKey)) continue;
      held.networks.set(null, [], surroundings);
      this.#held.delete(publicKey);
      if (held.isConnected) this.#options.logger.info('peer.gone', { peer: publicKey, reason: 'removed' });
    }
    const changes = peers.map((peer) => ({
      held: this.#heldOf(peer),
      peer,
      isConnected: countsAsConnected(peer, question),
    }));
    for (const { held, peer, isConnected } of changes) {
      held.peer = peer;
      const wasConnected = held.isConnected;
      held.isConnected = isConnected;
      const { publicKey, endpoint } = peer;
      if (isConnected && !wasConnected) held.since = question.now;
      if (isConnected && !wasConnected)
        this.#options.logger.info('peer.connected', { peer: publicKey, realAddress: endpoint });
      if (wasConnected && !isConnected)
        this.#options.logger.info('peer.gone', {
          peer: publicKey,
          reason: device === null ? 'no device' : 'no handshake',
        });
    }
    // An allowed IP that moves to another peer is let go first.
    for (const { held, peer } of changes) held.networks.keepOnly(held.isConnected ? peer.allowedIps : []);
    for (const { held, peer } of changes) {
      held.networks.set(held.isConnected ? device : null, peer.allowedIps, surroundings);
      held.networks.logShared();
    }
  }

  /** Every peer, connected or not, in WireGuard's order. */
  status(source: string): PeerStatus[] {
    return [...this.#held.values()].map(({ peer, isConnected, since, networks }) => ({
      source,
      name: peer.publicKey,
      isConnected,
      since: isConnected ? since.toISOString() : null,
      realAddress: peer.endpoint,
      addresses: peer.allowedIps.map(formatNetwork),
      lastHandshake: peer.lastHandshake === 0 ? null : new Date(peer.lastHandshake * 1000).toISOString(),
      ...(networks.refused.length === 0 ? {} : { refused: networks.refused }),
      traffic: { received: peer.received, sent: peer.sent, at: this.#readAt.toISOString() },
    }));
  }

  #heldOf(peer: DumpedPeer): Held {
    const known = this.#held.get(peer.publicKey);
    if (known !== undefined) return known;
    const { source, ...options } = this.#options;
    const networks = new TunnelNetworks({
      ...options,
      logger: options.logger.child({ peer: peer.publicKey }),
      server: `${source} ${peer.publicKey}`,
    });
    const held: Held = { peer, isConnected: false, since: this.#readAt, networks };
    this.#held.set(peer.publicKey, held);
    return held;
  }
}

function countsAsConnected({ lastHandshake }: DumpedPeer, { device, handshakeTimeoutMs, now }: PeerQuestion): boolean {
  if (device === null) return false;
  if (handshakeTimeoutMs === 0) return true;
  return lastHandshake > 0 && now.getTime() - lastHandshake * 1000 <= handshakeTimeoutMs;
}
