/** Routing plans on the real kernel: what is read back is what was planned, and every trace goes. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { RoutingPlan } from '../../../rules/index.js';
import { EMPTY_PLAN, clientRoute, compileRouting, diffRouting, isEmptyRoutingDiff } from '../../../rules/index.js';
import { IP_ROUTING } from '../../../sidecar/routing/ip-routing.js';
import type { KernelRouting } from '../../../sidecar/routing/kernel-routing.js';
import { NetlinkRouting } from '../../../sidecar/routing/netlink/netlink-routing.js';
import { tryExec } from '../../lab/process.js';
import type { World } from '../../unit/rules/arbitraries.js';
import { nexthop6, policy, world } from '../../unit/rules/arbitraries.js';
import { FULL_SITE, LAN, POLICY, gateway, network, site } from '../../unit/rules/sample-site.js';
import { ip, ipShow, makeLan, nft, makeTunnel, removeDevice, resetKernel, setSysctl } from './kernel.js';

const twoWorlds = policy.chain((drawn) => fc.tuple(world(drawn), world(drawn)));

for (const by of ['netlink', 'ip'] as const) {
  describe(`routing of the datapath nexthop by ${by}`, function () {
    this.timeout(60_000);
    let routing: KernelRouting;
    before(async () => {
      routing = by === 'ip' ? IP_ROUTING : await NetlinkRouting.open();
    });
    after(() => routing[Symbol.asyncDispose]());
    const change = async (from: RoutingPlan, to: RoutingPlan): Promise<void> => {
      const diff = diffRouting(from, to);
      await routing.add(POLICY, diff);
      await routing.remove(POLICY, diff);
    };

    beforeEach(async () => {
      await resetKernel();
      await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
      await makeLan('lan1', '203.0.113.1/27');
      await makeTunnel('tun0', '198.51.100.1/24', '2001:db8:8::1/64');
      await makeTunnel('tun1', '10.64.0.1/16');
    });
    after(resetKernel);

    it('is read back from the kernel as it was planned, after any change to any other plan', async () => {
      const before = await everything();
      await fc.assert(
        fc.asyncProperty(twoWorlds, async ([a, b]) => {
          await change(await routing.read(POLICY), EMPTY_PLAN);
          const [first, second] = [planOf(a), planOf(b)];
          await change(EMPTY_PLAN, first);
          assert.deepEqual(contents(await routing.read(POLICY)), contents(first));
          await change(first, second);
          const read = await routing.read(POLICY);
          assert.deepEqual(contents(read), contents(second));
          assert.ok(isEmptyRoutingDiff(diffRouting(read, second)));
          await change(read, EMPTY_PLAN);
          assert.deepEqual(await everything(), before);
        }),
        { numRuns: 15 },
      );
    });

    it('says by which device the kernel would send to an address, and of which it has none', async () => {
      // These outlive the devices, and so the reset before each test.
      await ip('route replace unreachable 198.18.0.0/24');
      await ip('-6 route replace unreachable 2001:db8:99::/64');
      await ip('route add 198.19.0.0/24 nexthop via 192.0.2.1 dev lan0 nexthop via 203.0.113.2 dev lan1');
      await ip('route add 198.51.100.9/32 dev lan0');

      assert.deepEqual(
        await routing.routesTo(4, [
          '192.0.2.5',
          '192.0.2.77',
          '198.51.100.7',
          '198.51.100.9',
          '198.18.0.1',
          '100.64.0.1',
        ]),
        new Map([
          ['192.0.2.5', 'lo'],
          ['192.0.2.77', 'lan0'],
          ['198.51.100.7', 'tun0'],
          ['198.51.100.9', 'lan0'],
        ]),
      );
      assert.match((await routing.routesTo(4, ['198.19.0.1'])).get('198.19.0.1') ?? '', /^lan[01]$/);
      assert.deepEqual(
        await routing.routesTo(6, ['2001:db8:1::7', '2001:db8:8::7', '2001:db8:99::1', '2001:db8:77::1']),
        new Map([
          ['2001:db8:1::7', 'lan0'],
          ['2001:db8:8::7', 'tun0'],
        ]),
      );
      assert.deepEqual(await routing.routesTo(4, []), new Map());
    });

    it('answers more questions than one turn has, in either family', async () => {
      const addresses = Array.from({ length: 250 }, (_, index) => `10.64.1.${index}`);

      assert.deepEqual([...(await routing.routesTo(4, addresses)).keys()], addresses);
      assert.deepEqual(new Set((await routing.routesTo(4, addresses)).values()), new Set(['tun1']));
    });

    it('is read back for every IPv6 prefix that next hops may have', async () => {
      await fc.assert(
        fc.asyncProperty(nexthop6, async (prefix) => {
          await change(await routing.read(POLICY), EMPTY_PLAN);
          const numbers = { ...POLICY.routing, nexthop6: prefix };
          const plan = compileRouting(
            site({ policy: { ...POLICY, routing: numbers }, gateways: [gateway(7)], uplink: gateway(7) }),
          );
          await change(EMPTY_PLAN, plan);
          assert.deepEqual(contents(await routing.read(POLICY)), contents(plan));
          await change(plan, EMPTY_PLAN);
        }),
        { numRuns: 15 },
      );
    });

    it('needs no names of protocols, and minds none', async () => {
      // A mount namespace in which there is no /etc/protocols, and in which 147 and 7700 have names.
      const script = [
        'mount --bind /dev/null /etc/protocols',
        'd=$(mktemp -d); cp -r /etc/iproute2/. "$d"; echo "147 gwmark" >> "$d/rt_protos"; echo "7700 clients" >> "$d/rt_tables"',
        'mount --bind "$d" /etc/iproute2; rm -rf "$d/none"',
        'exec "$@"',
      ].join('; ');
      const module = new URL('plan-round-trip.js', import.meta.url).pathname;

      const result = await tryExec(['unshare', '-m', 'sh', '-ec', script, 'sh', process.execPath, module, by]);

      assert.equal(result.code, 0, result.stderr);
      assert.equal(result.stdout.trim(), 'nothing differs');
    });

    it('is removed without complaint when the device is gone, and with it half of it', async () => {
      const plan = compileRouting(site({ gateways: [gateway(1)], uplink: gateway(1) }));
      await change(EMPTY_PLAN, plan);
      await removeDevice('lan0');
      await removeDevice('tun0');

      await routing.remove(POLICY, diffRouting(plan, EMPTY_PLAN));

      assert.deepEqual(await routing.read(POLICY), EMPTY_PLAN);
    });

    it('names the line that the kernel refuses, and leaves the lines before it for the next reading', async () => {
      const plan = compileRouting(
        site({ gateways: [gateway(1), gateway(2, { device: 'lan9' })], links: [LAN, { ...LAN, device: 'lan9' }] }),
      );

      await assert.rejects(routing.add(POLICY, diffRouting(EMPTY_PLAN, plan)), {
        code: 'ROUTING_FAILED',
        message: /^ip -4 neigh replace 169\.254\.119\.2 lladdr 02:00:00:00:00:02 dev lan9 .*lan9/,
      });

      const left = await routing.read(POLICY);
      assert.deepEqual(
        left.neighbours.filter(({ family }) => family === 4),
        [{ family: 4, address: '169.254.119.1', device: 'lan0', mac: '02:00:00:00:00:01' }],
      );
    });

    it('removes the rest if some neighbours are gone already', async () => {
      const plan = compileRouting(site({ gateways: [gateway(1), gateway(2), gateway(3)], uplink: gateway(1) }));
      await change(EMPTY_PLAN, plan);
      const diff = diffRouting(plan, EMPTY_PLAN);
      await ip('neigh del 169.254.119.1 dev lan0', 'neigh del 169.254.119.2 dev lan0');

      await routing.remove(POLICY, diff);

      assert.deepEqual(await routing.read(POLICY), EMPTY_PLAN);
    });

    it('names the neighbour that the kernel refuses, among others', async () => {
      // IPv6 has no neighbours on a device whose MTU is below 1280.
      await ip('link set lan1 mtu 1000');
      const plan = compileRouting(
        site({
          gateways: [gateway(1), gateway(2, { device: 'lan1' }), gateway(3)],
          links: [LAN, { ...LAN, device: 'lan1' }],
        }),
      );

      await assert.rejects(routing.add(POLICY, diffRouting(EMPTY_PLAN, plan)), {
        code: 'ROUTING_FAILED',
        message: /^ip -6 neigh replace \S+:2 lladdr 02:00:00:00:00:02 dev lan1 .*: IPv6 is disabled on this device/,
      });
    });

    it('keeps the endpoint’s own LAN, though a tunnel and a client have a network around it', async () => {
      await ip('route add 192.0.0.0/8 dev tun0');
      const wide = {
        clients: [{ ...network('192.0.0.0/12'), device: 'tun0' }],
        site: site({ clientRouteFamilies: [4] }),
      };
      assert.match(await ipShow('route get 192.0.2.9'), /dev lan0/);
      for (const filter of [false, true]) {
        const plan = planOf({ ...wide, site: { ...wide.site, links: [{ ...LAN, hasReversePathFilter: filter }] } });
        await change(EMPTY_PLAN, plan);

        assert.match(await ipShow('route get 192.0.2.9'), /dev lan0/, `rp_filter ${String(filter)}`);
        assert.match(await ipShow('route get 192.0.9.9'), /dev tun0/);
        await change(plan, EMPTY_PLAN);
      }
    });

    it('sends a marked packet by its gateway, one for a client to its tunnel, and leaves all others to main', async () => {
      const plan = planOf({
        clients: [{ ...network('10.99.0.0/16'), device: 'tun0' }],
        site: site({ gateways: [gateway(1), gateway(2)], clientRouteFamilies: [4] }),
      });
      await ip('route add 203.0.113.64/27 via 192.0.2.1');
      await change(EMPTY_PLAN, plan);

      assert.match(await ipShow('route get 203.0.113.70 mark 0x1000000'), /via 169\.254\.119\.1 dev lan0/);
      assert.match(await ipShow('route get 203.0.113.70 mark 0x2000007'), /via 169\.254\.119\.2 dev lan0/);
      assert.match(await ipShow('route get 203.0.113.70 mark 0x7'), /via 192\.0\.2\.1 dev lan0/);
      assert.match(await ipShow('route get 10.99.1.1'), /dev tun0/);
      assert.match(
        await ipShow('-6 route get 2001:db8:ffff::1 mark 0x1000000'),
        /via fe80::6777:6d61:726b:1 dev lan0/,
      );
    });

    it('has neighbours that wait for their MAC, keep packets until then, and ask nobody', async () => {
      const waiting = { id: 5, device: 'lan0' };
      const before = compileRouting(site({ gateways: [], uplink: null, vacancies: [waiting] }));
      const after = compileRouting(site({ gateways: [gateway(5)], uplink: null }));
      await change(EMPTY_PLAN, before);
      assert.deepEqual(contents(await routing.read(POLICY)), contents(before));
      await nft('add table netdev cable');
      await nft('add chain netdev cable in { type filter hook ingress device lan0p priority 0 ; }');
      await nft('add rule netdev cable in ip daddr 203.0.113.200 counter');
      await nft('add rule netdev cable in arp daddr ip 169.254.119.5 counter');
      await tryExec(['ping', '-c', '1', '-W', '1', '-m', String(0x5000000), '203.0.113.200']);
      assert.deepEqual(await passed(), ['0', '0']);

      await change(before, after);

      assert.deepEqual(contents(await routing.read(POLICY)), contents(after));
      assert.deepEqual(await passed(), ['1', '0']);
    });

    it('works on a link that has no address of its own', async () => {
      await makeLan('bare0');
      const plan = compileRouting(
        site({
          links: [
            {
              device: 'bare0',
              addresses: [],
              onlink: [],
              families: [4, 6],
              hasReversePathFilter: false,
              isBridge: false,
            },
          ],
          gateways: [gateway(1, { device: 'bare0' })],
        }),
      );

      await change(EMPTY_PLAN, plan);

      assert.deepEqual(contents(await routing.read(POLICY)), contents(plan));
    });

    it('of the full site fits next to routes and rules of others', async () => {
      await makeLan('wan.7', '10.1.0.5/16', '10.2.0.9/32');
      setSysctl('net/ipv6/conf/wan.7/disable_ipv6', '1');
      await ip('route add 128.0.0.0/1 via 192.0.2.1', 'rule add pref 100 lookup 100');
      await removeDevice('tun1');
      await makeTunnel('tun1', '203.0.113.129/25');
      const plan = compileRouting(FULL_SITE);

      await change(EMPTY_PLAN, plan);

      assert.deepEqual(contents(await routing.read(POLICY)), contents(plan));
    });
  });
}

function planOf({ site: drawn, clients }: World): RoutingPlan {
  const plan = compileRouting(drawn);
  return {
    ...plan,
    routes: [...plan.routes, ...clients.map((client) => clientRoute(drawn, client)).filter((route) => route !== null)],
  };
}

function contents(plan: RoutingPlan): string[] {
  return [...plan.rules, ...plan.routes, ...plan.neighbours]
    .map((item) => JSON.stringify(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1))))
    .toSorted();
}

/** Rules, routes and permanent neighbours of the namespace, ours or not. */
async function everything(): Promise<string> {
  const parts = await Promise.all(
    [
      '-4 rule show',
      '-6 rule show',
      '-4 route show table all',
      '-6 route show table all',
      'neigh show nud permanent',
    ].map(ipShow),
  );
  return parts.join('\n');
}

/** What the rules of the table `cable` counted, in order. */
async function passed(): Promise<string[]> {
  return [...(await nft('list table netdev cable')).matchAll(/packets (\d+)/g)].map(([, count]) => String(count));
}
