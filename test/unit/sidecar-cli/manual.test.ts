import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { runCli } from '../../../sidecar/cli/program.js';
import { EXIT_CODES } from '../../../sidecar/cli/exit-codes.js';
import { COMMON_SETTINGS } from '../../../sidecar/cli/setting-flags.js';
import { settingOf } from '../../../sidecar/config/table.js';

// Compiled files lie in dist/test/unit/sidecar-cli.
const MANUAL = readFileSync(new URL('../../../../docs/man/gwmark.8', import.meta.url), 'utf8');

async function help(): Promise<string> {
  let text = '';
  const output = { write: (chunk: string) => (text += chunk) } as unknown as NodeJS.WritableStream;
  await runCli(
    ['--help'],
    { stdout: output, stderr: output, env: {} } as unknown as Parameters<typeof runCli>[1],
    {} as unknown as Parameters<typeof runCli>[2],
  );
  return text;
}

describe('gwmark(8)', () => {
  it('describes every command of the help', async () => {
    const commands = [...(await help()).matchAll(/^ {2}([a-z]+) .*/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'gwmark');

    assert.ok(commands.includes('run') && commands.includes('down'), commands.join());
    for (const command of new Set(commands))
      assert.match(MANUAL, new RegExp(`^\\.TP\\n\\.B ${command}$`, 'm'), command);
  });

  it('describes every exit code', () => {
    for (const code of Object.keys(EXIT_CODES)) assert.match(MANUAL, new RegExp(`^\\.TP\\n\\.B ${code}$`, 'm'), code);
  });

  it('describes the settings that `gwmark run --help` shows, and no other', () => {
    const flags = [...MANUAL.matchAll(/^\.TP\n\.BI?R? (\\-\\-\S+)/gm)].map(([, flag = '']) =>
      flag.replaceAll('\\', ''),
    );

    assert.deepEqual(flags, ['--config', ...COMMON_SETTINGS.map((setting) => settingOf(setting).flag)]);
  });
});
