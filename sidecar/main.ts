/** The process of `gwmark`: the only file with an effect on import. It connects the command line and the daemon. */
import { runProcess } from './cli/process.js';

await runProcess({
  // Loaded on demand: `gwmark status` needs neither the firewall nor the management client.
  runDaemon: async (settings, logger, signal, reloads) =>
    (await import('./daemon/run.js')).runDaemon(settings, logger, signal, reloads),
  bringDown: async (settings, logger) => (await import('./daemon/down.js')).bringDown(settings, logger),
  openFlows: async (settings) => (await import('./flows/open-flows.js')).openFlows(settings),
  diagnose: async (options) => (await import('./doctor/diagnose.js')).diagnose(options),
  serveWeb: async (options, onListening, signal) =>
    (await import('./web/web-server.js')).serveWeb(options, onListening, signal),
  trace: async (settings, query) => (await import('./trace/run.js')).traceFlow(settings, query),
});
