import assert from 'node:assert/strict';

import { MAC, NETWORK } from '../lab/topology.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

/** What DHCPv6 and a router advertisement with an on-link prefix make: an address of one host, and a route. */
describe('an endpoint whose address says nothing of its link', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp6' });
    await lab.topology.endpoint.ip(
      'address del 2001:db8::10/64 dev lan0',
      'address add 2001:db8::10/128 dev lan0',
      `route add ${NETWORK.segment.v6} dev lan0 proto ra metric 100`,
    );
    await lab.startSidecar();
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const rules = async (): Promise<string> =>
    await lab.topology.endpoint.run(['nft', 'list', 'table', 'inet', 'gwmark']);

  it('does not take a client on the link, who comes first, for the way to the others', async () => {
    await (await lab.launchClient('local')).connected();
    await lab.sidecar.statusWhere(({ clients }) => clients.length === 1, 'the client on the link is known');
    await (await lab.launchClient('client1')).connected();

    const { gateways, uplink } = await lab.sidecar.statusWhere(
      (status) => status.uplink !== null,
      'there is an uplink',
    );
    assert.equal(gateways.find(({ id }) => id === uplink)?.mac, MAC.u);
    assert.notEqual(gateways.find(({ mac }) => mac === MAC.local)?.state, 'active');
  });

  it('follows a prefix that is advertised later, or no longer', async () => {
    await lab.topology.endpoint.ip('route add 2001:db8:77::/64 dev lan0 proto ra metric 100');
    await eventually(async () => (await rules()).includes('2001:db8:77::/64'), { what: 'a rule for the new prefix' });

    await lab.topology.endpoint.ip('route del 2001:db8:77::/64 dev lan0 proto ra');
    await eventually(async () => !(await rules()).includes('2001:db8:77::/64'), { what: 'no rule for it any more' });
  });
});
