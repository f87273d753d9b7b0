import { ControlServer } from '../../../sidecar/control/server.js';
import type { Logger } from '../../../sidecar/log/logger.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import type { StatusDocument } from '../../../sidecar/status.js';
import { READY } from './status-document.js';

/** The control socket of a sidecar that says what it is told to; the caller disposes of it. */
export function serveStatus(
  path: string,
  status: () => StatusDocument = () => READY,
  logger: Logger = captureLog().logger,
): Promise<ControlServer> {
  return ControlServer.open({ path, status, readiness: async () => status().problems, logger });
}
