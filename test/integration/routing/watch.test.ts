/** What the watch of the kernel reports, by netlink in this process and by a spawned `ip monitor`. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { openNetlinkSocket } from 'nftables-json/netlink';
import type { Policy } from '../../../rules/index.js';
import { EMPTY_PLAN, compileRouting, diffRouting } from '../../../rules/index.js';
import { IP_ROUTING } from '../../../sidecar/routing/ip-routing.js';
import type { KernelRouting } from '../../../sidecar/routing/kernel-routing.js';
import type { KernelEvent } from '../../../sidecar/routing/neighbour-monitor.js';
import { loadDeviceNames } from '../../../sidecar/routing/netlink/device-names.js';
import { NetlinkMonitor } from '../../../sidecar/routing/netlink/netlink-monitor.js';
import { NetlinkRouting } from '../../../sidecar/routing/netlink/netlink-routing.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { openRouting } from '../../../sidecar/routing/open-routing.js';
import { exec } from '../../lab/process.js';
import { tryExec } from '../../lab/process.js';
import { eventually } from '../../lab/wait.js';
import { POLICY, gateway, site } from '../../unit/rules/sample-site.js';
import { ip, ipShow, makeLan, removeDevice, resetKernel } from '../firewall/kernel.js';

for (const by of ['netlink', 'ip'] as const) {
  describe(`the watch of the kernel by ${by}`, () => {
    let routing: KernelRouting;
    let events: KernelEvent[];
    let watch: AsyncDisposable;
    const seen = (what: Partial<KernelEvent>): Promise<unknown> =>
      eventually(() => events.some((event) => isLike(event, what)), { what: JSON.stringify(what) });

    beforeEach(async () => {
      await resetKernel();
      await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
      routing = by === 'ip' ? IP_ROUTING : await NetlinkRouting.open();
      events = [];
      watch = await routing.watch({
        protocol: POLICY.routing.protocol,
        onEvent: (event) => events.push(event),
        onLost: (reason) => assert.fail(reason),
        onEnd: (cause) => assert.fail(cause),
      });
      // A spawned program listens some time after it was started.
      let count = 0;
      await eventually(
        async () => {
          await ip(`neigh replace 192.0.2.250 dev lan0 lladdr 02:00:00:00:00:${count % 2 === 0 ? 'f0' : 'f1'}`);
          count += 1;
          return events.length > 0;
        },
        { what: 'a first event' },
      );
    });
    afterEach(async () => {
      await watch[Symbol.asyncDispose]();
      await routing[Symbol.asyncDispose]();
      await resetKernel();
    });

    it('reports a neighbour with its MAC, in either family', async () => {
      await ip('neigh replace 192.0.2.1 dev lan0 lladdr 02:00:00:00:00:0a nud stale');
      await ip('-6 neigh replace fe80::1 dev lan0 lladdr 02:00:00:00:00:0b nud reachable');

      const common = { kind: 'neighbour', device: 'lan0', isDeleted: false, isOurs: false } as const;
      await seen({ ...common, address: '192.0.2.1', mac: '02:00:00:00:00:0a' });
      await seen({ ...common, address: 'fe80::1', mac: '02:00:00:00:00:0b' });
    });

    it('reports a neighbour that is deleted, and one that is not resolved any more, without a MAC', async () => {
      await ip('neigh replace 192.0.2.1 dev lan0 lladdr 02:00:00:00:00:0a nud stale');
      await ip('neigh del 192.0.2.1 dev lan0');

      await seen({ kind: 'neighbour', address: '192.0.2.1', mac: null });
      await seen({ kind: 'neighbour', address: '192.0.2.1', mac: null, isDeleted: true });
    });

    it('tells our own neighbours from those of others', async () => {
      const plan = compileRouting(site({ gateways: [gateway(1)], uplink: null }));
      await routing.add(POLICY, diffRouting(EMPTY_PLAN, plan));

      await seen({ kind: 'neighbour', address: '169.254.119.1', mac: '02:00:00:00:00:01', isOurs: true });
    });

    it('reports devices, addresses, rules and routes', async () => {
      await makeLan('lan7');
      await seen({ kind: 'link' });
      await ip('addr add 203.0.113.1/24 dev lan7');
      await seen({ kind: 'address' });
      await ip('rule add pref 77 lookup 77');
      await seen({ kind: 'rule' });
      await ip('route add 198.51.100.0/24 via 192.0.2.9');
      await seen({ kind: 'route' });
    });

    it('names the device of a route of main that has no next hop, and of no other', async () => {
      await ip('route add 198.51.100.0/24 dev lan0', '-6 route add 2001:db8:77::/64 dev lan0');
      await seen({ kind: 'onlink-route', device: 'lan0' });
      await eventually(() => events.filter(({ kind }) => kind === 'onlink-route').length === 2, { what: 'both' });
      const before = events.length;
      await ip(
        'route add 198.51.100.64/27 dev lan0 table 88',
        'route add blackhole 198.51.101.0/24',
        'route del blackhole 198.51.101.0/24',
        'route add default dev lan0',
        'route del default dev lan0',
        'route add 198.51.102.0/24 via 192.0.2.9',
        'rule add pref 78 lookup 78',
      );

      await seen({ kind: 'rule' });

      assert.deepEqual(
        events.slice(before).filter(({ kind }) => kind === 'onlink-route'),
        [],
      );
    });

    it('reports what a bridge learnt at a port, and not its own MACs', async () => {
      await ip('link add br0 type bridge', 'link add p1 type veth peer name q1', 'link set p1 master br0');
      await exec(['bridge', 'fdb', 'add', '02:00:00:00:00:0d', 'dev', 'p1', 'master', 'static']);

      await seen({ kind: 'bridged', port: 'p1', mac: '02:00:00:00:00:0d' });
      assert.equal(events.filter(({ kind }) => kind === 'bridged').length, 1);
    });

    it('goes on when a device is deleted', async () => {
      await makeLan('lan7');
      await ip('neigh replace 203.0.113.9 dev lan7 lladdr 02:00:00:00:00:0c nud stale');
      await seen({ kind: 'neighbour', device: 'lan7' });
      await removeDevice('lan7');

      await ip('neigh replace 192.0.2.3 dev lan0 lladdr 02:00:00:00:00:0d nud stale');

      await seen({ kind: 'neighbour', address: '192.0.2.3' });
    });

    it('reports nothing after it was closed', async () => {
      await watch[Symbol.asyncDispose]();
      events.length = 0;
      await ip('neigh replace 192.0.2.1 dev lan0 lladdr 02:00:00:00:00:0a nud stale');
      await new Promise((resolve) => setImmediate(resolve));

      assert.deepEqual(events, []);
    });
  });
}

describe('the setting executor', () => {
  for (const [executor, by] of [
    ['auto', 'netlink'],
    ['library', 'netlink'],
    ['process', 'ip'],
  ] as const) {
    it(`${executor}: routing is changed by ${by}`, async () => {
      await using routing = await openRouting({ executor }, captureLog().logger);

      assert.equal(routing.by, by);
    });
  }
});

describe('rtnetlink in this process', () => {
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
  });
  after(resetKernel);

  it('writes what `ip` writes, to the last attribute', async () => {
    const plan = compileRouting(
      site({ gateways: [gateway(1), gateway(2), gateway(3)], uplink: gateway(1), clientRouteFamilies: [4, 6] }),
    );
    const listings: string[] = [];
    for (const routing of [IP_ROUTING, await NetlinkRouting.open()]) {
      await routing.add(POLICY, diffRouting(EMPTY_PLAN, plan));
      listings.push(await listing());
      await routing.remove(POLICY, diffRouting(plan, EMPTY_PLAN));
      await routing[Symbol.asyncDispose]();
    }

    assert.ok(listings[0]?.includes('fwmark'));
    assert.equal(listings[1], listings[0]);
  });

  for (const [what, specifier, open] of [
    ['routing', '../../../sidecar/routing/netlink/netlink-routing.js', 'NetlinkRouting.open()'],
    ['the monitor', 'nftables-json/netlink', 'openNetlinkSocket()'],
  ] as const)
    it(`lets ${what} be opened before libnftables, which needs larger stacks of koffi`, async () => {
      const module = specifier.startsWith('.') ? new URL(specifier, import.meta.url).href : specifier;
      const script = `
      const { ${open.split(/[.(]/)[0]} } = await import('${module}');
      await ${open};
      const { openNftables } = await import('nftables-json');
      console.log((await openNftables({ executor: 'library' })).executor);
      process.exit();`;

      const result = await tryExec([process.execPath, '--input-type=module', '-e', script]);

      assert.equal(result.stdout.trim(), 'library', result.stderr);
    });

  it('gives the kernel’s own words for a refusal', async () => {
    await using routing = await NetlinkRouting.open();
    const policy: Policy = { ...POLICY, routing: { ...POLICY.routing, protocol: 200 } };
    const route = { family: 4, table: 77, destination: 'default', device: 'lo', via: '127.0.0.1' } as const;

    await assert.rejects(routing.add(policy, { ...diffRouting(EMPTY_PLAN, EMPTY_PLAN), setRoutes: [route] }), {
      code: 'ROUTING_FAILED',
      message: /^ip -4 route replace default via 127\.0\.0\.1 dev lo onlink table 77 proto 200: Nexthop has invalid /,
    });
  });

  it('hands on the last of many reports of an address that came in one turn, before what came after them', async () => {
    const events: KernelEvent[] = [];
    await using monitor = await NetlinkMonitor.open(await loadDeviceNames(), {
      protocol: 147,
      onEvent: (event) => events.push(event),
      onLost: (reason) => assert.fail(reason),
      onEnd: (cause) => assert.fail(cause),
    });
    assert.ok(monitor);
    const claims = Array.from({ length: 400 }, (_, index) => {
      const mac = `02:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`;
      return `neigh replace 192.0.2.${1 + (index % 2)} dev lan0 lladdr ${mac} nud stale`;
    });

    // This process does nothing else until all of it has happened.
    execFileSync('ip', ['-batch', '-'], { input: [...claims, 'rule add pref 77 lookup 77'].join('\n') });
    await eventually(() => events.some(({ kind }) => kind === 'rule'), { what: 'the rule' });

    const told = events.map((event) => (event.kind === 'neighbour' ? `${event.address} ${event.mac}` : event.kind));
    assert.deepEqual(told.slice(0, 3), ['192.0.2.1 02:00:00:00:01:8e', '192.0.2.2 02:00:00:00:01:8f', 'rule']);
  });

  it('tells of events that were lost, and goes on with the next', async () => {
    const events: KernelEvent[] = [];
    let lost = 0;
    await using monitor = await NetlinkMonitor.open(
      await loadDeviceNames(),
      {
        protocol: 147,
        onEvent: (event) => events.push(event),
        onLost: () => {
          lost += 1;
        },
        onEnd: (cause) => assert.fail(cause),
      },
      { receiveBytes: 4096 },
    );
    assert.ok(monitor);
    await using routing = await NetlinkRouting.open();
    const macs = Array.from({ length: 200 }, (_, index) => `02:00:00:00:00:${index.toString(16).padStart(2, '0')}`);
    const setNeighbours = macs.map((mac) => ({ family: 4, address: '192.0.2.1', device: 'lan0', mac }) as const);
    await routing.add(POLICY, { ...diffRouting(EMPTY_PLAN, EMPTY_PLAN), setNeighbours });
    await eventually(() => lost > 0, { what: 'lost events' });
    assert.ok(events.length < macs.length);

    await ip('neigh replace 192.0.2.7 dev lan0 lladdr 02:00:00:00:00:0d nud stale');

    await eventually(() => events.some((event) => isLike(event, { address: '192.0.2.7' })), {
      what: 'the next event',
    });
  });

  it('is told by one signal of what arrived at each of several sockets', async () => {
    const both = await Promise.all([
      openNetlinkSocket({ protocol: 0, groups: [3] }),
      openNetlinkSocket({ protocol: 0, groups: [3] }),
    ]);
    const counts = [0, 0];
    const room = Buffer.alloc(65_536);
    for (const [index, socket] of both.entries())
      socket.onReadable(() => {
        while (socket.receive(room) !== 'none') counts[index] = (counts[index] ?? 0) + 1;
      });

    await ip('neigh replace 192.0.2.8 dev lan0 lladdr 02:00:00:00:00:0e nud stale');

    await eventually(() => counts.every((count) => count > 0), { what: 'both to have received it' });
    for (const socket of both) socket.close();
  });
});

async function listing(): Promise<string> {
  const parts = await Promise.all(
    [
      '-d -4 rule show',
      '-d -6 rule show',
      '-d -4 route show table all proto 147',
      '-d -6 route show table all proto 147',
      '-d neigh show proto 147',
    ].map(ipShow),
  );
  return parts.join('\n');
}

function isLike(event: KernelEvent, what: object): boolean {
  return Object.entries(what).every(([key, value]) => (event as unknown as Record<string, unknown>)[key] === value);
}
