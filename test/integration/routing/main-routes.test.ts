/** What is read of the table main, by netlink in this process and by spawned `ip`. */
import assert from 'node:assert/strict';
import { IP_ROUTING } from '../../../sidecar/routing/ip-routing.js';
import type { KernelRouting, MainRoute } from '../../../sidecar/routing/kernel-routing.js';
import { NetlinkRouting } from '../../../sidecar/routing/netlink/netlink-routing.js';
import { exec } from '../../lab/process.js';
import { ip, makeLan, makeTunnel, removeDevice, resetKernel } from '../firewall/kernel.js';

for (const by of ['netlink', 'ip'] as const) {
  describe(`routes of main by ${by}`, () => {
    let routing: KernelRouting;
    const read = async (...tunnels: readonly string[]): Promise<string[]> =>
      textsOf(await routing.mainRoutes(tunnels)).toSorted();

    beforeEach(async () => {
      await resetKernel();
      routing = by === 'ip' ? IP_ROUTING : await NetlinkRouting.open();
    });
    afterEach(async () => {
      await routing[Symbol.asyncDispose]();
      // With a default route, the namespace would be taken for the machine's own.
      for (const family of ['-4', '-6']) await exec(['ip', family, 'route', 'flush', 'default']);
      await exec(['ip', 'route', 'flush', '203.0.113.0/24']);
      await resetKernel();
    });

    it('are those to what is on a link, and all of the tunnels asked for', async () => {
      await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
      await makeTunnel('tun0', '10.8.0.1/24', '2001:db8:8::1/64');
      await makeTunnel('tun1', '10.9.0.1/24');
      await ip(
        'route add 169.254.1.1 dev lan0',
        '-6 route add 2001:db8:2::/64 dev lan0',
        'route add default via 192.0.2.1',
        '-6 route add default via 2001:db8:1::1',
        'route add 198.51.100.0/24 via 192.0.2.1',
        '-6 route add 2001:db8:3::/48 nexthop via 2001:db8:1::1 nexthop via 2001:db8:1::2',
        'route add 198.51.100.64/26 nexthop via 192.0.2.1 nexthop via 192.0.2.2',
        'route add unreachable 203.0.113.0/24',
        'route add 203.0.113.7 dev lan0 table 500',
        'route add 10.98.0.0/16 via 10.8.0.2 dev tun0',
        'route add 10.99.0.0/16 via 10.9.0.2 dev tun1',
        'route add default dev tun0 metric 9',
        '-6 route add 2001:db8:9::/48 via 2001:db8:8::2 dev tun0',
      );

      const onLinks = [
        '10.8.0.0/24 tun0 on-link',
        '10.9.0.0/24 tun1 on-link',
        '169.254.1.1 lan0 on-link',
        '192.0.2.0/24 lan0 on-link',
        '2001:db8:1::/64 lan0 on-link',
        '2001:db8:2::/64 lan0 on-link',
        '2001:db8:8::/64 tun0 on-link',
      ];
      assert.deepEqual(await read(), onLinks);
      assert.deepEqual(await read('tun0'), [...onLinks, '10.98.0.0/16 tun0', '2001:db8:9::/48 tun0'].toSorted());
    });

    it('are none of a device that is down or gone', async () => {
      await makeLan('lan0', '192.0.2.5/24');
      await makeTunnel('tun0', '10.8.0.1/24');
      await ip('link set lan0 down');
      await removeDevice('tun0');

      assert.deepEqual(await read('tun0'), []);
    });
  });
}

describe('routes of main where there was never one', () => {
  it('are none, by either', async () => {
    const script = `
      import { IP_ROUTING } from ${JSON.stringify(import.meta.resolve('../../../sidecar/routing/ip-routing.js'))};
      import { NetlinkRouting } from ${JSON.stringify(import.meta.resolve('../../../sidecar/routing/netlink/netlink-routing.js'))};
      const netlink = await NetlinkRouting.open();
      for (const routing of [IP_ROUTING, netlink]) console.log(JSON.stringify(await routing.mainRoutes([])));
      await netlink[Symbol.asyncDispose]();
    `;

    const printed = await exec(['unshare', '-n', process.execPath, '--input-type=module', '-e', script]);

    assert.equal(printed, '[]\n[]\n');
  });
});

/** Each once: a route of a tunnel to what is on the link may be there as one, and as one of the tunnel's. */
function textsOf(routes: readonly MainRoute[]): string[] {
  const onLinks = routes.filter(({ isOnlink }) => isOnlink).map(textOf);
  const others = routes.filter(({ isOnlink }) => !isOnlink).map(textOf);
  // Each device with IPv6 has a link-local network.
  return [...onLinks.map((text) => `${text} on-link`), ...others.filter((text) => !onLinks.includes(text))].filter(
    (text) => !text.startsWith('fe80'),
  );
}

function textOf({ dst, device }: MainRoute): string {
  return `${dst} ${device}`;
}
