import type { Command } from 'commander';

import { type ConfigInput, loadConfig } from '../config/load.js';
import { toPlainSettings } from '../config/settings.js';
import type { ExitCode } from '../errors.js';
import type { CommandContext } from './command.js';
import { changedSettings, validConfiguration } from './configuration.js';
import { environmentHelp, examplesHelp, exitCodesHelp } from './help.js';
import { type CliIo, hasColours } from './io.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';
import { formatTable } from './table.js';

/** `gwmark check` */
export function defineCheck(command: Command, { io, finish }: CommandContext): void {
  command.description(
    'Check the configuration that "run" would use, with the same flags, and list its errors. Changes nothing.',
  );
  addSettingFlags(command)
    .option('--json', 'print {ok, problems: [{path, source, value, expected}], settings}')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark check --config ./gwmark.yaml', 'gwmark check --json'])}${environmentHelp()}${exitCodesHelp('check')}`,
    )
    .action(async () => finish(await check(configInputOf(command, io), command.opts()['json'] === true, io)));
}

/** Reads everything that `run` reads. */
async function check(input: ConfigInput, asJson: boolean, io: CliIo): Promise<ExitCode> {
  const result = await loadConfig(input, { endpoints: true });
  if (asJson) {
    const settings = result.ok ? toPlainSettings(result.flat) : null;
    const problems = result.ok ? [] : result.problems;
    io.stdout.write(`${JSON.stringify({ ok: result.ok, problems, settings }, undefined, 2)}\n`);
    return result.ok ? 0 : 2;
  }

  const rows = changedSettings(validConfiguration(result)).map(({ path, value, source }) => [path, value, source]);
  io.stdout.write(`the configuration is valid; all other settings have their defaults\n\n`);
  io.stdout.write(formatTable(['SETTING', 'VALUE', 'SOURCE'], rows, hasColours(io.stdout, io.env)));
  return 0;
}
