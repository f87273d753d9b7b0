/**
 * docs/guides/one-arm.md, run unchanged: each block on the machine that it names, in order, and then it works.
 */
import assert from 'node:assert/strict';

import { fencedBlocks, readGuide } from '../lab/guide.js';
import { typeGuide } from '../lab/guide-run.js';
import { networkState } from '../lab/network-state.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';

const GUIDE = 'docs/guides/one-arm.md';

describe('the guide of the one-arm topology', function () {
  this.timeout(patient(120_000));

  it('leads to a client that hosts reach, with every command unchanged, and undoes it', async () => {
    const conf = fencedBlocks(readGuide(GUIDE)).find(({ language }) => language === 'conf');
    assert.equal(conf?.text.trim(), 'management /run/openvpn/management.sock unix', 'the lab has this line');
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const pristine = await networkState(lab.topology.endpoint);

    const printed = await typeGuide({
      lab,
      file: GUIDE,
      before: {
        connected: async () => {
          await lab.introduceRouters();
          await lab.connect('client1');
          for (const family of FAMILIES)
            assert.equal((await ping(lab.party('hostA', family), lab.party('client1', family))).received, 3);
        },
      },
    });

    assert.match(printed, /nothing is wrong/);
    assert.match(printed, /datapath nexthop, nftables: ready/);
    assert.match(printed, new RegExp(`answers of this flow leave lan0 to ${MAC.r1} \\(gateway \\d+\\)`));
    assert.match(printed, new RegExp(ADDRESS.r1.v4.replaceAll('.', '\\.')), 'gateways shows r1');
    assert.deepEqual(await networkState(lab.topology.endpoint), pristine, 'the way back leaves nothing');
  });
});
