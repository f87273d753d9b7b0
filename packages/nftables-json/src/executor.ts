import type { ElementChange } from './element-change.js';
import type { SetReference } from './nftables.js';

/** The options of one exchange with nftables. */
export interface ExecutionMode {
  /** Check only, without effect. */
  readonly check: boolean;
  /** Omit elements of sets and maps in listings. */
  readonly terse: boolean;
}

export interface ExecutionResult {
  readonly ok: boolean;
  /** JSON of a listing, or empty. */
  readonly output: string;
  /** Messages of nftables, or empty. */
  readonly errors: string;
}

/**
 * An interface to nftables: JSON text in, JSON text and messages out.
 *
 * The caller never has two executions under way. An execution rejects only if there was no answer at all (NftError
 * UNAVAILABLE, TIMEOUT, OVERFLOW); what nftables refuses is a result with `ok: false`.
 */
export interface Executor extends AsyncDisposable {
  readonly kind: 'library' | 'process';
  execute(input: string, mode: ExecutionMode): Promise<ExecutionResult>;
  /**
   * A shorter way for changes of single addresses, atomic as well. False if nothing was applied and `execute` is to do
   * it; fails only if the outcome is unknown, or there was no answer at all. Not a promise if it was done at once.
   */
  applyElements(changes: readonly ElementChange[]): boolean | Promise<boolean>;
  /** Of a set or map; undefined if only a listing can say it, for whatever reason. */
  hasElements(set: SetReference): boolean | undefined;
  /** Of the ruleset; undefined if it cannot be read. */
  generation(): number | undefined;
}

/** Bounds of both executors. */
export interface ExecutorLimits {
  /** 1.. ms for one exchange. */
  readonly timeoutMs: number;
  /** Most bytes of one listing. */
  readonly maxOutputBytes: number;
}
