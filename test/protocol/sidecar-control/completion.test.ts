/** Words are completed in the shells themselves: a user types them into a terminal and presses Tab. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { COMMAND_EXIT_CODES } from '../../../sidecar/cli/exit-codes.js';
import { SHELLS, type Shell } from '../../../sidecar/cli/manual/completion.js';
import { exec } from '../../lab/process.js';
import { Terminal } from '../../lab/terminal.js';

// Compiled files lie in dist/test/protocol/sidecar-control.
const GWMARK = fileURLToPath(new URL('../../../../bin/gwmark', import.meta.url));

/** How each shell starts without the settings of a user, and with the script from a directory. */
const STARTS: Readonly<Record<Shell, (directory: string) => string>> = {
  bash: (directory) => `exec bash --noprofile --rcfile ${directory}/.bashrc -i`,
  zsh: (directory) => `ZDOTDIR=${directory} exec zsh -i -o NO_GLOBAL_RCS`,
  fish: (directory) =>
    `exec fish --no-config -i -C 'function fish_prompt; echo "\\$ "; end; source ${directory}/fish'`,
};

describe('completion', () => {
  let directory = '';

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'gwmark-completion-'));
    await symlink(GWMARK, path.join(directory, 'gwmark'));
    await writeFile(path.join(directory, 'some-settings.yaml'), '');
    for (const shell of Object.keys(SHELLS))
      await writeFile(path.join(directory, shell), await exec([GWMARK, 'completion', shell]));
    await writeFile(path.join(directory, '.bashrc'), `PS1='$ '; source ${directory}/bash\n`);
    await writeFile(
      path.join(directory, '.zshrc'),
      `PS1='$ '; autoload -U compinit; compinit -u -D; source ${directory}/zsh\n`,
    );
  });

  after(() => rm(directory, { recursive: true, force: true }));

  for (const shell of Object.keys(SHELLS) as Shell[]) {
    describe(`in ${shell}`, () => {
      let terminal: Terminal;

      beforeEach(async () => {
        terminal = await Terminal.open(STARTS[shell](directory), {
          rows: 50,
          columns: 120,
          cwd: directory,
          env: { PATH: process.env['PATH'], HOME: directory, LANG: 'C.UTF-8', XDG_DATA_HOME: directory },
        });
        await terminal.shows(/^\$ *$/m);
      });

      afterEach(() => terminal[Symbol.asyncDispose]());

      it('completes a command', async () => {
        terminal.type('gwmark tra\t');

        await terminal.shows(/^\$ gwmark trace *$/m);
      });

      it('lists every command', async () => {
        terminal.type('gwmark \t\t');

        const screen = await terminal.shows(/\bcompletion\b[^]*\bhelp\b|\bhelp\b[^]*\bcompletion\b/);
        for (const command of Object.keys(COMMAND_EXIT_CODES))
          assert.match(screen.join('\n'), new RegExp(String.raw`\b${command}\b`));
      });

      it('completes a flag of a setting that --help does not show', async () => {
        terminal.type('gwmark run --mark-m\t');

        await terminal.shows(/gwmark run --mark-mask/);
      });

      it('completes one of the values of a flag, in a word of its own and behind =', async () => {
        terminal.type('gwmark run --log-level de\t');
        await terminal.shows(/gwmark run --log-level debug/);

        terminal.type('--firewall=ipt\t');
        await terminal.shows(/--firewall=iptables/);
      });

      it('completes the path of a file', async () => {
        terminal.type('gwmark check --config some-\t');

        await terminal.shows(/--config some-settings\.yaml/);
      });

      it('completes a device where one is expected, and nothing in its place a second time', async () => {
        terminal.type('gwmark move l\t');
        await terminal.shows(/gwmark move lo/);

        terminal.type(' l\t\u007f--js\t');
        await terminal.shows(/gwmark move lo +--json/);
      });

      it('completes the shells', async () => {
        terminal.type('gwmark completion f\t');

        await terminal.shows(/gwmark completion fish/);
      });
    });
  }
});
