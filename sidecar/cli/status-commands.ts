import type { Command } from 'commander';

import type { ConfigInput } from '../config/load.js';
import { fetchStatus } from '../control/client.js';
import type { ExitCode } from '../errors.js';
import type { StatusDocument } from '../status.js';
import type { CommandContext } from './command.js';
import { readControlSocket } from './configuration.js';
import { examplesHelp, exitCodesHelp } from './help.js';
import { type CliIo, hasColours } from './io.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';
import { clientsAndNetworksView, gatewaysView, statusView, type ViewOptions } from './status-views.js';

/** One command that shows a part of the status document. */
interface StatusCommand {
  readonly name: 'status' | 'clients' | 'gateways';
  readonly description: string;
  /** What `--json` prints. */
  readonly pick: (document: StatusDocument) => unknown;
  /** What a terminal shows. */
  readonly view: (document: StatusDocument, options: ViewOptions) => string;
  readonly exitCode: (document: StatusDocument) => ExitCode;
}

/** `gwmark status` */
export function defineStatus(command: Command, context: CommandContext): void {
  define(command, context, {
    name: 'status',
    description:
      'Show servers, counts and problems of the running sidecar. Exits with 0 if it is ready, otherwise with 1.',
    pick: (document) => document,
    view: statusView,
    exitCode: (document) => (document.ready ? 0 : 1),
  });
}

/** `gwmark clients` */
export function defineClients(command: Command, context: CommandContext): void {
  define(command, context, {
    name: 'clients',
    description: 'List the connected clients and their addresses.',
    pick: (document) => document.clients,
    view: clientsAndNetworksView,
    exitCode: () => 0,
  });
}

/** `gwmark gateways` */
export function defineGateways(command: Command, context: CommandContext): void {
  define(command, context, {
    name: 'gateways',
    description: 'List the gateways that replies are sent to, by MAC address.',
    pick: (document) => document.gateways,
    view: (document, options) => gatewaysView(document.gateways, document.uplink, options),
    exitCode: () => 0,
  });
}

function define(command: Command, { io, finish }: CommandContext, shown: StatusCommand): void {
  const { name, description } = shown;
  addSettingFlags(command.description(description), { takes: ['controlSocket'] })
    .option('--json', 'print JSON')
    .addHelpText('after', `${examplesHelp([`gwmark ${name}`, `gwmark ${name} --json`])}${exitCodesHelp(name)}`)
    .action(async () =>
      finish(await showStatus(shown, configInputOf(command, io), command.opts()['json'] === true, io)),
    );
}

/** Asks the sidecar and prints the answer. */
async function showStatus(shown: StatusCommand, input: ConfigInput, asJson: boolean, io: CliIo): Promise<ExitCode> {
  const document = await fetchStatus(await readControlSocket(input));
  const text = asJson
    ? `${JSON.stringify(shown.pick(document), undefined, 2)}\n`
    : shown.view(document, { hasColours: hasColours(io.stdout, io.env), nowMs: io.now() });
  io.stdout.write(text);
  return shown.exitCode(document);
}
