import assert from 'node:assert/strict';
import { exec } from '../../../sidecar/system/exec.js';

describe('exec', () => {
  it('refuses output that is longer than its bound instead of handing out a part of it', async () => {
    await assert.rejects(
      exec('sh', ['-c', 'while :; do echo 0123456789; done'], { maxOutputBytes: 10_000 }),
      /more than 10000 bytes of output/,
    );
  });

  it('hands out output that fits, and the exit code', async () => {
    assert.deepEqual(await exec('sh', ['-c', 'printf 01234; printf 56789 >&2; exit 3'], { maxOutputBytes: 10 }), {
      exitCode: 3,
      stdout: '01234',
      stderr: '56789',
    });
  });
});
