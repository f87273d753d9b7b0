import assert from 'node:assert/strict';
import path from 'node:path';

import { CHECKOUT } from '../compose/roots.js';
import { tryExec } from '../lab/process.js';
import { readUnit } from './unit.js';

const UNIT = path.join(CHECKOUT, 'deploy/systemd/gwmark@.service');

describe('gwmark@.service', () => {
  it('has an exposure of 2.5 at most by systemd-analyze', async () => {
    // The threshold is in tenths.
    const { code, stdout, stderr } = await tryExec([
      'systemd-analyze',
      'security',
      '--offline=true',
      '--no-pager',
      '--threshold=25',
      UNIT,
    ]);

    assert.equal(code, 0, stdout.split('\n').slice(-2).join('') + stderr);
  });

  it('has one capability, tells when it is ready, and is no user of a retry that cannot help', async () => {
    const { values } = await readUnit(UNIT, 'office');

    assert.deepEqual(values('CapabilityBoundingSet'), ['CAP_NET_ADMIN']);
    assert.deepEqual(values('Type'), ['notify']);
    assert.deepEqual(values('RestartPreventExitStatus'), ['2']);
  });
});
