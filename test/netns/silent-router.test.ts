import assert from 'node:assert/strict';

import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertSentVia, sentTo } from './matrix.js';

/** With iptables this takes the set type hash:mac, which not every kernel has: test/vm/iptables-nexthop.sh. */
describe('a router that never asks for the endpoint, because it was told its MAC', function () {
  this.timeout(patient(40_000));

  it('is learnt from the frames that it sends, and answered through', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.r2.ip(...FAMILIES.map((family) => `neigh replace ${ADDRESS.endpoint[family]} lladdr ${MAC.endpoint} dev lan0 nud permanent`));
    await lab.startSidecar();
    await lab.connect('client1');
    for (const family of FAMILIES) {
      const [host, client] = [lab.party('hostB', family), lab.party('client1', family)];

      const first = await ping(host, client, { count: 3 });
      await lab.sidecar.statusWhere(({ gateways }) => gateways.some((gateway) => gateway.mac === MAC.r2), 'r2 is known');
      await using capture = await lab.capture();
      const later = await ping(host, client, { count: 3 });

      assert.deepEqual([first.received, later.received], [3, 3], first.output + later.output);
      const answers = sentTo(await capture.frames(), ADDRESS.hostB[family]).filter((frame) => frame.ip?.source === TUNNEL.client1[family]);
      assert.equal(answers.length, 3);
      assertSentVia(answers, ADDRESS.hostB[family], MAC.r2);
    }
    const found = lab.sidecar.log.filter(({ event, fields }) => event === 'gateway.found' && fields['mac'] === MAC.r2);
    assert.deepEqual(found.map(({ fields }) => fields['by']), ['frame']);
  });
});
