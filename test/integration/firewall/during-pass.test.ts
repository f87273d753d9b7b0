/** Clients that come and go while the kernel takes the transaction of a whole table: the next pass has them. */
import assert from 'node:assert/strict';
import { POLICY } from '../../unit/rules/sample-site.js';
import { elementsOf, makeLan, makeTunnel, resetKernel } from './kernel.js';
import { Rig } from './rig.js';

describe('a pass that writes the whole table', () => {
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24');
    await makeTunnel('tun0', '198.51.100.1/24');
  });
  after(resetKernel);

  it('is followed by one that brings the client who came meanwhile', async () => {
    await using rig = await Rig.open();
    await rig.connect('198.51.100.2');
    rig.duringNextPass({ come: ['198.51.100.3'] });

    await rig.want();

    assert.deepEqual(
      await elementsOf(rig.nft, POLICY.table, 'client4'),
      ['"198.51.100.2"', '"198.51.100.3"'],
      rig.log.text(),
    );
    assert.equal(rig.reconciler.elements, 2);
  });

  it('is followed by one that takes away the client who left meanwhile, and its connections', async () => {
    await using rig = await Rig.open();
    await rig.connect('198.51.100.2', '198.51.100.3');
    rig.duringNextPass({ go: ['198.51.100.3'] });

    await rig.want();

    assert.deepEqual(await elementsOf(rig.nft, POLICY.table, 'client4'), ['"198.51.100.2"'], rig.log.text());
    assert.deepEqual(rig.removed, ['198.51.100.3']);
  });

  it('is followed by one that takes away who left while a damaged table was written again', async () => {
    await using rig = await Rig.open();
    await rig.want();
    await rig.connect('198.51.100.2', '198.51.100.3');
    rig.duringNextPass({ come: ['198.51.100.4'], go: ['198.51.100.3'] });

    rig.reconciler.rewriteFirewall();
    await rig.settled();

    assert.deepEqual(
      await elementsOf(rig.nft, POLICY.table, 'client4'),
      ['"198.51.100.2"', '"198.51.100.4"'],
      rig.log.text(),
    );
    assert.deepEqual(rig.removed, ['198.51.100.3']);
  });
});
