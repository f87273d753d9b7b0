import type { Command } from 'commander';

import type { ExitCode } from '../errors.js';
import type { Commands } from './commands.js';
import type { CliIo } from './io.js';

/** What each command has beside its own flags. */
export interface CommandContext {
  readonly io: CliIo;
  readonly commands: Commands;
  /** Sets what the process exits with. Without a call: 0. */
  readonly finish: (code: ExitCode) => void;
  /** The command line with every command defined; imports all of them. */
  readonly wholeProgram: () => Promise<Command>;
}

/**
 * Describes one command: its arguments, flags and help, and its action. `command` already has its name and summary.
 * Called only if this command runs or its help is shown.
 */
export type DefineCommand = (command: Command, context: CommandContext) => void;
