import { formatProblems, formatSource, showValue } from '../config/problem.js';
import { type ConfigInput, type ConfigResult, loadConfig, type LoadedConfig } from '../config/load.js';
import { toPlainSettings } from '../config/settings.js';
import { SETTINGS, type SettingPath } from '../config/table.js';
import { describeElsewhere, findSidecar, type FoundSidecar } from '../control/sidecar-here.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import type { RootLogger } from '../log/logger.js';
import type { Commands } from './commands.js';
import { type CliIo, hasColours } from './io.js';
import { requireNetAdmin } from './privilege.js';
import { Reloader } from './reloader.js';
import { formatTable } from './table.js';

/** `gwmark run`: reports its own faults to the log once there is one. */
export async function runCommand(input: ConfigInput, io: CliIo, commands: Commands): Promise<ExitCode> {
  const config = unwrap(await loadConfig(input, { endpoints: true }));
  requireNetAdmin('run', await io.readProcStatus());

  await using logger = await openLogger(config, io);
  logger.debug('config.loaded', { file: config.configFile, settings: changedSettings(config) });
  const stop = new AbortController();
  const reloader = new Reloader(input, config, logger);
  const listeners = [
    io.onSignal('SIGTERM', () => stopOrQuit('SIGTERM', stop, logger, io)),
    io.onSignal('SIGINT', () => stopOrQuit('SIGINT', stop, logger, io)),
    io.onSignal('SIGHUP', () => reloader.request()),
  ];

  try {
    await commands.runDaemon(config.settings, logger, stop.signal, reloader);
  } catch (error) {
    // Aborts what was under way when the signal came.
    const isOurAbort = stop.signal.aborted && error instanceof Error && error.name === 'AbortError';
    if (!isOurAbort) {
      logger.error('daemon.failed', failureFields(error));
      return error instanceof GwmarkError ? error.exitCode : 1;
    }
  } finally {
    for (const listener of listeners) listener[Symbol.dispose]();
    await reloader.idle();
  }
  logger.info('daemon.stopped');
  return 0;
}

/** `gwmark down`: refuses while a sidecar of this network namespace is at work, which would restore everything. */
export async function downCommand(
  input: ConfigInput,
  asJson: boolean,
  io: CliIo,
  commands: Commands,
): Promise<ExitCode> {
  const config = unwrap(await loadConfig(input, { endpoints: false }));
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

/** `gwmark check`: reads everything that `run` reads and changes nothing. */
export async function checkCommand(input: ConfigInput, asJson: boolean, io: CliIo): Promise<ExitCode> {
  const result = await loadConfig(input, { endpoints: true });
  if (asJson) {
    const settings = result.ok ? toPlainSettings(result.flat) : null;
    const problems = result.ok ? [] : result.problems;
    io.stdout.write(`${JSON.stringify({ ok: result.ok, problems, settings }, undefined, 2)}\n`);
    return result.ok ? 0 : 2;
  }

  const config = unwrap(result);
  const rows = changedSettings(config).map(({ path, value, source }) => [path, value, source]);
  io.stdout.write(`the configuration is valid; all other settings have their defaults\n\n`);
  io.stdout.write(formatTable(['SETTING', 'VALUE', 'SOURCE'], rows, hasColours(io.stdout, io.env)));
  return 0;
}

/** @throws GwmarkError CONFIG_INVALID with every problem */
export function unwrap(result: ConfigResult): LoadedConfig {
  if (result.ok) return result;
  throw new GwmarkError('CONFIG_INVALID', formatProblems(result.problems), { context: { problems: result.problems } });
}

/** Loaded on demand: a command that only reads starts sooner without winston. */
async function openLogger(config: LoadedConfig, io: CliIo): Promise<RootLogger> {
  const { createLogger } = await import('../log/logger.js');
  return createLogger({ ...config.settings.log, output: io.stderr, allowColours: hasColours(io.stderr, io.env) });
}

interface ChangedSetting {
  readonly path: SettingPath;
  readonly value: string;
  readonly source: string;
}

/** The settings that some source gave. */
function changedSettings({ flat, origins }: LoadedConfig): readonly ChangedSetting[] {
  return SETTINGS.flatMap((setting): readonly ChangedSetting[] => {
    const source = origins.get(setting.path);
    if (source === undefined || source.kind === 'default') return [];
    const value = showValue(setting.toPlain(flat[setting.path]));
    return [{ path: setting.path, value, source: formatSource(source) }];
  });
}

function stopOrQuit(signal: string, stop: AbortController, logger: RootLogger, io: CliIo): void {
  if (stop.signal.aborted) {
    void logger.close().finally(() => io.exitNow(1));
    return;
  }
  logger.info('daemon.stopping', { signal });
  stop.abort();
}

function failureFields(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof GwmarkError) return { code: error.code, reason: error.message, ...error.context };
  const stack = error instanceof Error ? error.stack : undefined;
  return { code: 'INTERNAL', reason: error instanceof Error ? error.message : String(error), stack };
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
