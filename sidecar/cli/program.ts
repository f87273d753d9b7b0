import { Command, CommanderError } from 'commander';

import { readVersion } from '../config/version.js';
import { type ExitCode, GwmarkError } from '../errors.js';
import { printable } from '../log/printable.js';
import type { CommandContext } from './command.js';
import { COMMAND_LIST, type ListedCommand } from './command-list.js';
import type { Commands } from './commands.js';
import type { CommandName } from './exit-codes.js';
import { examplesHelp, exitCodesHelp } from './help.js';
import type { CliIo } from './io.js';

const DESCRIPTION = `Lets an OpenVPN server or client run without routes.

Follows OpenVPN's management interface. As clients connect, it installs nftables rules for their flows, and each reply goes back to the router (MAC address) that the flow came from. The endpoint needs no route except that of its own link.`;

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
  const finish = (code: ExitCode): void => {
    exitCode = code;
  };
  const context: CommandContext = { io, commands, finish, wholeProgram: () => wholeProgram(context) };
  try {
    await createProgram(context).parseAsync(withHelpFlag(argv), { from: 'user' });
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

/**
 * `help COMMAND --all` as `COMMAND --help --all`: commander drops what follows the command of `help`, and defines no
 * command for it.
 */
function withHelpFlag(argv: readonly string[]): readonly string[] {
  const [help, command, ...rest] = argv;
  return help === 'help' && command !== undefined && Object.hasOwn(COMMAND_LIST, command)
    ? [command, '--help', ...rest]
    : argv;
}

/** The command line with every command defined: what completion and the manual pages are made from. */
export async function wholeProgram(context: CommandContext): Promise<Command> {
  const program = createProgram(context);
  for (const command of program.commands) (await listedCommand(command.name())?.load())?.(command, context);
  return program;
}

/** The command line, with the names and summaries of all commands; each is defined when it is parsed. */
function createProgram(context: CommandContext): Command {
  const { io } = context;
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
    .configureHelp({
      // Descriptions contain the default and the variable; commander would add them again.
      optionDescription: (option) => option.description,
      subcommandTerm: (command) => termOf(command.name()),
    })
    .helpCommand('help [command]', 'show the help of a command')
    .hook('preSubcommand', async (_program, command) => {
      const listed = listedCommand(command.name());
      if (listed !== undefined) (await listed.load())(command, context);
    })
    .addHelpText(
      'after',
      `${examplesHelp(['gwmark run --management unix:/run/openvpn/management.sock', 'gwmark status', 'gwmark run --help'])}${exitCodesHelp()}`,
    );
  for (const [name, { summary }] of Object.entries(COMMAND_LIST)) program.command(name).summary(summary);
  return program;
}

function termOf(name: string): string {
  if (name === 'help') return 'help [command]';
  const operands = listedCommand(name)?.operands;
  return `${name} [options]${operands === undefined ? '' : ` ${operands}`}`;
}

function listedCommand(name: string): ListedCommand | undefined {
  return Object.hasOwn(COMMAND_LIST, name) ? COMMAND_LIST[name as CommandName] : undefined;
}

function usageMessage(text: string): string {
  return text
    .replace(/^error: /, 'gwmark: ')
    .trimEnd()
    .concat('\nsee "gwmark --help"\n');
}
