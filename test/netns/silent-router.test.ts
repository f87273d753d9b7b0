import assert from 'node:assert/strict';

import { ADDRESS, MAC } from '../lab/topology.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertLearnt } from './matrix.js';

/** With iptables this takes the set type hash:mac, which not every kernel has: test/vm/iptables-nexthop.sh. */
describe('a router that never asks for the endpoint, because it was told its MAC', function () {
  this.timeout(patient(40_000));

  it('is learnt from the frames that it sends, and answered through', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.r2.ip(
      ...FAMILIES.map(
        (family) => `neigh replace ${ADDRESS.endpoint[family]} lladdr ${MAC.endpoint} dev lan0 nud permanent`,
      ),
    );
    await lab.startSidecar();
    await lab.connect('client1');
    for (const family of FAMILIES) await assertLearnt(lab, family);
    const found = lab.sidecar.log.filter(({ event, fields }) => event === 'gateway.found' && fields['mac'] === MAC.r2);
    assert.deepEqual(
      found.map(({ fields }) => fields['by']),
      ['frame'],
    );
  });
});
