/** A site that offloads, on the kernel of this machine, which may have no flowtables. */
import assert from 'node:assert/strict';
import { NftError } from 'nftables-json';
import { CountedNftables } from '../../../sidecar/firewall/counted-nftables.js';
import { NftablesFirewall } from '../../../sidecar/firewall/nftables-firewall.js';
import { POLICY, gateway } from '../../unit/rules/sample-site.js';
import { elementsOf, makeLan, makeTunnel, nft, resetKernel } from './kernel.js';
import { Rig } from './rig.js';

describe('a site that offloads', () => {
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24');
    await makeTunnel('tun0', '198.51.100.1/24');
  });
  after(resetKernel);

  it('has its rules in a kernel without flowtables too, and says what was refused', async () => {
    await using rig = await Rig.open();
    const hasFlowtables = await rig.nft
      .check([
        { add: { table: { family: 'inet', name: 'probe' } } },
        { add: { flowtable: { family: 'inet', table: 'probe', name: 'f', hook: 'ingress', prio: 0, dev: ['lo'] } } },
      ])
      .then(
        () => true,
        (error: unknown) => !(error instanceof NftError && error.code === 'ENOENT'),
      );

    await rig.want({ offloads: true, gateways: [gateway(1)] });
    await rig.connect('198.51.100.2');

    assert.equal(rig.firewall.refusal === null, hasFlowtables, rig.firewall.refusal ?? '');
    assert.deepEqual(rig.log.of('firewall.failed'), []);
    assert.deepEqual(await elementsOf(rig.nft, POLICY.table, 'client4'), ['"198.51.100.2"']);
    const rules = await nft('list', 'chain', 'inet', POLICY.table, 'offloading');
    assert.equal(rules.includes('flow add @answers'), hasFlowtables, rules);
    assert.equal((await rig.firewall.inspect()).state, 'intact');
  });

  it('is renewed without a trace of it in what is inspected, and ends without a rest', async () => {
    await using rig = await Rig.open();
    await rig.want({ offloads: true, gateways: [gateway(1)] });

    assert.equal(await rig.firewall.renew(), true);
    assert.equal((await rig.firewall.inspect()).state, 'intact');
    await rig.want({ gateways: [gateway(1)] });

    assert.equal(await rig.firewall.renew(), false);
    assert.doesNotMatch(await nft('list', 'table', 'inet', POLICY.table), /offload|flowtable|relearnt/);
  });

  it('is taken over by the next run', async () => {
    {
      await using rig = await Rig.open();
      await rig.want({ offloads: true, gateways: [gateway(1)] });
    }
    await using next = await Rig.open();
    await next.adopt();

    await next.want({ offloads: true, gateways: [gateway(1)] });

    assert.deepEqual(next.log.of('firewall.failed'), []);
    assert.equal((await next.firewall.inspect()).state, 'intact');
  });
});

describe('CountedNftables', () => {
  before(resetKernel);
  after(resetKernel);

  it("changes its generation with other programs' transactions, not with ours, refused ones or reading", async () => {
    await using rig = await Rig.open();
    const counted = new CountedNftables(rig.nft);
    const firewall = new NftablesFirewall(counted, 'counted');
    const before = await counted.othersGeneration();

    await counted.run([{ add: { table: { family: 'inet', name: 'counted' } } }]);
    await counted.run([{ delete: { table: { family: 'inet', name: 'counted' } } }]);
    await assert.rejects(counted.run([{ delete: { table: { family: 'inet', name: 'counted' } } }]));
    await counted.run([]);
    await counted.check([{ add: { table: { family: 'inet', name: 'counted' } } }]);
    await firewall.inspect();
    assert.equal(await counted.othersGeneration(), before);

    await nft('add', 'table', 'inet', 'of_others');
    assert.notEqual(await counted.othersGeneration(), before);
    await nft('delete', 'table', 'inet', 'of_others');
  });
});
