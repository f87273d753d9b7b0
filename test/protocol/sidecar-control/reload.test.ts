import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { TemporaryDirectory } from './temporary-directory.js';

const FAKE = fileURLToPath(new URL('fixtures/fake-daemon.js', import.meta.url));

describe('SIGHUP', () => {
  it('hands changed settings to the daemon, names those that wait, and keeps the old ones of a faulty file', async () => {
    await using directory = await TemporaryDirectory.open();
    const file = directory.file('g.yaml');
    await writeFile(file, 'hold: release\n');
    const child = spawn(
      process.execPath,
      [FAKE, 'run', '--management', 'unix:/run/openvpn/management.sock', '--config', file],
      {
        env: { PATH: process.env['PATH'], FAKE_DAEMON: 'reload' },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let log = '';
    const logged = async (event: string): Promise<void> => {
      while (!log.includes(`"event":"${event}"`)) log += String(((await once(child.stderr, 'data')) as [Buffer])[0]);
    };

    await logged('daemon.started');
    await writeFile(file, 'hold: leave\ntable: mine\nlog: {level: debug}\n');
    child.kill('SIGHUP');
    await logged('config.reloaded');
    await writeFile(file, 'hold: maybe\n');
    child.kill('SIGHUP');
    await logged('config.reload_failed');
    child.kill('SIGTERM');
    await logged('daemon.stopped');

    assert.match(log, /"event":"config.restart_needed","settings":\["table"\]/);
    assert.match(log, /"event":"config.loaded","hold":"leave","table":"gwmark"/);
    assert.match(log, /"event":"config.reloaded","settings":\["hold","log.level"\]/);
    assert.match(
      log,
      /"event":"config.reload_failed","reason":"invalid configuration: 1 error\\n {2}hold \(.*g\.yaml:1\): maybe; expected/,
    );
  });
});
