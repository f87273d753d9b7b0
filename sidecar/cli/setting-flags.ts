import { type Command, Option } from 'commander';

import { CONFIG_ENV, DEFAULT_CONFIG_FILE } from '../config/file-name.js';
import type { ConfigInput } from '../config/load.js';
import { showValue } from '../config/problem.js';
import { type Setting, SETTINGS, settingOf, type SettingPath } from '../config/table.js';
import type { CliIo } from './io.js';

/** The settings that people set; `--help` leaves the others to `--help --all`. */
export const COMMON_SETTINGS = [
  'management.endpoints',
  'management.passwordFile',
  'transport',
  'networks',
  'uplink',
  'devices',
  'authorize',
  'controlSocket',
  'metrics.listen',
  'log.level',
] as const satisfies readonly SettingPath[];

/** The heading of what `--help` shows. */
const SHOWN_HEADING = 'Settings:';
/** Headings of `--help --all` by the first part of a path; settings without a dot are in the last group. */
const HEADINGS: Readonly<Record<string, string>> = {
  management: "OpenVPN's management interface:",
  mark: 'Marks:',
  routing: 'Routing:',
  gateways: 'Gateways:',
  metrics: 'Metrics:',
  log: 'Log:',
};
const PLAIN_HEADING = 'Behaviour:';

/** Which settings a command has flags for. */
export interface SettingFlags {
  /** Default: all of them. */
  readonly takes?: readonly SettingPath[];
  /** Which of them `--help` shows, in this order. Default: those of {@link COMMON_SETTINGS}. */
  readonly shows?: readonly SettingPath[];
}

/** All settings under headings, as `--help --all` and the reference show them: first those of {@link COMMON_SETTINGS}. */
export function settingGroups(): readonly { readonly title: string; readonly settings: readonly Setting[] }[] {
  const groups = new Map<string, Setting[]>([['Most used', COMMON_SETTINGS.map((path) => settingOf(path))]]);
  const common = new Set<SettingPath>(COMMON_SETTINGS);
  for (const setting of SETTINGS.filter(({ path }) => !common.has(path))) {
    const title = headingOf(setting.path).replace(/:$/, '');
    groups.set(title, [...(groups.get(title) ?? []), setting]);
  }
  return [...groups].map(([title, settings]) => ({ title, settings }));
}

/** Adds `--config`, a flag for each of the settings, and `--all`, by which `--help` shows those that it hides. */
export function addSettingFlags(command: Command, flags: SettingFlags = {}): Command {
  const takes = flags.takes ?? SETTINGS.map(({ path }) => path);
  const shown = (flags.shows ?? COMMON_SETTINGS).filter((path) => takes.includes(path));
  const hidden = takes.filter((path) => !shown.includes(path));
  command.addOption(
    new Option(
      '-c, --config <file>',
      `YAML file of settings [default: ${DEFAULT_CONFIG_FILE} if it exists] [env: ${CONFIG_ENV}]`,
    ).helpGroup(SHOWN_HEADING),
  );
  const options = [...shown, ...hidden].map((path) => {
    const setting = settingOf(path);
    const isHidden = hidden.includes(path);
    const option = optionOf(setting)
      .helpGroup(isHidden ? headingOf(path) : SHOWN_HEADING)
      .hideHelp(isHidden);
    option.description = hidden.length > 0 ? shortDescription(setting) : fullDescription(setting);
    command.addOption(option);
    return { setting, option };
  });
  if (hidden.length === 0) return command;
  command.option('--all', `with --help: show all ${takes.length} settings, their whole meaning and their variables`);
  // Flags are parsed before help is written.
  command.on('option:all', () => {
    for (const { setting, option } of options) {
      option.hideHelp(false);
      option.description = fullDescription(setting);
    }
  });
  return command.hook('preAction', () => {
    if (command.opts()['all'] === true) command.error('error: --all goes with --help');
  });
}

/** What `loadConfig` reads, from the flags that a command got and from the process. */
export function configInputOf(command: Command, io: CliIo): ConfigInput {
  const options: Readonly<Record<string, unknown>> = command.opts();
  const flags = new Map<SettingPath, string | readonly string[]>();
  for (const setting of SETTINGS) {
    const value = options[optionOf(setting).attributeName()];
    // Flags have text or, where they repeat, lists of text: optionOf has no other parser and no defaults.
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
  const { flag, isList, isSwitch } = setting;
  const value = isSwitch ? ' [boolean]' : isList ? ' <list>' : ` <${placeholder(setting)}>`;
  const option = new Option(`${flag}${value}`);
  if (isSwitch) return option.preset('true');
  if (!isList) return option;
  return option.argParser((text: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), text]);
}

function fullDescription(setting: Setting): string {
  return `${plainText(setting.doc)} [default: ${defaultText(setting)}] [env: ${setting.env}]`;
}

/** The first sentence alone. */
function shortDescription(setting: Setting): string {
  const [sentence = ''] = setting.doc.split(/(?<=\.)\s/, 1);
  return `${plainText(sentence)} [default: ${defaultText(setting)}]`;
}

/** Without the marks of Markdown. */
function plainText(doc: string): string {
  return doc.replaceAll('`', '');
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
