/** A container image or a minimal system, which has no file that a package may leave out. */
import assert from 'node:assert/strict';

import { ping } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';

/** Packages that nothing depends on (netbase) have these. */
const HIDDEN = ['/etc/protocols', '/etc/services'];

describe('a sidecar on a bare system', function () {
  this.timeout(patient(90_000));

  it('carries traffic without names of protocols and services', async () => {
    const hide = HIDDEN.map((file) => `{ [ ! -e ${file} ] || mount --bind /dev/null ${file}; }`).join(' && ');
    await using lab = await VpnLab.working(
      { transport: 'udp4', sidecarPrefix: ['unshare', '--mount', 'sh', '-c', `${hide} && exec "$@"`, 'sh'] },
      'client1',
    );

    for (const family of ['v4', 'v6'] as const) {
      const { received } = await ping(lab.party('hostA', family), lab.party('client1', family), { count: 1 });
      assert.equal(received, 1, family);
    }
    assert.deepEqual((await lab.sidecar.status()).problems, []);
  });
});
