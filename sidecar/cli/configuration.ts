import {
  type ConfigInput,
  type ConfigResult,
  loadConfig,
  loadControlSocket,
  type LoadedConfig,
} from '../config/load.js';
import { type ConfigProblem, formatProblems, formatSource, showValue } from '../config/problem.js';
import { SETTINGS, type SettingPath } from '../config/table.js';
import { GwmarkError } from '../errors.js';
import type { RootLogger } from '../log/logger.js';
import { type CliIo, hasColours } from './io.js';

/**
 * Reads the whole configuration.
 *
 * @param needs `endpoints`: at least one management endpoint is asked for
 * @throws GwmarkError CONFIG_INVALID with every problem
 */
export async function readConfiguration(
  input: ConfigInput,
  needs: { readonly endpoints: boolean },
): Promise<LoadedConfig> {
  return validConfiguration(await loadConfig(input, needs));
}

/** @throws GwmarkError CONFIG_INVALID with every problem */
export function validConfiguration(result: ConfigResult): LoadedConfig {
  if (result.ok) return result;
  throw invalid(result.problems);
}

/**
 * Finds the control socket; other settings do not matter.
 *
 * @throws GwmarkError CONFIG_INVALID
 */
export async function readControlSocket(input: ConfigInput): Promise<string> {
  const socket = await loadControlSocket(input);
  if (socket.ok) return socket.path;
  throw invalid(socket.problems);
}

/** A setting that has a value from some source. */
export interface ChangedSetting {
  readonly path: SettingPath;
  readonly value: string;
  readonly source: string;
}

/** The settings that some source gave. */
export function changedSettings({ flat, origins }: LoadedConfig): readonly ChangedSetting[] {
  return SETTINGS.flatMap((setting): readonly ChangedSetting[] => {
    const source = origins.get(setting.path);
    if (source === undefined || source.kind === 'default') return [];
    const value = showValue(setting.toPlain(flat[setting.path]));
    return [{ path: setting.path, value, source: formatSource(source) }];
  });
}

/** Opens the log that the settings describe. Imported on demand: `check` starts without winston. */
export async function openLogger(config: LoadedConfig, io: CliIo): Promise<RootLogger> {
  const { createLogger } = await import('../log/logger.js');
  return createLogger({ ...config.settings.log, output: io.stderr, allowColours: hasColours(io.stderr, io.env) });
}

function invalid(problems: readonly ConfigProblem[]): GwmarkError {
  return new GwmarkError('CONFIG_INVALID', formatProblems(problems), { context: { problems } });
}
