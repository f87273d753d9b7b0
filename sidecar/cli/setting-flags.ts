import { type Command, Option } from 'commander';

import { type ConfigInput, DEFAULT_CONFIG_FILE } from '../config/load.js';
import { showValue } from '../config/problem.js';
import { CONFIG_ENV } from '../config/sources.js';
import { type Setting, SETTINGS, settingOf, type SettingPath } from '../config/table.js';
import type { CliIo } from './io.js';

/** Headings of `--help` by the first part of a path; settings without a dot stand in the last group. */
const HEADINGS: Readonly<Record<string, string>> = {
  management: "OpenVPN's management interface:",
  mark: 'Marks:',
  routing: 'Routing:',
  gateways: 'Gateways:',
  metrics: 'Metrics:',
  log: 'Log:',
};
const PLAIN_HEADING = 'Behaviour:';

/** Adds `--config` and a flag for each of the settings (default: all of them). */
export function addSettingFlags(
  command: Command,
  paths: readonly SettingPath[] = SETTINGS.map(({ path }) => path),
): Command {
  command.option(
    '-c, --config <file>',
    `YAML file of settings [default: ${DEFAULT_CONFIG_FILE} if it exists] [env: ${CONFIG_ENV}]`,
  );
  for (const path of paths) command.addOption(optionOf(settingOf(path)));
  return command;
}

/** What `loadConfig` reads, from the flags that a command got and from the process. */
export function configInputOf(command: Command, io: CliIo): ConfigInput {
  const options: Readonly<Record<string, unknown>> = command.opts();
  const flags = new Map<SettingPath, string | readonly string[]>();
  for (const setting of SETTINGS) {
    const value = options[optionOf(setting).attributeName()];
    // Flags bear text or, where they repeat, lists of text: optionOf has no other parser and no defaults.
    if (value !== undefined) flags.set(setting.path, value as string | readonly string[]);
  }
  const file = options['config'];
  return {
    flags,
    env: io.env,
    configFile: typeof file === 'string' ? file : undefined,
    workingDirectory: io.workingDirectory,
    defaultConfigFile: io.defaultConfigFile,
  };
}

function optionOf(setting: Setting): Option {
  const { flag, path, env, isList, isSwitch, doc } = setting;
  const value = isSwitch ? ' [boolean]' : isList ? ' <list>' : ` <${placeholder(setting)}>`;
  const description = `${doc.replaceAll('`', '')} [default: ${defaultText(setting)}] [env: ${env}]`;
  const option = new Option(`${flag}${value}`, description).helpGroup(headingOf(path));
  if (isSwitch) return option.preset('true');
  if (!isList) return option;
  return option.argParser((text: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), text]);
}

function placeholder({ type }: Setting): string {
  if (type.includes(' | ')) return type.replaceAll(' | ', '|');
  return type.startsWith('integer') ? 'n' : (type.split(' ').at(-1) ?? 'value').replace(/^\/.*/, 'prefix');
}

function defaultText(setting: Setting): string {
  const plain = setting.toPlain(setting.default);
  if (plain === null) return 'none';
  return Array.isArray(plain) ? 'empty' : showValue(plain);
}

function headingOf(path: SettingPath): string {
  const [group = '', member] = path.split('.');
  return member === undefined ? PLAIN_HEADING : (HEADINGS[group] ?? PLAIN_HEADING);
}
