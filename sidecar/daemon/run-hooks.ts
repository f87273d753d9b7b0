import type { Pass } from '../kernel/reconciler.js';

/** The notifications for a caller of `Daemon.run`. */
export interface RunHooks {
  /** The start is over: every server was heard of or tried without success, and the kernel has what is wanted. Called once. */
  readonly onStarted?: () => void;
  /** The kernel was checked, at least several times a minute: the status may have changed. */
  readonly onLooked?: () => void;
  /** A pass of the reconciler succeeded or failed. */
  readonly onPass?: (pass: Pass) => void;
}
