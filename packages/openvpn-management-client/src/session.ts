import { capabilitiesOf, type Capabilities, type DaemonVersion } from './capabilities.js';
import type { ExecuteOptions } from './command-queue.js';
import { CommandSet } from './command-set.js';
import type { Command } from './command.js';
import type { ClientKey } from './ids.js';

/** The part of a client that a session needs. */
export interface SessionOptions {
  readonly version: DaemonVersion;
  readonly epoch: number;
  readonly signal: AbortSignal;
  readonly isHeld: () => boolean;
  readonly descriptor: () => number | undefined;
  readonly execute: <T>(command: Command<T>, options?: ExecuteOptions, key?: ClientKey) => Promise<T>;
}

/** One connection of a {@link ManagementClient} to the daemon. Its commands never run on a later connection. */
export class Session extends CommandSet {
  /** The daemon's version, asked for before anything else. */
  readonly daemon: DaemonVersion;
  /** The epoch in which this connection began. It grows with a restart inside the daemon: see the client's. */
  readonly epoch: number;
  /** Aborted when the connection ends, with the cause as its reason. */
  readonly closeSignal: AbortSignal;
  readonly #capabilities: Capabilities;
  readonly #options: SessionOptions;

  constructor(options: SessionOptions) {
    super();
    this.daemon = options.version;
    this.epoch = options.epoch;
    this.closeSignal = options.signal;
    this.#capabilities = capabilitiesOf(options.version);
    this.#options = options;
  }

  override get capabilities(): Capabilities {
    return this.#capabilities;
  }

  /** True while the daemon waits for `hold release`. */
  get isHeld(): boolean {
    return this.#options.isHeld();
  }

  /** The file descriptor of its socket, see {@link Connection.descriptor}. */
  get descriptor(): number | undefined {
    return this.closeSignal.aborted ? undefined : this.#options.descriptor();
  }

  override async execute<T>(command: Command<T>, options?: ExecuteOptions, key?: ClientKey): Promise<T> {
    return this.#options.execute(command, options, key);
  }
}
