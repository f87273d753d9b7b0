import { Command, CommanderError, Option } from 'commander';

import type { ConfigInput } from '../config/load.js';
import type { SettingPath } from '../config/table.js';
import { readVersion } from '../config/version.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import { printable } from '../log/printable.js';
import type { Commands } from './commands.js';
import { checkCommand, downCommand, runCommand } from './daemon-commands.js';
import { addDoctor } from './doctor-command.js';
import { environmentHelp, examplesHelp, exitCodesHelp } from './help.js';
import { addMove } from './move-command.js';
import { DEFAULT_FLOW_LIMIT, flowsCommand } from './flows-command.js';
import type { CliIo } from './io.js';
import { addSettingFlags, configInputOf } from './setting-flags.js';
import { showStatus, STATUS_COMMANDS } from './status-commands.js';
import { addTrace } from './trace-command.js';

const DESCRIPTION = `Lets an OpenVPN server or client run without routes.

Follows OpenVPN's management interface. As clients connect, it installs nftables rules for their flows, and each reply goes back to the router (MAC address) that the flow came from. The endpoint needs no route except that of its own link.`;

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

const JSON_FLAG = '--json';
/** Used if help does not go to a terminal. */
const HELP_COLUMNS = 100;

/**
 * Understands a command line, runs its command and returns the exit code. Every error ends as one message
 * on standard error; nothing is thrown but faults of gwmark itself.
 *
 * @param argv without the interpreter and the script
 */
export async function runCli(argv: readonly string[], io: CliIo, commands: Commands): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const program = createProgram(io, commands, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(withHelpFlag(argv), { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed its message already; its codes for help and version are 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof GwmarkError)) throw error;
    // Messages quote files and other processes; only the line ends are ours.
    io.stderr.write(
      `gwmark: ${error.message
        .split('\n')
        .map((line) => printable(line))
        .join('\n')}\n`,
    );
    return error.exitCode;
  }
}

/** `help COMMAND --all` as `COMMAND --help --all`: commander drops what follows the command of `help`. */
function withHelpFlag(argv: readonly string[]): readonly string[] {
  const [help, command, ...rest] = argv;
  return help === 'help' && command !== undefined && rest.length > 0 ? [command, '--help', ...rest] : argv;
}

function createProgram(io: CliIo, commands: Commands, finish: (code: ExitCode) => void): Command {
  const program = new Command('gwmark')
    .description(DESCRIPTION)
    .version(readVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(usageMessage(text)),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => io.stdout.columns ?? HELP_COLUMNS,
      getErrHelpWidth: () => io.stderr.columns ?? HELP_COLUMNS,
    })
    // Descriptions contain the default and the variable; commander would add them again.
    .configureHelp({ optionDescription: (option) => option.description })
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark run --management unix:/run/openvpn/management.sock', 'gwmark status', 'gwmark run --help'])}${exitCodesHelp()}`,
    );

  addRun(program, io, commands, finish);
  addStatusCommands(program, io, finish);
  addFlows(program, io, commands, finish);
  addMove(program, io, finish);
  addCheck(program, io, finish);
  addDoctor(program, io, commands, finish);
  addTrace(program, io, commands, finish);
  addDown(program, io, commands, finish);
  return program;
}

function addRun(program: Command, io: CliIo, commands: Commands, finish: (code: ExitCode) => void): void {
  const command = program
    .command('run')
    .summary('run the sidecar in the foreground')
    .description(
      'Run the sidecar in the foreground until SIGTERM or SIGINT. Traffic continues when it stops; "gwmark down" removes what it installed.\nNeeds CAP_NET_ADMIN. Logs events to standard error.',
    );
  addSettingFlags(command)
    .addOption(new Option(JSON_FLAG, 'the same as --log-format json').conflicts('logFormat'))
    .addHelpText(
      'after',
      `${examplesHelp([
        'gwmark run --management unix:/run/openvpn/management.sock',
        'gwmark run --management tcp:127.0.0.1:7505 --management-password-file /etc/gwmark/password',
        'gwmark run --config /etc/gwmark/gwmark.yaml --log-level debug',
      ])}${environmentHelp()}${exitCodesHelp('run')}`,
    )
    .action(async () => finish(await runCommand(runInputOf(command, io), io, commands)));
}

