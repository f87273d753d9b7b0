import { resolve } from 'node:path';

import { type ConfigProblem, formatSource, showValue } from './problem.js';
import { type Resolved, resolveSettings } from './resolve.js';
import type { Secret } from 'openvpn-management-client';
import { buildSettings, type Settings } from './settings.js';
import { CONFIG_ENV, DEFAULT_CONFIG_FILE } from './file-name.js';
import { envValues, flagValues, type Origins, type RawValues } from './sources.js';
import { type FlatSettings, settingOf, type SettingPath } from './table.js';
import { readText, type TextRead } from './text-file.js';

/** What there is to follow: one entry of one of them is needed. */
const VPN_LISTS = [
  'management.endpoints',
  'tunnels',
  'wireguard.interfaces',
] as const satisfies readonly SettingPath[];

const MAX_CONFIG_BYTES = 1024 * 1024;

/** All sources of settings. */
export interface ConfigInput {
  readonly flags: ReadonlyMap<SettingPath, string | readonly string[]>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The value of `--config`. It goes before GWMARK_CONFIG, and that before {@link DEFAULT_CONFIG_FILE}. */
  readonly configFile?: string | undefined;
  /** Absolute. */
  readonly workingDirectory: string;
  /** Replaces {@link DEFAULT_CONFIG_FILE} in tests. */
  readonly defaultConfigFile?: string | undefined;
}

export interface LoadedConfig {
  readonly ok: true;
  readonly settings: Settings;
  /** The same by path, for listings. */
  readonly flat: FlatSettings;
  readonly origins: Origins;
  /** Null if none was read. */
  readonly configFile: string | null;
}

export type ConfigResult = LoadedConfig | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/**
 * Reads the file, the environment, the flags and the password files, and returns frozen settings or all faults at once.
 *
 * @param needs `endpoints`: at least one OpenVPN, tunnel or WireGuard interface is asked for
 */
export async function loadConfig(input: ConfigInput, needs: { readonly endpoints: boolean }): Promise<ConfigResult> {
  const { resolved, problems: sourceProblems, configFile } = await readSources(input);
  const { passwords, problems: passwordProblems } = await readPasswords(resolved);
  const problems = [
    ...sourceProblems,
    ...resolved.problems,
    ...passwordProblems,
    // An unreadable file may name one.
    ...(needs.endpoints && sourceProblems.every((problem) => problem.path !== '') ? missingEndpoint(resolved) : []),
  ];
  if (problems.length > 0) return { ok: false, problems };

  const { flat, origins } = resolved;
  return { ok: true, settings: buildSettings(flat, passwords), flat, origins, configFile };
}

/**
 * Finds the control socket for commands that only read a running sidecar's status: errors of other settings do not matter
 * to them, nor does a default configuration file that this user may not read.
 */
export async function loadControlSocket(
  input: ConfigInput,
): Promise<
  { readonly ok: true; readonly path: string } | { readonly ok: false; readonly problems: readonly ConfigProblem[] }
> {
  const { resolved, problems, isDefaultFile } = await readSources(input);
  const relevant = [
    ...problems.filter((problem) => problem.path === '' && !isDefaultFile),
    ...resolved.problems.filter((problem) => problem.path === 'controlSocket'),
  ];
  return relevant.length > 0 ? { ok: false, problems: relevant } : { ok: true, path: resolved.flat.controlSocket };
}

interface ReadSources {
  readonly resolved: Resolved;
  /** Errors of the sources themselves: not readable, unknown names. */
  readonly problems: readonly ConfigProblem[];
  readonly configFile: string | null;
  readonly isDefaultFile: boolean;
}

async function readSources(input: ConfigInput): Promise<ReadSources> {
  const named = input.configFile ?? (input.env[CONFIG_ENV] || undefined);
  const file = resolve(input.workingDirectory, named ?? input.defaultConfigFile ?? DEFAULT_CONFIG_FILE);
  const text = await readText(file, MAX_CONFIG_BYTES);
  const isAbsent = named === undefined && 'code' in text && text.code === 'ENOENT';
  const isEmpty = 'text' in text && text.text === '';

  const fromFile = isAbsent || isEmpty ? { values: [], problems: [] } : await fileValues(text, file);
  const fromEnv = envValues(input.env);
  const fromFlags = flagValues(input.flags);
  return {
    resolved: resolveSettings([...fromFile.values, ...fromEnv.values, ...fromFlags.values], input.workingDirectory),
    problems: [...fromFile.problems, ...fromEnv.problems],
    configFile: isAbsent ? null : file,
    isDefaultFile: named === undefined,
  };
}

async function fileValues(text: TextRead, file: string): Promise<RawValues> {
  // Loaded on demand: a command without a file starts sooner without the YAML parser.
  if ('text' in text) return (await import('./yaml-source.js')).yamlValues(text.text, file);
  return {
    values: [],
    problems: [{ path: '', source: file, value: null, expected: `a readable YAML file; ${text.reason}` }],
  };
}

function missingEndpoint(resolved: Resolved): readonly ConfigProblem[] {
  const path = 'management.endpoints';
  const { flag, env } = settingOf(path);
  const isGiven = VPN_LISTS.some(
    (list) => resolved.flat[list].length > 0 || resolved.problems.some((problem) => problem.path.startsWith(list)),
  );
  if (isGiven) return [];
  const source = formatSource(resolved.origins.get(path) ?? { kind: 'default' });
  const expected = `at least one endpoint, such as ${flag} unix:/run/openvpn/management.sock (or ${env}, or the file)`;
  return [{ path, source, value: null, expected }];
}

type PasswordResult = { readonly passwords: ReadonlyMap<string, Secret>; readonly problems: readonly ConfigProblem[] };

/** Reads every password file that is named, each once. */
async function readPasswords(resolved: Resolved): Promise<PasswordResult> {
  const common = resolved.flat['management.passwordFile'];
  const lists = ['management.endpoints', 'passThrough'] as const;
  const named: { readonly setting: SettingPath; readonly path: string; readonly file: string }[] = lists.flatMap(
    (setting) =>
      resolved.flat[setting].flatMap(({ passwordFile }, index) =>
        passwordFile === undefined ? [] : [{ setting, path: `${setting}[${index}]`, file: passwordFile }],
      ),
  );
  if (common !== null)
    named.unshift({ setting: 'management.passwordFile', path: 'management.passwordFile', file: common });

  const passwords = new Map<string, Secret>();
  const problems: ConfigProblem[] = [];
  if (named.length === 0) return { passwords, problems };
  const { readPasswordFile } = await import('./password.js');
  for (const { setting, path, file } of named) {
    if (passwords.has(file)) continue;
    const read = await readPasswordFile(file);
    const source = formatSource(resolved.origins.get(setting) ?? { kind: 'default' });
    if ('secret' in read) passwords.set(file, read.secret);
    else
      problems.push({
        path,
        source,
        value: showValue(file),
        expected: `a file with the password on one line; ${read.reason}`,
      });
  }
  return { passwords, problems };
}
