import type { Command } from 'commander';

import type { ConfigInput } from '../config/load.js';
import type { SettingPath } from '../config/table.js';
import { describeElsewhere, findSidecar, type FoundSidecar } from '../control/sidecar-here.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import type { CommandContext } from './command.js';
import type { Commands } from './commands.js';
import { openLogger, readConfiguration } from './configuration.js';
import { environmentHelp, examplesHelp, exitCodesHelp } from './help.js';
import type { CliIo } from './io.js';
import { requireNetAdmin } from './privilege.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';

/** The settings by which `down` finds rules, routes and a running sidecar. */
const SETTINGS_OF_DOWN = [
  'table',
  'mark.mask',
  'routing.protocol',
  'routing.tableBase',
  'routing.priority',
  'routing.fallbackPriority',
  'controlSocket',
  'log.level',
] as const satisfies readonly SettingPath[];

/** `gwmark down` */
export function defineDown(command: Command, { io, commands, finish }: CommandContext): void {
  command.description(
    'Remove everything that gwmark installed in the kernel: table, rules, routes, neighbours; restore changed sysctls.\nUses the same settings as "run" to find it. Stop the sidecar first. Needs CAP_NET_ADMIN.',
  );
  addSettingFlags(command, { shows: SETTINGS_OF_DOWN })
    .option('--json', 'print {removed: [...]}')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark down', 'gwmark down --config /etc/gwmark/gwmark.yaml'])}${environmentHelp()}${exitCodesHelp('down')}`,
    )
    .action(async () => finish(await down(configInputOf(command, io), command.opts()['json'] === true, io, commands)));
}

/** Refuses while a sidecar of this network namespace is at work, which would restore everything. */
async function down(input: ConfigInput, asJson: boolean, io: CliIo, commands: Commands): Promise<ExitCode> {
  const config = await readConfiguration(input, { endpoints: false });
  requireNetAdmin('down', await io.readProcStatus());
  await refuseWhileServed(config.settings.controlSocket, io);

  await using logger = await openLogger(config, io);
  const { removed } = await commands.bringDown(config.settings, logger);
  if (asJson) {
    io.stdout.write(`${JSON.stringify({ removed }, undefined, 2)}\n`);
  } else {
    io.stdout.write(
      removed.length === 0 ? 'nothing to remove\n' : removed.map((object) => `removed ${object}\n`).join(''),
    );
  }
  return 0;
}

/** A sidecar of another network namespace (its socket is in a shared directory) restores nothing here. */
async function refuseWhileServed(path: string, io: CliIo): Promise<void> {
  let found: FoundSidecar;
  try {
    found = await findSidecar(path);
  } catch (error) {
    // The program that answers is not a sidecar, so it would not restore the rules.
    if (error instanceof GwmarkError) return;
    throw error;
  }
  if (found.where === 'here')
    throw new GwmarkError(
      'CONTROL_IN_USE',
      `a sidecar is running on ${path} and would restore everything: stop it first`,
    );
  if (found.where === 'elsewhere')
    io.stderr.write(`gwmark: ${describeElsewhere(path, found.networkNamespace)}: it is left alone\n`);
}
