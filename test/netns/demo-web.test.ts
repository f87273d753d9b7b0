import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';

import { LabProcess } from '../lab/process.js';
import { patient } from '../lab/wait.js';

const DEMO = fileURLToPath(new URL('../../../scripts/demo.sh', import.meta.url));

describe('npm run demo -- --web', function () {
  this.timeout(patient(120_000));

  it('tells its story, serves the live page of it until it is interrupted, and removes everything', async () => {
    // Of a session of its own, which gets the signal as a whole, as from a terminal.
    const demo = LabProcess.spawn(['setsid', 'bash', DEMO, '--web', '--port', '0'], { name: 'demo' });
    try {
      const [, address = '', token = ''] = await demo.waitFor(/open (http:\/\/127\.0\.0\.1:\d+\/)#token=(\w+)/, {
        timeoutMs: 90_000,
      });
      const page = await (await fetch(address)).text();
      const refused = await fetch(`${address}flows`);
      const { flows } = (await (
        await fetch(`${address}flows`, { headers: { authorization: `Bearer ${token}` } })
      ).json()) as { readonly flows: readonly unknown[] };
      process.kill(-demo.pid, 'SIGINT');
      const { code } = await demo.exited;

      assert.match(page, /<title>gwmark/);
      assert.equal(refused.status, 401);
      assert.ok(flows.length >= 4, `${flows.length} flows`);
      assert.equal(code, 0);
      assert.match(demo.log, /ok ruleset, rules, routes, neighbours and settings are as before gwmark came/);
      assert.match(demo.log, /demo: ok$/);
    } finally {
      await demo.stop();
    }
  });
});
