import type { Transport } from '../../rules/index.js';
import type { ConfiguredEndpoint, Settings } from '../config/settings.js';
import type { Logger } from '../log/logger.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import type { Holds } from '../sessions/holds.js';

/** What an `Instance` is made of: one endpoint of the settings, and the daemon around it. */
export interface InstanceOptions {
  readonly endpoint: ConfiguredEndpoint;
  readonly settings: Settings;
  readonly clients: ClientNetworks;
  /** Clients that are kept out. */
  readonly holds: Holds;
  readonly logger: Logger;
  /** A client network came, went or moved. */
  readonly onClientChanged: (key: string) => void;
  /**
   * Tunnel device or transports may have changed: read the devices and call `resolve`. Resolves when that was done.
   */
  readonly onServerChanged: () => Promise<void>;
  /**
   * Transports that an earlier run left in the kernel, and that are not another server's than the one of this name.
   */
  readonly earlierTransports: (server: string) => readonly Transport[];
  /** Resolves when the kernel has everything that is wanted now: `hold` is released after that. */
  readonly whenApplied: () => Promise<void>;
}
