import type { Command } from './command.js';
import type { Flavour } from './flavour.js';
import type { TableRef } from './iptables-error.js';
import type { Family, ListedTable } from './table.js';

export interface RunOptions {
  /** Withdraws a call that waits in the queue. A call that has begun completes, and its outcome is reported. */
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** Time from the start of the call to its end, without the time in the queue. */
  readonly durationMs: number;
  /** The tables that were written, without those that already had everything. */
  readonly changed: readonly TableRef[];
}

/**
 * The iptables of one network namespace, the one in which the instance was opened: one flavour, one or two families.
 *
 * Calls are served strictly one at a time, in the order of the calls. Every rejection is an IptablesError, or the
 * reason of an aborted signal.
 */
export interface Iptables extends AsyncDisposable {
  readonly flavour: Flavour;
  /** As the program prints it, for example `1.8.9`. */
  readonly version: string;
  readonly families: readonly Family[];
  /** The prefix of our chains' names. */
  readonly prefix: string;

  /**
   * Applies commands: all those of one table and family atomically. Where commands are of several tables or families,
   * each is tried first and then applied in the order in which it is first named; an error tells in `applied` which
   * had been applied by then. An empty list does nothing.
   */
  run(commands: readonly Command[], options?: RunOptions): Promise<RunResult>;

  /** As `run`, up to the point where it would take effect. What only the kernel can refuse, it does not find. */
  check(commands: readonly Command[], options?: RunOptions): Promise<void>;

  /** Reads one table, with counters; a missing one is a table of empty chains. */
  list(table: TableRef, options?: RunOptions): Promise<ListedTable>;

  /**
   * Removes every chain of ours from every table of the families, and every rule that leads to one. Returns what it
   * removed: `IPv4 mangle VPN-in`.
   */
  sweep(options?: RunOptions): Promise<readonly string[]>;

  /** Waits for the calls under way. What is installed stays. Idempotent. Later calls reject with UNAVAILABLE. */
  [Symbol.asyncDispose](): Promise<void>;
}
