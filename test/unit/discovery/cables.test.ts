import assert from 'node:assert/strict';
import type { IpDevice } from '../../../sidecar/routing/iproute.js';
import { cableOf } from '../../../sidecar/discovery/cables.js';

function device(ifname: string, last: number, more: Partial<IpDevice> = {}): IpDevice {
  return { ifindex: last, ifname, flags: ['UP'], link_type: 'ether', address: `02:00:00:00:00:0${last}`, ...more };
}

function bridge(filtering: 0 | 1): IpDevice {
  return device('br0', 1, { linkinfo: { info_kind: 'bridge', info_data: { vlan_filtering: filtering } } });
}

const port = (ifname: string, last: number): IpDevice =>
  device(ifname, last, { master: 'br0', linkinfo: { info_kind: 'veth', info_slave_kind: 'bridge' } });
const vlanOn = (link: string, protocol: string): IpDevice =>
  device('br0.10', 1, { link, linkinfo: { info_kind: 'vlan', info_data: { protocol, id: 10 } } });

const PORTS = [port('p2', 3), port('p1', 2)];
const OTHERS = [
  device('lan0', 4),
  device('bond1', 5, { master: 'bond0', linkinfo: { info_slave_kind: 'bond' } }),
  device('q1', 6, { master: 'br1', linkinfo: { info_slave_kind: 'bridge' } }),
];
const OPEN = bridge(0);
const ALL = [OPEN, ...PORTS, ...OTHERS];
const BOTH = [
  { device: 'p1', mac: '02:00:00:00:00:02' },
  { device: 'p2', mac: '02:00:00:00:00:03' },
];

describe('cableOf', () => {
  it('finds the ports of a bridge, in the order of their names, and its own MAC', () => {
    assert.deepEqual(cableOf(OPEN, ALL, new Map()), { mac: '02:00:00:00:00:01', ports: BOTH, vlan: null });
  });

  it('is null for a device that is no bridge', () => {
    for (const other of OTHERS) assert.equal(cableOf(other, ALL, new Map()), null);
  });

  it('finds the bridge below a VLAN device, and none below one on a card or of another protocol', () => {
    assert.deepEqual(cableOf(vlanOn('br0', '802.1Q'), ALL, new Map())?.vlan, 10);
    assert.equal(cableOf(vlanOn('lan0', '802.1Q'), ALL, new Map()), null);
    assert.equal(cableOf(vlanOn('br0', '802.1ad'), ALL, new Map()), null);
  });

  it('with vlan_filtering, has the ports alone whose untagged frames are in the VLAN of the bridge', () => {
    const filtering = [bridge(1), ...PORTS];
    const [own] = filtering;
    assert.ok(own !== undefined);
    const ports = (vlans: Record<string, number>): readonly string[] | undefined =>
      cableOf(own, filtering, new Map(Object.entries(vlans)))?.ports.map(({ device: name }) => name);

    assert.deepEqual(ports({ br0: 1, p1: 1, p2: 1 }), ['p1', 'p2']);
    assert.deepEqual(ports({ br0: 1, p1: 1, p2: 20 }), ['p1']);
    assert.deepEqual(ports({ p1: 1, p2: 1 }), []);
    assert.equal(cableOf(vlanOn('br0', '802.1Q'), filtering, new Map()), null);
  });
});
