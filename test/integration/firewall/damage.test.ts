/** What another program does to our table, rules, routes and neighbours is noticed and put right. */
import assert from 'node:assert/strict';
import { readRouting } from '../../../sidecar/routing/plan.js';
import { POLICY, gateway } from '../../unit/rules/sample-site.js';
import { ip, ipShow, makeLan, makeTunnel, nft, normalized, resetKernel } from './kernel.js';
import { Rig } from './rig.js';

const CLIENTS = ['198.51.100.2', '2001:db8:8::1000', '10.99.0.0/16'];

/** What is done to the table, and whether a terse listing shows it. */
const TABLE_DAMAGE: readonly (readonly [what: string, how: readonly string[], isSeenAtOnce: boolean])[] = [
  ['the table is flushed', ['flush', 'table', 'inet', POLICY.table], true],
  ['the table is deleted', ['delete', 'table', 'inet', POLICY.table], true],
  ['the whole ruleset is flushed', ['flush', 'ruleset'], true],
  ['a chain is flushed', ['flush', 'chain', 'inet', POLICY.table, 'select'], true],
  ['a rule is added', ['add', 'rule', 'inet', POLICY.table, 'prerouting', 'drop'], true],
  ['a set is added', ['add', 'set', 'inet', POLICY.table, 'mine', '{ type ipv4_addr; }'], true],
  ['the set of clients is flushed', ['flush', 'set', 'inet', POLICY.table, 'client4'], false],
  ['one client is deleted', ['delete', 'element', 'inet', POLICY.table, 'client6', '{ 2001:db8:8::1000 }'], false],
  ['a stranger is made a client', ['add', 'element', 'inet', POLICY.table, 'client4', '{ 203.0.113.9 }'], false],
  [
    'a gateway’s source is deleted',
    ['delete', 'element', 'inet', POLICY.table, 'gateways', '{ "lan0" . 02:00:00:00:00:01 }'],
    false,
  ],
  ['the map of marks is flushed', ['flush', 'map', 'inet', POLICY.table, 'returns'], false],
];

const ROUTING_DAMAGE: readonly (readonly [what: string, line: string])[] = [
  ['the IPv4 rule of a gateway', 'rule del pref 10011'],
  ['the IPv6 rule of a gateway', '-6 rule del pref 10011'],
  ['the rule of OpenVPN’s socket', 'rule del pref 40002'],
  ['the route of a gateway', 'route flush table 7711'],
  ['the route of the uplink', '-6 route del default table 7701'],
  ['the route of a subnet behind a client', 'route del 10.99.0.0/16 table 7700'],
  ['a gateway’s neighbour', 'neigh del 169.254.119.1 dev lan0'],
  ['a gateway’s MAC', 'neigh replace 169.254.119.1 lladdr 02:00:00:00:00:66 dev lan0 nud permanent protocol 147'],
  ['a rule of our protocol too many', 'rule add pref 10200 fwmark 0x5000000/0xff000000 lookup 7715 protocol 147'],
  ['a route of our protocol too many', 'route add 203.0.113.0/24 dev lan0 table 7700 proto 147'],
];

describe('damage by another program', function () {
  this.timeout(60_000);
  let rig: Rig;
  let healthy: { readonly rules: readonly string[]; readonly routing: string };

  before(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
    await makeTunnel('tun0', '198.51.100.1/24', '2001:db8:8::1/64');
    rig = await Rig.open();
    await rig.want({ gateways: [gateway(1), gateway(2)], uplink: gateway(1) });
    await rig.connect(...CLIENTS);
    await rig.settled();
    healthy = await state();
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
    await resetKernel();
  });

  for (const [what, how, isSeenAtOnce] of TABLE_DAMAGE) {
    it(`is noticed and repaired: ${what}`, async () => {
      assert.deepEqual(await look(), { state: 'intact', elements: 0 }, 'before');
      await nft(...how);

      const { state: table, elements } = await look();
      assert.ok(isSeenAtOnce ? table !== 'intact' : elements > 0, `${table}, ${elements} elements`);
      rig.reconciler.rewriteFirewall();
      await rig.settled();

      assert.deepEqual(await state(), healthy);
    });
  }

  for (const [what, line] of ROUTING_DAMAGE) {
    it(`is noticed and repaired: ${what}`, async () => {
      assert.deepEqual(await rig.reconciler.verifyRouting(), [], 'before');
      await ip(line);

      assert.notDeepEqual(await rig.reconciler.verifyRouting(), []);
      await rig.settled();

      assert.deepEqual(await state(), healthy);
      assert.deepEqual(await rig.reconciler.verifyRouting(), [], 'afterwards');
    });
  }

  it('of other people’s rules and routes is none of our business', async () => {
    await ip(
      'rule add pref 5000 lookup main',
      'route add 203.0.113.128/25 via 192.0.2.1',
      'neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev lan0 nud permanent',
    );

    assert.deepEqual(await rig.reconciler.verifyRouting(), []);

    assert.match(await ipShow('rule show'), /^5000:/m);
    await ip('rule del pref 5000', 'route del 203.0.113.128/25', 'neigh del 192.0.2.1 dev lan0');
  });

  it('is not seen where a client’s route is only on its way', async () => {
    const connecting = rig.connect('10.98.0.0/16');
    const isDamaged = rig.reconciler.verifyRouting();
    await rig.connect('10.97.0.0/16');
    const isDamagedNow = rig.reconciler.verifyRouting();
    await connecting;

    assert.deepEqual([await isDamaged, await isDamagedNow], [[], []]);
    await rig.disconnect('10.98.0.0/16', '10.97.0.0/16');
  });

  async function look(): Promise<{ state: string; elements: number }> {
    const elements = await rig.reconciler.verifyElements();
    const { state: table } = await rig.reconciler.exclusively(() => rig.firewall.inspect());
    return { state: table, elements };
  }

  async function state(): Promise<typeof healthy> {
    const plan = await readRouting(POLICY);
    const routing = [...plan.rules, ...plan.routes, ...plan.neighbours].map((item) => JSON.stringify(item)).toSorted();
    return { rules: await normalized(rig.nft, POLICY.table), routing: routing.join('\n') };
  }
});
