/**
 * The guide beside an OpenVPN client: each command line in it is one that the program takes. The netns suites run what
 * it describes.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { PROGRAM } from '../../lab/sidecar.js';

const GUIDE = readFileSync(new URL('../../../../docs/guides/client-side.md', import.meta.url), 'utf8');
const run = promisify(execFile);

describe('docs/guides/client-side.md', () => {
  const commands = [...GUIDE.matchAll(/^ {4,}(gwmark .*)$/gm)].map((match) => match[1] ?? '');

  it('has commands', () => {
    assert.ok(commands.length >= 5);
  });

  for (const command of commands.filter((line) => line.startsWith('gwmark run'))) {
    it(`has settings in \`${command}\` that \`gwmark check\` finds right`, async () => {
      const env = { ...process.env, PATH: `${path.dirname(PROGRAM)}:${process.env['PATH'] ?? ''}` };

      await run('sh', ['-c', command.replace('gwmark run', 'gwmark check')], { env });
    });
  }

  it('names no setting and no event that there is not', () => {
    const settings = readFileSync(new URL('../../../../docs/reference/settings.md', import.meta.url), 'utf8');
    const events = readFileSync(new URL('../../../../docs/reference/log-events.md', import.meta.url), 'utf8');

    for (const name of ['networks', 'uplink']) assert.ok(settings.includes(`\`${name}\``), name);
    for (const name of ['server.role', 'network.changed', 'network.refused', 'uplink.changed'])
      assert.ok(GUIDE.includes(name) && events.includes(`\`${name}\``), name);
  });
});
