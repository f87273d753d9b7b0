import type { RunOptions } from './iptables.js';
import type { Family } from './table.js';

export type SetType = 'hash:ip' | 'hash:mac' | 'hash:net';

/** A set as it is created. */
export interface SetSpec {
  /** At most 30 bytes. */
  readonly name: string;
  readonly type: SetType;
  /** Of the addresses; default 4. A set of MAC addresses has none. */
  readonly family?: Family;
  /**
   * Elements expire, after this many seconds if they do not say otherwise; 0..2147483, 0 = never. Default: no
   * element ever can.
   */
  readonly timeoutSeconds?: number;
  /** Default 65536, as ipset has it. */
  readonly maxElements?: number;
  /** Elements can have a packet mark, for the target `SET --map-set NAME src --map-mark` (table mangle). */
  readonly hasMarks?: boolean;
}

/**
 * `value`: an address, an address with prefix length, or a MAC address, in the form in which ipset lists it (lower
 * case).
 */
export interface SetElement {
  readonly value: string;
  /** 0..2147483, 0 = never; only in a set that has a timeout. */
  readonly timeoutSeconds?: number;
  /** Only in a set that has marks. The bits outside the mask (default all 32) stay as the packet has them. */
  readonly mark?: { readonly value: number; readonly mask?: number };
}

/**
 * One change of sets. Those of one `run` go into `ipset restore` in their order, as one stream where that can be.
 * `put` and `discard` are `add` and `delete` for which an element that already exists, or does not, is nothing to
 * mind; `put` also renews the timeout and the mark.
 */
export type SetCommand =
  | { readonly create: SetSpec }
  /** Creates if there is no set of that name; EEXIST if there is one of another type. */
  | { readonly ensure: SetSpec }
  /** ENOENT; EBUSY while a rule refers to it. */
  | { readonly destroy: { readonly name: string } }
  | { readonly flush: { readonly name: string } }
  /** Exchanges the contents of two sets of one type and family in one step: rules continue with the new one. */
  | { readonly swap: { readonly name: string; readonly with: string } }
  | { readonly add: SetElements }
  | { readonly put: SetElements }
  | { readonly delete: SetValues }
  | { readonly discard: SetValues };

export interface SetElements {
  readonly name: string;
  readonly elements: readonly SetElement[];
}

export interface SetValues {
  readonly name: string;
  readonly values: readonly string[];
}

/** A set as `ipset save` lists it, of any type. */
export interface ListedSet {
  readonly name: string;
  /** As ipset prints it: `hash:ip`, `bitmap:port`. */
  readonly type: string;
  readonly family?: Family;
  readonly timeoutSeconds?: number;
  readonly maxElements?: number;
  readonly hasMarks: boolean;
  readonly elements: readonly SetElement[];
}

/**
 * The sets of one network namespace, which rules of iptables refer to by `-m set --match-set NAME src`.
 *
 * Calls are served strictly one at a time, in the order of the calls. Every rejection is an IptablesError, or the
 * reason of an aborted signal.
 */
export interface Ipset extends AsyncDisposable {
  /** As ipset prints it, for example `7.17`. */
  readonly version: string;

  /**
   * Applies commands. Not atomic, as ipset is not: of a rejected call, what came before `index` was applied, and
   * nothing after it. What is malformed is refused before anything is applied (EINVAL). Only `replace` is all or
   * nothing.
   */
  run(commands: readonly SetCommand[], options?: RunOptions): Promise<void>;

  /**
   * Gives a set exactly these elements in one step, by a second set and `swap`; creates it if it is missing. Rules
   * that refer to it never see it half full. All or nothing.
   */
  replace(spec: SetSpec, elements: readonly SetElement[], options?: RunOptions): Promise<void>;

  /** One set by name (ENOENT), or all. Elements are in no order; times are what is left of them. */
  list(name?: string, options?: RunOptions): Promise<readonly ListedSet[]>;

  /** Waits for the calls under way. The sets stay. Idempotent. Later calls reject with UNAVAILABLE. */
  [Symbol.asyncDispose](): Promise<void>;
}
