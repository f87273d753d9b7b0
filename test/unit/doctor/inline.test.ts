import assert from 'node:assert/strict';

import type { IpDevice } from '../../../sidecar/routing/iproute.js';
import type { Command } from 'nftables-json';
import { judgeInline, probeFrames } from '../../../sidecar/doctor/checks/inline.js';
import { POLICY } from '../rules/sample-site.js';

function device(ifname: string, linkinfo: IpDevice['linkinfo'] = {}, more: Partial<IpDevice> = {}): IpDevice {
  return { ifindex: 1, ifname, flags: ['UP'], link_type: 'ether', address: '02:00:00:00:00:01', linkinfo, ...more };
}

const bridge = (filtering: 0 | 1): IpDevice =>
  device('br0', { info_kind: 'bridge', info_data: { vlan_filtering: filtering } });
const vlan = (protocol: string): IpDevice =>
  device('br0.10', { info_kind: 'vlan', info_data: { protocol, id: 10 } }, { link: 'br0' });
const PORTS = ['p1', 'p2'].map((name) => device(name, { info_slave_kind: 'bridge' }, { master: 'br0' }));
const FACTS = {
  datapath: 'nexthop',
  firewall: 'nftables',
  devices: [bridge(0), ...PORTS],
  inline: 'auto',
  links: ['br0'],
  untagged: new Map<string, number>(),
  refusal: null,
} as const;

/** What the check says, one finding a line. */
function said(more: Partial<Parameters<typeof judgeInline>[0]>): readonly string[] {
  return judgeInline({ ...FACTS, ...more }).map(({ severity, found }) => `${severity} ${found}`);
}

function withVlan(protocol: string): readonly IpDevice[] {
  return [bridge(0), ...PORTS, vlan(protocol)];
}

describe('judgeInline', () => {
  it('is content without a bridge, with one without ports, and where every port captures', () => {
    assert.deepEqual(said({ links: [] }), ['ok no link is a bridge']);
    assert.match(said({ devices: [bridge(0)] }).join(), /^ok has no port/);
    assert.match(said({}).join(), /^ok frames for the VPN are captured at p1, p2$/);
    assert.match(said({ datapath: 'module' }).join(), /^ok the module/);
    assert.match(said({ inline: 'off' }).join(), /^ok .*inline is off$/);
  });

  it('says that iptables captures nothing, which need not be a fault', () => {
    assert.match(said({ firewall: 'iptables' }).join(), /^info .*iptables has no rules/);
  });

  it('says why the kernel takes no table for frames, and installs none to find out', async () => {
    const asked: Command[] = [];
    const refuse = async (commands: readonly Command[]): Promise<void> => {
      asked.push(...commands);
      throw new Error('add table bridge gwmark_doctor: Operation not supported\nmore');
    };
    const refusal = await probeFrames({ check: refuse }, POLICY);

    assert.equal(refusal, 'add table bridge gwmark_doctor: Operation not supported');
    assert.ok(asked.length > 0);
    assert.match(said({ refusal }).join(), /^warn .*the kernel refuses a table of family bridge \(add table/);
    assert.equal(await probeFrames({ check: async () => undefined }, POLICY), null);
  });

  it('warns of ports in another VLAN than the bridge, and of VLAN devices on a bridge that keeps VLANs apart', () => {
    const devices = [bridge(1), ...PORTS, vlan('802.1Q')];
    const untagged = new Map([
      ['br0', 1],
      ['p1', 1],
      ['p2', 20],
    ]);

    assert.match(
      said({ devices, untagged }).join(),
      /^warn frames for the VPN pass at p2: .* in VLAN 1, not in theirs$/,
    );
    assert.match(
      said({ devices, untagged, links: ['br0.10'] }).join(),
      /^warn .* p1, p2: .* only untagged frames there$/,
    );
    assert.match(said({ devices, untagged: new Map([...untagged, ['p2', 1]]) }).join(), /^ok/);
  });

  it('knows VLAN devices of 802.1Q on a plain bridge, and none of 802.1ad', () => {
    assert.match(said({ devices: withVlan('802.1Q'), links: ['br0.10'] }).join(), /^ok .* at p1, p2$/);
    assert.match(said({ devices: withVlan('802.1ad'), links: ['br0.10'] }).join(), /^warn .*802\.1ad$/);
  });
});
