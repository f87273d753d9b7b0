import { type ConfigInput, loadControlSocket } from '../config/load.js';
import { formatProblems } from '../config/problem.js';
import { fetchStatus } from '../control/client.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import type { StatusDocument } from '../status.js';
import { type CliIo, hasColours } from './io.js';
import { clientsAndNetworksView, gatewaysView, statusView, type ViewOptions } from './status-views.js';

/** One command that shows a part of the status document. */
export interface StatusCommand {
  /** What `--json` prints. */
  readonly pick: (document: StatusDocument) => unknown;
  /** What a terminal shows. */
  readonly view: (document: StatusDocument, options: ViewOptions) => string;
  readonly exitCode: (document: StatusDocument) => ExitCode;
}

/** The commands that only read the status. */
export const STATUS_COMMANDS = {
  status: { pick: (document) => document, view: statusView, exitCode: (document) => (document.ready ? 0 : 1) },
  clients: {
    pick: (document) => document.clients,
    view: (document, options) => clientsAndNetworksView(document, options),
    exitCode: () => 0,
  },
  gateways: {
    pick: (document) => document.gateways,
    view: (document, options) => gatewaysView(document.gateways, document.uplink, options),
    exitCode: () => 0,
  },
} as const satisfies Record<string, StatusCommand>;

/** Asks the sidecar and prints the answer. */
export async function showStatus(
  command: StatusCommand,
  input: ConfigInput,
  asJson: boolean,
  io: CliIo,
): Promise<ExitCode> {
  const socket = await loadControlSocket(input);
  if (!socket.ok) {
    throw new GwmarkError('CONFIG_INVALID', formatProblems(socket.problems), {
      context: { problems: socket.problems },
    });
  }
  const document = await fetchStatus(socket.path);
  const text = asJson
    ? `${JSON.stringify(command.pick(document), undefined, 2)}\n`
    : command.view(document, { hasColours: hasColours(io.stdout, io.env), nowMs: io.now() });
  io.stdout.write(text);
  return command.exitCode(document);
}
