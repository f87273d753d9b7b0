/** Commands in another network namespace than the sidecar whose control socket they find, as where containers share it. */
import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { runGwmark } from '../lab/sidecar.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';

describe('a sidecar of another network namespace', function () {
  this.timeout(patient(120_000));

  it('is not judged as its own by doctor, and left alone by down', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { controlSocket } = await lab.startSidecar();
    const flags = ['--control-socket', controlSocket];

    const report = await runDoctor(lab.topology.hostA, { flags });
    const down = await runGwmark(lab.topology.hostA, ['down', ...flags]);

    assertFound(report, 'sidecar', 'warn', /runs in the network namespace net:\[\d+\]/);
    assert.deepEqual(
      report.findings.filter(({ severity }) => severity === 'error'),
      [],
    );
    assert.deepEqual([down.code, down.stdout], [0, 'nothing to remove\n'], down.stderr);
    assert.match(down.stderr, /runs in the network namespace net:\[\d+\].*: it is left alone\n$/);
    assert.equal((await lab.sidecar.status()).ready, true);
  });
});
