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

/** What `--help` says of `--watch`. */
export const WATCH_HELP =
  'show it again whenever it changes, until q or a signal; not on a terminal: one after another';

/** One command that shows a part of the status document. */
interface StatusCommand {
  readonly name: 'status' | 'clients' | 'gateways';
  readonly canWatch: boolean;
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
    canWatch: false,
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
    canWatch: true,
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
    canWatch: true,
    description: 'List the gateways that replies are sent to, by MAC address.',
    pick: (document) => document.gateways,
    view: (document, options) => gatewaysView(document.gateways, document.uplink, options),
    exitCode: () => 0,
  });
}

function define(command: Command, { io, finish }: CommandContext, shown: StatusCommand): void {
  const { name, description, canWatch } = shown;
  addSettingFlags(command.description(description), { takes: ['controlSocket'] }).option('--json', 'print JSON');
  if (canWatch) command.option('--watch', WATCH_HELP);
  const examples = [`gwmark ${name}`, `gwmark ${name} --json`, ...(canWatch ? [`gwmark ${name} --watch`] : [])];
  command.addHelpText('after', `${examplesHelp(examples)}${exitCodesHelp(name)}`).action(async () => {
    const { json, watch }: Readonly<Record<string, unknown>> = command.opts();
    const work = watch === true ? watchStatus : showStatus;
    finish(await work(shown, configInputOf(command, io), json === true, io));
  });
}

/** Asks the sidecar and prints the answer. */
async function showStatus(shown: StatusCommand, input: ConfigInput, asJson: boolean, io: CliIo): Promise<ExitCode> {
  const document = await fetchStatus(await readControlSocket(input));
  io.stdout.write(textOf(shown, document, asJson, io));
  return shown.exitCode(document);
}

async function watchStatus(shown: StatusCommand, input: ConfigInput, asJson: boolean, io: CliIo): Promise<ExitCode> {
  const socket = await readControlSocket(input);
  const { watchFrames, followLive } = await import('./watch.js');
  await watchFrames(io, asJson, async function* frames(signal) {
    let [text, key] = ['', ''];
    for await (const live of followLive(socket, signal)) {
      if (live.kind === 'look') {
        text = textOf(shown, live.look.document, asJson, io);
        key = asJson ? text : shown.view(live.look.document, { hasColours: false, nowMs: 0 });
      }
      yield { text, key, fault: live.kind === 'lost' ? live.reason : null };
    }
  });
  return 0;
}

function textOf(shown: StatusCommand, document: StatusDocument, asJson: boolean, io: CliIo): string {
  return asJson
    ? `${JSON.stringify(shown.pick(document), undefined, 2)}\n`
    : shown.view(document, { hasColours: hasColours(io.stdout, io.env), nowMs: io.now() });
}
