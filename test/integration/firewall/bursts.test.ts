/** What comes together goes to the kernel together; who comes alone does not wait. */
import assert from 'node:assert/strict';
import { POLICY } from '../../unit/rules/sample-site.js';
import { elementsOf, makeLan, makeTunnel, resetKernel } from './kernel.js';
import { Rig } from './rig.js';

function changesOf(rig: Rig): readonly unknown[] {
  return rig.log.of('firewall.applied').map(({ fields }) => fields['changes']);
}

describe('clients that come together', () => {
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24');
    await makeTunnel('tun0', '198.51.100.1/24');
  });
  after(resetKernel);

  it('are one transaction from the second read of a burst on, and the first of it does not wait', async () => {
    await using rig = await Rig.open();
    await rig.want();
    const before = changesOf(rig).length;

    await rig.connect('198.51.100.2', '198.51.100.3', '198.51.100.4');
    await rig.connect('198.51.100.5', '198.51.100.6', '198.51.100.7');
    await rig.connect('198.51.100.8');
    await rig.connect('198.51.100.9', '198.51.100.10');

    assert.deepEqual(changesOf(rig).slice(before), [1, 2, 3, 1, 1, 1]);
    assert.equal((await elementsOf(rig.nft, POLICY.table, 'client4')).length, 9);
  });
});
