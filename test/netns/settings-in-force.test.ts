import assert from 'node:assert/strict';

import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { reach } from '../lab/traffic.js';
import { TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';

describe('trace and doctor, told nothing, beside a sidecar that has settings of its own', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.local.ip(`route add 10.8.0.0/24 via ${ADDRESS.endpoint.v4}`);
    await lab.startSidecar('--gateways-learn-onlink', '--table', 'vpn_answers', '--routing-protocol', '97');
    await lab.connect('client1');
    await reach(lab.topology.local, ADDRESS.endpoint.v4);
    await lab.sidecar.statusWhere(
      ({ gateways }) => gateways.some(({ mac }) => mac === MAC.local),
      'the host on the link is known',
    );
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const run = async (...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    await runGwmark(lab.topology.endpoint, [...args, '--json', '--control-socket', lab.sidecar.controlSocket]);

  it('trace follows a flow from the link to its gateway, and says whose settings it took', async () => {
    await lab.topology.local.run(['ping', '-n', '-c', '2', '-W', '2', TUNNEL.client1.v4]);

    const { code, stdout, stderr } = await run('trace', ADDRESS.local.v4, TUNNEL.client1.v4, '--proto', 'icmp');

    assert.equal(code, 0, stdout + stderr);
    // Printed by the program under test.
    const { sentence, steps } = JSON.parse(stdout) as { sentence: string; steps: { step: string; text: string }[] };
    assert.match(sentence, new RegExp(`leave lan0 to ${MAC.local} `));
    assert.match(
      steps.find(({ step }) => step === 'rules')?.text ?? '',
      /vpn_answers.*gateways\.learnOnlink is true there and false here/,
    );
  });

  it('doctor takes its table and numbers for ours, and names what differs', async () => {
    const { stdout } = await run('doctor');
    const { findings } = JSON.parse(stdout) as { findings: { check: string; severity: string; subject: string }[] };

    const differing = findings
      .filter(({ check }) => check === 'settings')
      .map(({ severity, subject }) => `${severity} ${subject}`);
    assert.deepEqual(differing.toSorted(), ['info gateways.learnOnlink', 'info routing.protocol', 'info table']);
    assert.deepEqual(
      findings.filter(
        ({ check, severity }) => ['table', 'marks', 'routing-numbers'].includes(check) && severity !== 'ok',
      ),
      [],
    );
  });
});
