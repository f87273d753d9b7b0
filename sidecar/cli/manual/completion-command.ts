import { Argument, type Command } from 'commander';

import type { CommandContext } from '../command.js';
import { examplesHelp, exitCodesHelp } from '../help.js';
import { describeProgram } from './command-description.js';
import { type Shell, SHELLS } from './completion.js';

/** `gwmark completion` */
export function defineCompletion(command: Command, { io, finish, wholeProgram }: CommandContext): void {
  command
    .description(
      'Print a script that completes commands, options and their values in bash, zsh or fish. The Debian package installs it.\nThe script contains everything, so that the shell does not start gwmark to complete a word. Print it again after an upgrade.',
    )
    .addArgument(new Argument('<SHELL>', 'the shell').choices(Object.keys(SHELLS)))
    .addHelpText('after', `${examplesHelp(EXAMPLES)}${PLACES}${exitCodesHelp('completion')}`)
    .action(async (shell: Shell) => {
      io.stdout.write(SHELLS[shell](describeProgram(await wholeProgram())));
      finish(0);
    });
}

const EXAMPLES = Object.keys(SHELLS).map((shell) => `gwmark completion ${shell}`);

/** Where each shell looks. */
const PLACES = `
Files to write it to:
  /etc/bash_completion.d/gwmark                  bash, with the package bash-completion
  /usr/local/share/zsh/site-functions/_gwmark    zsh
  /etc/fish/completions/gwmark.fish              fish
`;
