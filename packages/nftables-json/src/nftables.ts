import type { Command } from './command.js';
import type { Family, NftObject } from './objects.js';

/**
 * What a listing covers. Objects come in the order of libnftables: tables, then sets, maps and counters, then chains,
 * then rules.
 */
export type Selector =
  | { readonly ruleset: null | { readonly family: Family } }
  | { readonly tables: null | { readonly family: Family } }
  | { readonly table: { readonly family: Family; readonly name: string } }
  | { readonly chains: null | { readonly family: Family } }
  | { readonly chain: { readonly family: Family; readonly table: string; readonly name: string } }
  | { readonly sets: null | { readonly family: Family } }
  | { readonly set: { readonly family: Family; readonly table: string; readonly name: string } }
  | { readonly maps: null | { readonly family: Family } }
  | { readonly map: { readonly family: Family; readonly table: string; readonly name: string } }
  | { readonly counter: { readonly family: Family; readonly table: string; readonly name: string } };

/** A set or map by its name. */
export interface SetReference {
  readonly family: Family;
  readonly table: string;
  readonly name: string;
}

/** The features of this nft. Probed once per instance, by trying; never by version number. */
export interface Features {
  /** As nft prints it, for example `1.0.6`. */
  readonly version: string;
  /** `destroy` is known; otherwise it is emulated by `add` and `delete` in the same transaction. */
  readonly destroy: boolean;
  /**
   * The set flag `dynamic` is known in JSON. If it is not (1.0.6), it is left out of a set that has the flag
   * `timeout`, which rules can fill anyway, and refused (EOPNOTSUPP) for any other set.
   */
  readonly jsonDynamicFlag: boolean;
}

export interface RunResult {
  /** Time from the start of the transaction to its end, without the time in the queue. */
  readonly durationMs: number;
}

export interface RunOptions {
  /**
   * Withdraws a call that waits in the queue. A transaction that has begun is never cut short: its outcome is
   * reported.
   */
  readonly signal?: AbortSignal;
}

export interface ListOptions extends RunOptions {
  /**
   * Omits the elements of sets and maps, so that the cost does not grow with them.
   */
  readonly terse?: boolean;
}

/**
 * The nftables of one network namespace: the one in which the instance was opened.
 *
 * Calls are served strictly one at a time, in the order of the calls. Every rejection is an NftError, or the reason of
 * an aborted signal.
 */
export interface Nftables extends AsyncDisposable {
  /** How changes reach the kernel. */
  readonly executor: 'library' | 'process' | 'fake';

  /**
   * Applies all commands atomically. On rejection nothing has changed, unless the code is TIMEOUT or the message says
   * that the outcome is unknown. An empty list does nothing.
   */
  run(commands: readonly Command[], options?: RunOptions): Promise<RunResult>;

  /** As `run`, up to the point where it would take effect. */
  check(commands: readonly Command[], options?: RunOptions): Promise<void>;

  /**
   * Reads objects. One that is named and does not exist rejects with ENOENT. Never restore from a listing: it is not
   * lossless.
   */
  list(selector: Selector, options?: ListOptions): Promise<readonly NftObject[]>;

  /**
   * Whether a set or map has any element, without reading what they are: some microseconds for one that rules fill, and
   * no wait for a thread. Takes time in proportion to its size; a spawned program lists it. Rejects with ENOENT if it
   * does not exist.
   */
  hasElements(set: SetReference): Promise<boolean>;

  /**
   * The ruleset's generation, a 32-bit number: each transaction of any program raises it, elements that rules add do
   * not. Two equal numbers mean that nothing was changed in between; some microseconds, whatever is installed.
   * undefined: the executor cannot read it, compare listings.
   */
  generation(): Promise<number | undefined>;

  /** Probes at the first call; later calls answer from memory. */
  features(): Promise<Features>;

  /** Waits for the calls under way, then frees everything. Idempotent. Later calls reject with UNAVAILABLE. */
  [Symbol.asyncDispose](): Promise<void>;
}
