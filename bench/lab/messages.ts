/** Whose way of doing it is measured. */
export type Side = 'gwmark' | 'spawned-nft';

/** An address that a subject under measurement brought into the kernel, or out of it. */
export interface AppliedChange {
  readonly op: 'add' | 'delete';
  readonly address: string;
  /** When the kernel had it, see `monotonicUs`. */
  readonly atUs: number;
}

/** What a subject tells the driver that started it. */
export type SubjectMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'applied'; readonly changes: readonly AppliedChange[] };

/** What a driver is to measure in its network namespace. */
export type Task =
  | {
      readonly kind: 'connect';
      readonly side: Side;
      readonly connects: number;
      readonly warmUp: number;
      readonly paceMs: number;
    }
  | {
      readonly kind: 'storm';
      readonly side: Side;
      readonly clients: number;
      /** The event loop is watched, by the real-time scheduler; what watches takes memory and time. */
      readonly isWatched: boolean;
    }
  | {
      readonly kind: 'change';
      readonly side: Side;
      readonly sizes: readonly number[];
      readonly samples: number;
      readonly paceMs: number;
    }
  | WatchTask;

/** Clients are connected while people look at the status. */
export interface WatchTask {
  readonly kind: 'watch';
  readonly side: 'gwmark';
  readonly clients: number;
  readonly viewers: number;
  /** How long each state is measured. */
  readonly seconds: number;
}

export interface ConnectResult {
  readonly latenciesUs: readonly number[];
}

export interface StormResult {
  readonly seconds: number;
  /** VmHWM before the storm and after it. */
  readonly idleMb: number;
  readonly peakMb: number;
  /** Changes of the ruleset that the storm took, as far as they were seen. */
  readonly transactions: number;
  /** How long the process's event loop was away at most, until the kernel had all; NaN if it was not watched. */
  readonly longestTurnMs: number;
}

export interface ChangeResult {
  /** One client coming and going, added up, at each size. */
  readonly latenciesUs: readonly (readonly number[])[];
}

/** Percent of one core that the sidecar takes. */
export interface WatchResult {
  readonly unwatchedPercent: number;
  readonly watchedPercent: number;
  readonly polledPercent: number;
}

interface Results {
  readonly connect: ConnectResult;
  readonly storm: StormResult;
  readonly change: ChangeResult;
  readonly watch: WatchResult;
}

export type ResultOf<T extends Task> = Results[T['kind']];

export type Result = Results[keyof Results];

/** What a driver is started with. */
export interface DriverRequest {
  readonly task: Task;
  readonly profileDirectory: string | null;
}

export type DriverReply =
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'failed'; readonly message: string };
