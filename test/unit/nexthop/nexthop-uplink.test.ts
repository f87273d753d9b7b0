import assert from 'node:assert/strict';
import { GatewayTable } from '../../../sidecar/datapath/nexthop/gateway-table.js';
import { NexthopUplink } from '../../../sidecar/datapath/nexthop/nexthop-uplink.js';
import type { ConfiguredUplink } from '../../../sidecar/config/places.js';
import type { SeenMac } from '../../../sidecar/firewall/firewall.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const LAN0: ReadonlySet<string> = new Set(['lan0']);

/** Two routers on lan0, gateways 1 and 2. */
class Rig {
  readonly table = new GatewayTable(200);
  readonly log = captureLog();
  readonly silent = new Set<number>();
  readonly uplink: NexthopUplink;

  constructor(configured: ConfiguredUplink | null = null) {
    for (const mac of [A, B]) this.table.frame('lan0', mac);
    this.uplink = new NexthopUplink({
      configured,
      table: this.table,
      isSilent: (id) => this.silent.has(id),
      logger: this.log.logger,
    });
  }

  /** A poll that sees routers of transport flows, the latest first; resolves with the uplink. */
  async poll(...macs: readonly string[]): Promise<number | undefined> {
    const seen = macs.map((mac, index): SeenMac => ({ device: 'lan0', mac, expiresSeconds: 3600 - index }));
    await this.uplink.poll('none', { uplinks: seen, destinations: [] }, LAN0);
    return this.uplink.gateway?.id;
  }
}

describe('NexthopUplink', () => {
  it('is the router of the latest transport flow, and stays that one while it carries clients', async () => {
    const rig = new Rig();

    assert.equal(await rig.poll(), undefined);
    assert.equal(await rig.poll(B, A), 2);
    assert.equal(rig.uplink.hasOthers, true);
    assert.equal(await rig.poll(A, B), 2);
    assert.equal(await rig.poll(), 2, 'no news is no change');
    assert.equal(rig.log.of('uplink.changed').length, 1);
  });

  it('is another one when nothing comes from it any more and something does from that', async () => {
    const rig = new Rig();
    await rig.poll(B);
    rig.silent.add(2);

    assert.equal(await rig.poll(B), 2);
    assert.equal(await rig.poll(A, B), 1);
  });

  it('is nobody when its gateway is gone, and then the next that is seen', async () => {
    const rig = new Rig();
    await rig.poll(B);
    rig.table.removeDevice('lan0');

    assert.equal(await rig.poll(), undefined);
    rig.table.frame('lan0', A);
    assert.notEqual(await rig.poll(A), undefined);
  });

  it('is the router that captured frames were sent to, until a transport flow shows one', async () => {
    const rig = new Rig();
    const destinations = [{ device: 'lan0', mac: B, expiresSeconds: 3600 }];

    await rig.uplink.poll('none', { uplinks: [], destinations }, LAN0);
    assert.equal(rig.uplink.gateway?.mac, B);
    await rig.uplink.poll('none', { uplinks: [], destinations: [{ ...destinations[0], mac: A } as SeenMac] }, LAN0);
    assert.equal(rig.uplink.gateway?.mac, B, 'of two such routers neither is better');
    await rig.poll(A);
    assert.equal(rig.uplink.gateway?.mac, A);
    await rig.uplink.poll('none', { uplinks: [], destinations }, LAN0);
    assert.equal(rig.uplink.gateway?.mac, A, 'what is proven stays');
  });

  it('is taken over from an earlier run with what it rests on', async () => {
    for (const [uplinks, wanted] of [
      [[], A],
      [[{ device: 'lan0', mac: B, expiresSeconds: 9 }], B],
    ] as const) {
      const rig = new Rig();
      rig.uplink.adopt(2, uplinks);
      await rig.uplink.poll('none', { uplinks, destinations: [{ device: 'lan0', mac: B, expiresSeconds: 9 }] }, LAN0);
      await rig.poll(A);
      assert.equal(rig.uplink.gateway?.mac, wanted);
    }
  });

  it('is not tried where hosts show one to an OpenVPN client', async () => {
    const rig = new Rig();
    await rig.uplink.poll(
      'seeking',
      { uplinks: [], destinations: [{ device: 'lan0', mac: B, expiresSeconds: 9 }] },
      LAN0,
    );

    assert.equal(rig.uplink.gateway?.mac, B);
  });

  it('is tried where an OpenVPN client needs one, and the first that an answer came from then', async () => {
    const rig = new Rig();
    const { hasChanged } = await rig.uplink.poll('seeking', { uplinks: [], destinations: [] }, LAN0);

    assert.equal(hasChanged, true);
    const tried = rig.uplink.gateway?.mac;
    assert.notEqual(tried, undefined);
    const other = tried === A ? B : A;
    await rig.poll(other);
    assert.equal(rig.uplink.gateway?.mac, other);
  });

  it('is the configured router, a gateway from then on, whoever opens transport flows', async () => {
    const mac = '02:00:00:00:00:0c';
    const rig = new Rig({ device: 'lan0', mac, address: null });
    const { changes } = await rig.uplink.poll('none', { uplinks: [], destinations: [] }, LAN0);

    assert.deepEqual(
      changes.map(({ kind }) => kind),
      ['found'],
    );
    assert.equal(rig.uplink.isConfigured('lan0', mac), true);
    assert.equal(rig.uplink.isConfigured('lan1', mac), false);
    await rig.poll(A);
    assert.equal(rig.uplink.gateway?.mac, mac);
  });
});
