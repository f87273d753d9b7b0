import type { Endpoint, Secret } from 'openvpn-management-client';

import type { ConfiguredEndpoint } from './endpoint.js';

import type { ConfiguredNetwork, ConfiguredSource, ConfiguredTransport, ConfiguredUplink } from './places.js';
import type { OpenVpnRole } from '../status.js';

export type { Endpoint as ManagementEndpoint } from 'openvpn-management-client';
export type { ConfiguredEndpoint } from './endpoint.js';
export type { ConfiguredNetwork, ConfiguredSource, ConfiguredTransport, ConfiguredUplink } from './places.js';

/**
 * The whole configuration of a sidecar, parsed, checked and deeply frozen.
 *
 * Ranges, defaults and the meaning of each setting stand in `table.ts`, and from there in
 * `docs/reference/settings.md`; here are only the notes that a reader of the values needs.
 */
export interface Settings {
  readonly management: {
    /** At least one for `run` and `check`; may be empty for `down`. No two are equal. */
    readonly endpoints: readonly ConfiguredEndpoint[];
    /** Of every endpoint that names none of its own: absolute path, or null for no password. */
    readonly passwordFile: string | null;
    /** What each password file held when the configuration was read, by absolute path. */
    readonly passwords: ReadonlyMap<string, Secret>;
    readonly connectTimeoutMs: number;
    readonly commandTimeoutMs: number;
    readonly snapshotIntervalMs: number;
    /** In place of `snapshotIntervalMs` while OpenVPN runs without `--management-client-auth`. */
    readonly pollIntervalMs: number;
    readonly backoffMinMs: number;
    /** Not less than `backoffMinMs`. */
    readonly backoffMaxMs: number;
    readonly role: 'auto' | OpenVpnRole;
  };
  /** Sockets of OpenVPN servers; empty: found by itself. */
  readonly transport: readonly ConfiguredTransport[];
  /** Networks behind OpenVPN clients; for every tunnel of one where `device` is null. */
  readonly networks: readonly ConfiguredNetwork[];
  /** Null: found by itself. */
  readonly uplink: ConfiguredUplink | null;
  readonly authorize: 'none' | 'accept';
  readonly hold: 'release' | 'leave';
  readonly datapath: 'auto' | 'nexthop' | 'module';
  /** Names of Ethernet devices; empty: every Ethernet device of the network namespace. */
  readonly devices: readonly string[];
  /** Name of the nftables table, family inet. */
  readonly table: string;
  readonly firewall: 'auto' | 'nftables' | 'iptables';
  readonly iptables: {
    readonly flavour: 'auto' | 'legacy' | 'nft';
  };
  readonly executor: 'auto' | 'library' | 'process';
  readonly mark: {
    /** Unsigned 32-bit; 2..8 contiguous bits. */
    readonly mask: number;
  };
  readonly routing: {
    readonly protocol: number;
    /** The tables `tableBase..tableBase + 300` are ours. */
    readonly tableBase: number;
    /** The priorities `priority..priority + 299` are ours. */
    readonly priority: number;
    /** The priorities `fallbackPriority..fallbackPriority + 15` are ours; after the main table. */
    readonly fallbackPriority: number;
    /** Canonical `address/24`, host bits zero. */
    readonly nexthop4: string;
    /** Canonical `address/length` with length 64..112, host bits zero. */
    readonly nexthop6: string;
    readonly rereadIntervalMs: number;
  };
  readonly gateways: {
    /** Gateway ids are 1..max; less than the largest number that `mark.mask` holds. */
    readonly max: number;
    readonly pollIntervalMs: number;
    readonly learnOnlink: boolean;
    readonly exclude: readonly ConfiguredSource[];
    readonly only: readonly ConfiguredSource[];
  };
  readonly sysctl: 'manage' | 'leave';
  readonly conntrack: 'flush' | 'keep';
  /** Absolute path. */
  readonly controlSocket: string;
  readonly metrics: {
    /** Null: metrics are not served. */
    readonly listen: Endpoint | null;
  };
  readonly log: {
    readonly level: 'error' | 'warn' | 'info' | 'debug';
    readonly format: 'auto' | 'json' | 'pretty';
  };
}
