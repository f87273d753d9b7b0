import assert from 'node:assert/strict';

import { exec } from '../lab/process.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange } from '../netns/matrix.js';

/** The module file, as test/vm gives it to what it runs. */
const MODULE_FILE = process.env['LAB_MODULE'] ?? '';

describe('a kernel module that is unloaded while the sidecar runs', function () {
  this.timeout(patient(40_000));
  let lab: VpnLab;
  before(async () => {
    assert.notEqual(
      MODULE_FILE,
      '',
      'LAB_MODULE names the module: these tests unload it, so they run in a virtual machine (npm run test:vm)',
    );
    lab = await VpnLab.working({ transport: 'udp4', flags: ['--datapath', 'module'] }, 'client1', 'client2');
    for (const family of FAMILIES)
      await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  it('is noticed: the sidecar is not ready, says why, and knows no gateway', async () => {
    const from = lab.sidecar.log.length;

    await exec(['rmmod', 'gwmark']);

    const status = await lab.sidecar.statusWhere(({ ready }) => !ready, 'the sidecar is not ready');
    assert.match(
      status.problems.join('\n'),
      /^read \/proc\/net\/gwmark\/\w+: the kernel module gwmark is not loaded$/m,
    );
    assert.deepEqual({ gateways: status.gateways, uplink: status.uplink }, { gateways: [], uplink: null });
    const { fields } = await lab.sidecar.event('datapath.failed', { from });
    assert.equal(fields['level'], 'error');
    assert.match(String(fields['reason']), /not loaded/);
  });

  it('is said once, however long it lasts', async () => {
    await lab.sidecar.event('datapath.failed');
    // Two snapshots of the sessions later it has looked many times more.
    await lab.known('client1', 'client2');

    assert.equal(lab.sidecar.log.filter(({ event }) => event === 'datapath.failed').length, 1);
  });

  it('is set up again when it is back: ready, and traffic of both families flows, with no restart', async () => {
    const from = lab.sidecar.log.length;

    await exec(['insmod', MODULE_FILE]);

    await lab.sidecar.event('datapath.recovered', { from });
    await lab.sidecar.ready();
    for (const family of FAMILIES) {
      await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
      await assertExchange('udp', lab.party('hostB', family), lab.party('client2', family));
      await assertExchange('ping', lab.party('client1', family), lab.party('hostB', family));
    }
  });

  it('does not stop `gwmark down` from cleaning up', async () => {
    await exec(['rmmod', 'gwmark']);
    await lab.sidecar.stop();

    await lab.sidecar.down();

    const ruleset = await lab.topology.endpoint.run(['nft', 'list', 'ruleset']);
    await exec(['insmod', MODULE_FILE]);
    assert.equal(ruleset.trim(), '');
  });
});
