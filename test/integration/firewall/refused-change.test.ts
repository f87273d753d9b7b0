/** What follows when the kernel refuses a change: nothing is half applied, and the next attempt applies it. */
import assert from 'node:assert/strict';
import { POLICY, network } from '../../unit/rules/sample-site.js';
import { eventually } from '../../lab/wait.js';
import { elementsOf, ip, ipShow, makeLan, makeTunnel, nft, removeDevice, resetKernel, setSysctl } from './kernel.js';
import { Rig } from './rig.js';

describe('a change that the kernel refuses', () => {
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24');
    await makeTunnel('tun0', '198.51.100.1/24');
  });
  after(resetKernel);

  it('is repeated on a new table when another program deleted ours just before a client came', async () => {
    await using rig = await Rig.open();
    await rig.want();
    await rig.connect('198.51.100.2');
    await nft('delete', 'table', 'inet', POLICY.table);

    await rig.connect('198.51.100.3');
    await rig.settled();

    assert.deepEqual(
      await elementsOf(rig.nft, POLICY.table, 'client4'),
      ['"198.51.100.2"', '"198.51.100.3"'],
      rig.log.text(),
    );
  });

  it('is no error where the tunnel went during the pass, as with an OpenVPN that is killed', async () => {
    await using rig = await Rig.open();
    await rig.want();
    await removeDevice('tun0');

    const connecting = rig.connect('10.98.0.0/16');
    await rig.want({ tunnels: [] });
    await connecting;

    assert.deepEqual(rig.log.of('firewall.failed'), []);
    assert.match(String(rig.log.of('routing.device_gone')[0]?.fields['reason']), /Cannot find device "tun0"/);
    assert.equal(rig.reconciler.problem, null);
  });

  it('is one where a device that is wanted stays away', async () => {
    await using rig = await Rig.open();
    await rig.want();
    await removeDevice('tun0');

    await rig.connect('10.98.0.0/16');
    await eventually(() => rig.log.of('firewall.failed').length > 0, { what: 'the error' });

    assert.match(rig.reconciler.problem ?? '', /Cannot find device "tun0"/);
  });

  it('is repeated when another program deleted the element of a client that leaves', async () => {
    await using rig = await Rig.open();
    await rig.want();
    await rig.connect('198.51.100.2', '198.51.100.3');
    await nft('delete', 'element', 'inet', POLICY.table, 'client4', '{ 198.51.100.2 }');

    await rig.disconnect('198.51.100.2');
    await rig.settled();

    assert.deepEqual(await elementsOf(rig.nft, POLICY.table, 'client4'), ['"198.51.100.3"'], rig.log.text());
  });

  it('leaves the elements of other clients in that transaction out too, and brings them with the next', async () => {
    await using rig = await Rig.open();
    await rig.want();
    await rig.connect('198.51.100.2');
    await nft('delete', 'element', 'inet', POLICY.table, 'client4', '{ 198.51.100.2 }');
    rig.clients.remove('test', '198.51.100.2');
    rig.reconciler.clientChanged('198.51.100.2');

    await rig.connect('198.51.100.4');
    await rig.settled();

    assert.deepEqual(await elementsOf(rig.nft, POLICY.table, 'client4'), ['"198.51.100.4"'], rig.log.text());
    assert.equal(rig.log.of('firewall.recovered').length, 1);
  });

  it('still flushes the connections of a client that left while the table was being written again', async () => {
    await using rig = await Rig.open();
    await rig.want();
    await rig.connect('198.51.100.2', '203.0.113.0/24');

    // A pass begins, and in its course two clients leave and the table is found damaged.
    const passing = rig.connect('198.51.100.9');
    const leaving = rig.disconnect('198.51.100.2', '203.0.113.0/24');
    rig.reconciler.rewriteFirewall();
    await Promise.all([passing, leaving]);
    await rig.settled();

    assert.deepEqual(rig.removed.toSorted(), ['198.51.100.2', '203.0.113.0/24']);
  });

  it('leaves no route of a subnet whose client left while the table was being written again', async () => {
    await using rig = await Rig.open();
    await rig.want();
    await rig.connect('203.0.113.0/24');
    assert.match(await ipShow('route show table 7700'), /203\.0\.113\.0\/24 dev tun0/);

    const passing = rig.connect('198.51.100.9');
    const leaving = rig.disconnect('203.0.113.0/24');
    rig.reconciler.rewriteFirewall();
    await Promise.all([passing, leaving]);
    await rig.settled();

    assert.doesNotMatch(await ipShow('route show table 7700'), /203\.0\.113\.0/);
  });

  it('of one client does not keep other clients out: a subnet of a family that the tunnel has not', async () => {
    setSysctl('net/ipv6/conf/tun0/disable_ipv6', '1');
    await using rig = await Rig.open();
    await rig.want({
      tunnels: [
        {
          device: 'tun0',
          families: [4],
          addresses: [network('198.51.100.1')],
          connected: [network('198.51.100.0/24')],
          covered: [network('198.51.100.0/24')],
        },
      ],
    });

    await rig.connect('198.51.100.2', '2001:db8:77::/64');
    await rig.connect('198.51.100.3');
    await rig.settled();

    assert.deepEqual(
      await elementsOf(rig.nft, POLICY.table, 'client4'),
      ['"198.51.100.2"', '"198.51.100.3"'],
      rig.log.text(),
    );
  });

  it('of routing is tried again until the device is up, with nothing of it in nftables meanwhile', async () => {
    await using rig = await Rig.open();
    await rig.want();
    await ip('link set tun0 down');

    await rig.connect('203.0.113.0/24');
    assert.match(rig.reconciler.problem ?? '', /^ip -4 route replace .* dev tun0 .*: Device for nexthop is not up/);
    const sets = await nft('list', 'sets');
    await ip('link set tun0 up');
    await rig.settled();

    assert.doesNotMatch(sets, /subnet4_24/);
    assert.deepEqual(await elementsOf(rig.nft, POLICY.table, 'subnet4_24'), ['"203.0.113.0"']);
    assert.match(await ipShow('route show table 7700'), /203\.0\.113\.0\/24 dev tun0/);
  });
});
