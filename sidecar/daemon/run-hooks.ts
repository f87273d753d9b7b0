import type { Pass } from '../kernel/reconciler.js';

/** What a caller of `Daemon.run` may be told. */
export interface RunHooks {
  /** The start is over: every server was heard of or tried without success, and the kernel has what is wanted. Called once. */
  readonly onStarted?: () => void;
  /** The kernel was looked at, some times a minute at least: the status may have changed. */
  readonly onLooked?: () => void;
  /** A pass that brought the kernel to what is wanted is over, or was refused. */
  readonly onPass?: (pass: Pass) => void;
}
