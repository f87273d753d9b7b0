/** An endpoint whose link is a bridge: iptables has no rules for frames that cross it, and the sidecar says so. */
import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { InlineLab } from '../lab/inline-lab.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange } from '../netns/matrix.js';

describe('a bridge as the link, with iptables', function () {
  this.timeout(patient(60_000));
  let lab: InlineLab;
  before(async () => {
    lab = await InlineLab.create();
    await lab.startSidecar('--datapath', 'nexthop');
    await lab.connect('client1');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  it('is said in the log and by the doctor, which does not take it for a fault', async () => {
    const { fields } = await lab.sidecar.event('firewall.no_bridge');
    const report = await runDoctor(lab.endpoint, { flags: ['--control-socket', lab.sidecar.controlSocket] });

    assert.deepEqual(fields['devices'], ['br0']);
    assertFound(report, 'inline', 'info', /iptables has no rules/);
  });

  it('lets frames for clients pass', async () => {
    await using capture = await lab.capture('r1', 'icmp');
    await ping(lab.party('host', 'v4'), { address: TUNNEL.client1.v4 }, { count: 1, waitSeconds: 0.2 });

    const frames = await capture.frames();
    assert.ok(
      frames.some(({ ip, destinationMac }) => ip?.destination === TUNNEL.client1.v4 && destinationMac === MAC.r1),
    );
  });

  it('serves what is sent to the endpoint itself', async () => {
    const { r2 } = lab.topology.boxes;
    for (const family of FAMILIES) {
      await r2.ip(`route add ${TUNNEL.client1[family]} via ${ADDRESS.endpoint[family]}`);
      await assertExchange('tcp', lab.party('host', family), lab.party('client1', family));
    }
  });
});
