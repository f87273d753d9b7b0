import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { VLAN_ADDRESS } from '../lab/inline.js';
import type { InlineLab } from '../lab/inline-lab.js';
import { MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL } from '../lab/vpn-lab.js';
import { eventually } from '../lab/wait.js';
import { bytesOf } from './inline-frames.js';

/** What `gwmark down` restores is kept: with the module, the rp_filter of each link. */
const SAVED = 'comment "sysctl ';

/** The part of the inline suite that needs devices for VLAN tags. */
export function describeTags(
  lab: () => InlineLab,
  watchingWhole: (action: () => Promise<void>, filter: string) => Promise<Record<'r1' | 'r2', readonly Frame[]>>,
): void {
  it('passes frames with a VLAN tag, byte for byte, also when they are for an address of the VPN', async () => {
    await lab().topology.addVlan();
    const { r1: first } = lab().topology.boxes;
    await first.ip(`address add ${TUNNEL.client1.v4}/32 dev lo`);

    const { r1, r2 } = await watchingWhole(async () => {
      const from = { namespace: lab().topology.boxes.r2, address: VLAN_ADDRESS.r2.v4 };
      assert.equal((await ping(from, { address: VLAN_ADDRESS.r1.v4 }, { count: 1 })).received, 1);
      await lab().topology.boxes.r2.ip(`route add ${TUNNEL.client1.v4} via ${VLAN_ADDRESS.r1.v4}`);
      assert.equal((await ping(from, { address: TUNNEL.client1.v4 }, { count: 1 })).received, 1, 'r1 itself answered');
      await lab().topology.boxes.r2.ip(`route del ${TUNNEL.client1.v4}`);
    }, 'vlan 10');
    await first.ip(`address del ${TUNNEL.client1.v4}/32 dev lo`);

    assert.ok(r1.length >= 4, `${r1.length} frames`);
    for (const [from, to] of [
      [MAC.r2, MAC.r1],
      [MAC.r1, MAC.r2],
    ])
      assert.deepEqual(bytesOf(r1, from, to), bytesOf(r2, from, to));
  });

  it('captures frames with the tag of a VLAN once the bridge has a device for it, and answers with the tag', async () => {
    const { r2 } = lab().topology.boxes;
    await lab().endpoint.ip(
      'link add link br0 name br0.10 type vlan id 10',
      'address add 203.0.113.251/29 dev br0.10',
      'address add 2001:db8:10::10/64 dev br0.10',
      'link set br0.10 up',
    );
    for (const family of FAMILIES) {
      await r2.ip(`route add ${TUNNEL.client1[family]} via ${VLAN_ADDRESS.r1[family]}`);
      await eventually(async () => await reaches(lab(), family), {
        what: `IP${family} with the tag`,
      });
      await r2.ip(`route del ${TUNNEL.client1[family]}`);
    }
    const { gateways } = await lab().sidecar.status();
    assert.ok(gateways.some(({ device, mac }) => device === 'br0.10' && mac === MAC.r2));
    await lab().endpoint.ip('link del br0.10');
    const listings = [
      ['nft', 'list', 'ruleset'],
      ['ip', 'route', 'show', 'table', 'all'],
    ];
    await eventually(
      async () => {
        const texts = await Promise.all(listings.map(async (words) => await lab().endpoint.run(words)));
        assert.deepEqual(
          texts.flatMap((text) => text.split('\n').filter((line) => line.includes('br0.10') && !line.includes(SAVED))),
          [],
        );
        return true;
      },
      { what: 'nothing names the device any more' },
    );
  });
}

async function reaches(lab: InlineLab, family: 'v4' | 'v6'): Promise<boolean> {
  const [from, to] = [lab.party('host', family), lab.party('client1', family)];
  return (await ping(from, to, { count: 1, waitSeconds: 0.05 })).received === 1;
}
