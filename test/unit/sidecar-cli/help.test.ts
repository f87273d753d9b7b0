/** What `--help` shows, and what it leaves to `--help --all`. */
import assert from 'node:assert/strict';

import { COMMAND_EXIT_CODES, type CommandName, exitCodesOf } from '../../../sidecar/cli/exit-codes.js';
import { COMMON_SETTINGS } from '../../../sidecar/cli/setting-flags.js';
import { SETTINGS, settingOf } from '../../../sidecar/config/table.js';
import { typeCommand } from '../../lab/typed-command.js';

const COMMANDS = Object.keys(COMMAND_EXIT_CODES) as CommandName[];

async function helpOf(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await typeCommand(argv, '/nonexistent/gwmark.yaml');
  assert.deepEqual([code, stderr], [0, '']);
  return stdout;
}

/** The flags of settings that a help describes, in its order. */
function settingsIn(help: string): string[] {
  const flags = new Set<string>(SETTINGS.map(({ flag }) => flag));
  return [...help.matchAll(/^ {2}(--\S+)/gm)].map(([, flag = '']) => flag).filter((flag) => flags.has(flag));
}

describe('help', () => {
  it('of run shows the ten settings that people set, a sentence each', async () => {
    const help = await helpOf('run', '--help');

    assert.equal(COMMON_SETTINGS.length, 10);
    assert.deepEqual(
      settingsIn(help),
      COMMON_SETTINGS.map((path) => settingOf(path).flag),
    );
    assert.doesNotMatch(help, /\[env: GWMARK_(?!CONFIG)/);
    assert.match(help, new RegExp(`--all +with --help: show all ${SETTINGS.length} settings`));
  });

  for (const argv of [
    ['run', '--help', '--all'],
    ['run', '--all', '-h'],
    ['help', 'run', '--all'],
  ])
    it(`shows every setting under headings, with its variable: gwmark ${argv.join(' ')}`, async () => {
      const help = await helpOf(...argv);

      assert.deepEqual(settingsIn(help).toSorted(), SETTINGS.map(({ flag }) => flag).toSorted());
      const lines = help.replaceAll(/\s+/g, ' ');
      for (const { env } of SETTINGS) assert.ok(lines.includes(`[env: ${env}]`), env);
      for (const heading of ['Settings:', "OpenVPN's management interface:", 'Behaviour:', 'Routing:', 'Log:'])
        assert.match(help, new RegExp(`^${heading}$`, 'm'));
    });

  for (const command of COMMANDS) {
    it(`of ${command} has at most ten settings`, async () => {
      assert.ok(settingsIn(await helpOf(command, '--help')).length <= 10);
    });

    it(`of ${command} has its own exit codes alone`, async () => {
      const help = await helpOf(command, '--help');

      assert.equal(
        help.slice(help.indexOf('Exit codes:\n')).trimEnd(),
        ['Exit codes:', ...exitCodesOf(command).map(([code, meaning]) => `  ${code}  ${meaning}`)].join('\n'),
      );
    });
  }

  it('of gwmark names every command that has exit codes, and no other', async () => {
    const listed = [...(await helpOf('--help')).matchAll(/^ {2}([a-z]+) (?:\[options\]|<)/gm)].map(
      ([, name = '']) => name,
    );

    assert.deepEqual(listed.toSorted(), COMMANDS.toSorted());
  });
});
