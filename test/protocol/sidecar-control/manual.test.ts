import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { tryExec } from '../../lab/process.js';

// Compiled files lie in dist/test/protocol/sidecar-control.
const DIRECTORY = fileURLToPath(new URL('../../../../docs/man/', import.meta.url));

describe('manual pages', () => {
  for (const file of readdirSync(DIRECTORY))
    it(`${file} is understood by mandoc`, async () => {
      const { stdout, stderr } = await tryExec(['mandoc', '-T', 'lint', '-W', 'warning', DIRECTORY + file]);

      // A date would change with every build.
      const faults = `${stdout}${stderr}`
        .split('\n')
        .filter((line) => line.startsWith('mandoc:') && !line.includes('missing date'));
      assert.deepEqual(faults, []);
    });
});
