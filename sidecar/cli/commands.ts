import type { Reloads } from '../config/reload.js';
import type { Settings } from '../config/settings.js';
import type { FlowSource } from '../flows/flow.js';
import type { Finding } from '../doctor/finding.js';
import type { SystemOptions } from '../doctor/system.js';
import type { Logger } from '../log/logger.js';
import type { Trace, TraceQuery } from '../trace/trace.js';
import type { WebServerOptions } from '../web/web-server.js';

/** What the command line starts and does not do itself. */
export interface Commands {
  /** Runs until the signal is aborted, then drains and resolves; traffic continues. Rejects if it cannot start. */
  runDaemon(settings: Settings, logger: Logger, signal: AbortSignal, reloads: Reloads): Promise<void>;
  /** Removes everything of gwmark from the kernel; resolves with what was removed, one object per line. */
  bringDown(settings: Settings, logger: Logger): Promise<{ readonly removed: readonly string[] }>;
  /**
   * Finds out where the flows of this network namespace are to be read. Rejects with a GwmarkError if there are
   * none.
   */
  openFlows(settings: Settings): Promise<FlowSource>;
  /** Checks everything that a working endpoint needs; changes nothing. */
  diagnose(options: SystemOptions): Promise<readonly Finding[]>;
  /**
   * Serves the page until the signal is aborted. Calls `onListening` once browsers can open it. Rejects with a
   * GwmarkError if it cannot listen.
   */
  serveWeb(options: WebServerOptions, onListening: () => void, signal: AbortSignal): Promise<void>;
  /** Explains whether answers of a flow go to the router's MAC address; changes nothing. */
  trace(settings: Settings, query: TraceQuery): Promise<Trace>;
}
