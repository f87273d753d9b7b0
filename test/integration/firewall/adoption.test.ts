/** A second run finds what the first one left, and has nothing to change. */
import assert from 'node:assert/strict';
import type { Site } from '../../../rules/index.js';
import { EMPTY_PLAN, diffRouting } from '../../../rules/index.js';
import { adoptedUplink, gatewayNeighbours } from '../../../sidecar/datapath/nexthop/adoption.js';
import { readRouting, removeRouting } from '../../../sidecar/routing/plan.js';
import { POLICY, gateway } from '../../unit/rules/sample-site.js';
import { ipShow, makeLan, makeTunnel, normalized, resetKernel } from './kernel.js';
import { Rig } from './rig.js';

const MOVED = gateway(2, { mac: '02:00:00:00:00:99', sources: [] });
const WANTED: Partial<Site> = {
  gateways: [gateway(1), MOVED],
  uplink: gateway(1),
  savedSysctls: [{ name: 'net/ipv4/ip_forward', value: '0' }],
};
const CLIENTS = ['198.51.100.2', '2001:db8:8::1000', '10.99.0.0/16', '2001:db8:77::/64'];

describe('a restart', () => {
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
    await makeTunnel('tun0', '198.51.100.1/24', '2001:db8:8::1/64');
    await using first = await Rig.open();
    await first.want(WANTED);
    await first.connect(...CLIENTS);
    await first.settled();
  });
  after(resetKernel);

  it('leaves table, rules, routes and neighbours exactly as they were', async () => {
    await using rig = await Rig.open();
    const before = await everything(rig);
    await rig.adopt();
    assert.deepEqual([...rig.clients.list()].length, CLIENTS.length);

    await rig.want(WANTED);

    assert.deepEqual(await everything(rig), before);
    assert.deepEqual(await rig.reconciler.verifyRouting(), []);
    assert.equal(await rig.reconciler.verifyElements(), 0);
    assert.equal((await rig.firewall.inspect()).state, 'intact');
    assert.deepEqual(rig.removed, []);
  });

  it('takes away a client that left meanwhile, with its route, and its connections are flushed', async () => {
    await using rig = await Rig.open();
    await rig.adopt();
    await rig.want(WANTED);

    await rig.disconnect('10.99.0.0/16');
    await rig.settled();

    assert.deepEqual(rig.removed, ['10.99.0.0/16']);
    assert.doesNotMatch(await ipShow('route show table 7700'), /10\.99/);
  });

  it('takes away gateways that are not wanted any more', async () => {
    await using rig = await Rig.open();
    await rig.adopt();

    await rig.want({ ...WANTED, gateways: [gateway(1)] });

    await using fresh = await Rig.open();
    const adopted = await everything(rig);
    await resetTable(fresh);
    await fresh.connect(...CLIENTS);
    await fresh.want({ ...WANTED, gateways: [gateway(1)] });
    await fresh.settled();
    assert.deepEqual(adopted, await everything(fresh));
  });

  it('reads gateways, their next hops and the uplink from the kernel', async () => {
    await using rig = await Rig.open();

    const table = await rig.firewall.adopt(() => 'tun0');
    const plan = await readRouting(POLICY);

    assert.deepEqual(
      [...(table?.gateways ?? [])].toSorted(([a], [b]) => a - b),
      [
        [1, [{ device: 'lan0', mac: gateway(1).mac }]],
        [2, []],
      ],
    );
    assert.deepEqual(
      [...gatewayNeighbours(POLICY, plan)],
      [
        [1, { device: 'lan0', mac: gateway(1).mac }],
        [2, { device: 'lan0', mac: '02:00:00:00:00:99' }],
      ],
    );
    assert.equal(adoptedUplink(POLICY, plan), 1, 'although the set of recent uplinks is empty');
    assert.deepEqual(table?.uplinks, []);
    assert.deepEqual(table?.savedSysctls, WANTED.savedSysctls);
    assert.deepEqual(table?.transports, [{ protocol: 'udp', address: null, families: [4, 6], port: 1194 }]);
  });
});

async function everything(rig: Rig): Promise<readonly string[]> {
  const shown = await Promise.all(
    [
      '-4 rule show',
      '-6 rule show',
      '-4 route show table all',
      '-6 route show table all',
      'neigh show nud permanent',
    ].map(ipShow),
  );
  return [
    ...(await normalized(rig.nft, POLICY.table)),
    ...shown.map((text) => text.split('\n').toSorted().join('\n')),
  ];
}

/** Everything of ours goes, devices stay. */
async function resetTable(rig: Rig): Promise<void> {
  await rig.firewall.remove();
  await removeRouting(POLICY, diffRouting(await readRouting(POLICY), EMPTY_PLAN));
}