function addStatusCommands(program: Command, io: CliIo, finish: (code: ExitCode) => void): void {
  const descriptions = {
    status: [
      'show the state of the running sidecar',
      'Show servers, counts and problems of the running sidecar. Exits with 0 if it is ready, otherwise with 1.',
    ],
    clients: ['list the connected clients', 'List the connected clients and their addresses.'],
    gateways: ['list the known gateways', 'List the gateways that replies are sent to, by MAC address.'],
  } as const;
  for (const [name, [summary, description]] of Object.entries(descriptions)) {
    // Object.entries widens the key; it is one of the three.
    const shownAs = name as keyof typeof descriptions;
    const shown = STATUS_COMMANDS[shownAs];
    const command = program.command(name).summary(summary).description(description);
    addSettingFlags(command, { takes: ['controlSocket'] })
      .option(JSON_FLAG, 'print JSON')
      .addHelpText('after', `${examplesHelp([`gwmark ${name}`, `gwmark ${name} --json`])}${exitCodesHelp(shownAs)}`)
      .action(async () => finish(await showStatus(shown, configInputOf(command, io), isJson(command), io)));
  }
}

function addFlows(program: Command, io: CliIo, commands: Commands, finish: (code: ExitCode) => void): void {
  const command = program
    .command('flows')
    .summary('list the flows that have a gateway')
    .description(
      'List the VPN connections in the kernel whose replies go to a gateway. Shows packets and bytes if the sysctl net.netfilter.nf_conntrack_acct is on. Also works without a sidecar, on what an earlier one left. Needs CAP_NET_ADMIN.',
    );
  command
    .option('--client <address>', 'only flows from or to this address or subnet')
    .option('--gateway <id>', 'only flows of this gateway, see "gwmark gateways"')
    .option('--limit <n>', `at most this many flows, 0 for all [default: ${DEFAULT_FLOW_LIMIT}]`);
  addSettingFlags(command, { takes: ['controlSocket', 'mark.mask', 'routing.protocol', 'routing.tableBase'] })
    .option(JSON_FLAG, 'print {datapath, sidecarRunning, flows: [...], truncated}, one flow per line')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark flows', 'gwmark flows --client 10.8.0.2', 'gwmark flows --gateway 1 --limit 0 --json'])}${exitCodesHelp('flows')}`,
    )
    .action(async () => finish(await flowsCommand(configInputOf(command, io), command.opts(), io, commands)));
}

function addCheck(program: Command, io: CliIo, finish: (code: ExitCode) => void): void {
  const command = program
    .command('check')
    .summary('check the configuration')
    .description(
      'Check the configuration that "run" would use, with the same flags, and list its errors. Changes nothing.',
    );
  addSettingFlags(command)
    .option(JSON_FLAG, 'print {ok, problems: [{path, source, value, expected}], settings}')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark check --config ./gwmark.yaml', 'gwmark check --json'])}${environmentHelp()}${exitCodesHelp('check')}`,
    )
    .action(async () => finish(await checkCommand(configInputOf(command, io), isJson(command), io)));
}

function addDown(program: Command, io: CliIo, commands: Commands, finish: (code: ExitCode) => void): void {
  const command = program
    .command('down')
    .summary('remove everything from the kernel')
    .description(
      'Remove everything that gwmark installed in the kernel: table, rules, routes, neighbours; restore changed sysctls.\nUses the same settings as "run" to find it. Stop the sidecar first. Needs CAP_NET_ADMIN.',
    );
  addSettingFlags(command, { shows: SETTINGS_OF_DOWN })
    .option(JSON_FLAG, 'print {removed: [...]}')
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark down', 'gwmark down --config /etc/gwmark/gwmark.yaml'])}${environmentHelp()}${exitCodesHelp('down')}`,
    )
    .action(async () => finish(await downCommand(configInputOf(command, io), isJson(command), io, commands)));
}

/** `run` prints its log alone, so JSON is a format of the log. */
function runInputOf(command: Command, io: CliIo): ConfigInput {
  const input = configInputOf(command, io);
  return isJson(command) ? { ...input, flags: new Map([...input.flags, ['log.format', 'json']]) } : input;
}

function isJson(command: Command): boolean {
  return command.opts()['json'] === true;
}

function usageMessage(text: string): string {
  return text
    .replace(/^error: /, 'gwmark: ')
    .trimEnd()
    .concat('\nsee "gwmark --help"\n');
}
