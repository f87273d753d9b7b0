import { type Command, Option } from 'commander';

import type { ConfigInput } from '../config/load.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import type { RootLogger } from '../log/logger.js';
import type { CommandContext } from './command.js';
import type { Commands } from './commands.js';
import { changedSettings, openLogger, readConfiguration } from './configuration.js';
import { environmentHelp, examplesHelp, exitCodesHelp } from './help.js';
import type { CliIo } from './io.js';
import { requireNetAdmin } from './privilege.js';
import { Reloader } from './reloader.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';

/** `gwmark run` */
export function defineRun(command: Command, { io, commands, finish }: CommandContext): void {
  command.description(
    'Run the sidecar in the foreground until SIGTERM or SIGINT. Traffic continues when it stops; "gwmark down" removes what it installed.\nNeeds CAP_NET_ADMIN. Logs events to standard error.',
  );
  addSettingFlags(command)
    .addOption(new Option('--json', 'the same as --log-format json').conflicts('logFormat'))
    .addHelpText(
      'after',
      `${examplesHelp([
        'gwmark run --management unix:/run/openvpn/management.sock',
        'gwmark run --management tcp:127.0.0.1:7505 --management-password-file /etc/gwmark/password',
        'gwmark run --config /etc/gwmark/gwmark.yaml --log-level debug',
      ])}${environmentHelp()}${exitCodesHelp('run')}`,
    )
    .action(async () => finish(await run(inputOf(command, io), io, commands)));
}

/** `run` prints its log alone, so JSON is a format of the log. */
function inputOf(command: Command, io: CliIo): ConfigInput {
  const input = configInputOf(command, io);
  return command.opts()['json'] === true
    ? { ...input, flags: new Map([...input.flags, ['log.format', 'json']]) }
    : input;
}

/** Reports its own faults to the log once there is one. */
async function run(input: ConfigInput, io: CliIo, commands: Commands): Promise<ExitCode> {
  const config = await readConfiguration(input, { endpoints: true });
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
