import type { Transport, Tunnel } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import type { Devices } from '../discovery/devices.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import type { PeerStatus, SourceStatus } from '../status.js';

/** What the daemon has of VPNs of one program, or of several: OpenVPN's, and all together. */
export interface Followed extends AsyncDisposable {
  /** Devices that are up, in order. */
  readonly tunnels: readonly Tunnel[];
  /** The sockets of the VPNs' own packets. */
  readonly transports: readonly Transport[];
  /** Of each it is known now who is connected: what an earlier run left need not be kept for it. */
  readonly areHeardOf: boolean;
  /** Why traffic is not carried, one sentence each. */
  readonly problems: readonly string[];
  /** How many clients and peers are connected. */
  readonly clientCount: number;
  /** Whether those on this device have addresses of their own, which may be announced on a link. */
  servesClients(device: string): boolean;
  /** Resolves when each was heard of, or tried without success. */
  settled(): Promise<void>;
  /** Finds tunnels and transports again. Idempotent. */
  resolve(devices: Devices): Promise<void>;
  /** Follows until disposal; never resolves, and rejects only for a fault of our own. Call it once. */
  follow(): Promise<never>;
  /** Puts changed settings into force: what is not named any more is left, and its networks go. */
  reconfigure(settings: Settings): Promise<void>;
}

/**
 * One VPN that is not OpenVPN: a device, and who is behind it. An implementation is a folder beside this one; it holds
 * the networks that its tunnel leads to in `clients`, by `TunnelNetworks`, and everything after that is the same for
 * all VPNs.
 */
export interface VpnSource extends AsyncDisposable {
  /** `tunnel tun5`: unique, in problems and in the log. */
  readonly name: string;
  /** Null while its device is not up. */
  readonly tunnel: Tunnel | null;
  readonly transports: readonly Transport[];
  /** See {@link Followed.servesClients}. */
  readonly servesClients: boolean;
  /** See {@link Followed.areHeardOf}. */
  readonly isHeardOf: boolean;
  /** Resolves when it was heard of, or tried without success. */
  readonly settled: Promise<void>;
  /** Why it is not served, in a sentence; null when it is. */
  readonly problem: string | null;
  /** Peers that are connected. */
  readonly peerCount: number;
  /** Finds its device, and brings the networks to what is known. Idempotent. */
  resolve(devices: Devices): Promise<void>;
  /** Follows it until disposal; rejects only for a fault of our own. Call it once at most. */
  run(): Promise<void>;
  /** Changed settings, which still have it. */
  reconfigure(settings: Settings): void;
  /** It is not ours any more: its networks go. Follows disposal. */
  retire(): void;
  /** Its entries in the status document. */
  status(): { readonly source: SourceStatus; readonly peers: readonly PeerStatus[] };
}

/** What a source is given. */
export interface SourceSurroundings {
  /** What holds the networks of all VPNs. */
  readonly clients: ClientNetworks;
  /** A network came, went, or leads to another device: its key. */
  readonly onClientChanged: (key: string) => void;
  /** Devices have to be read, and `resolve` called. */
  readonly onChanged: () => Promise<void>;
  readonly logger: Logger;
}

/** A source that the settings name, and how it is made. */
export interface NamedSource {
  /** As {@link VpnSource.name}. */
  readonly name: string;
  readonly create: (surroundings: SourceSurroundings, settings: Settings) => VpnSource;
}

/** One kind of VPN: what the settings name of it, in their order. */
export type SourceKind = (settings: Settings) => readonly NamedSource[];
