import assert from 'node:assert/strict';
import { IP_ROUTING } from '../../../sidecar/routing/ip-routing.js';
import type { IpNeighbour } from '../../../sidecar/routing/iproute.js';
import type { KernelRouting } from '../../../sidecar/routing/kernel-routing.js';
import { resolveQuestion, stateQuestion } from '../../../sidecar/routing/neighbour-questions.js';
import { NetlinkRouting } from '../../../sidecar/routing/netlink/netlink-routing.js';
import { eventually } from '../../lab/wait.js';
import { ip, makeLan, resetKernel } from '../firewall/kernel.js';

const MAC = '02:00:00:00:00:0a';
const DST = { v4: '192.0.2.1', v6: '2001:db8::1' } as const;

for (const by of ['netlink', 'ip'] as const) {
  describe(`the neighbour table by ${by}`, () => {
    let routing: KernelRouting;
    before(async () => {
      routing = by === 'ip' ? IP_ROUTING : await NetlinkRouting.open();
    });
    beforeEach(async () => {
      await resetKernel();
      await makeLan('lan0', '192.0.2.5/24', '2001:db8::5/64');
      await makeLan('lan1', '198.51.100.5/24');
      await ip(
        `neigh add ${DST.v4} lladdr ${MAC} dev lan0 nud stale`,
        `neigh add ${DST.v6} lladdr ${MAC} dev lan0 nud reachable router`,
        `neigh add 192.0.2.9 lladdr ${MAC} dev lan0 nud permanent protocol 119`,
        `neigh add 192.0.2.8 lladdr ${MAC} dev lan0 nud stale extern_learn`,
        `neigh add 198.51.100.1 lladdr ${MAC} dev lan1 nud stale`,
      );
    });
    after(async () => {
      await routing?.[Symbol.asyncDispose]();
      await resetKernel();
    });

    const entryOf = async (address: string): Promise<IpNeighbour | undefined> =>
      (await routing.neighbours('lan0')).find(({ dst }) => dst === address);
    const stateOf = async (address: string): Promise<readonly string[] | undefined> => (await entryOf(address))?.state;

    it('is read: of one device, or of all', async () => {
      assert.deepEqual(await entryOf(DST.v4), { dst: DST.v4, lladdr: MAC, state: ['STALE'], dev: 'lan0' });
      assert.deepEqual(await entryOf(DST.v6), {
        dst: DST.v6,
        lladdr: MAC,
        state: ['REACHABLE'],
        dev: 'lan0',
        router: null,
      });
      const permanent = await entryOf('192.0.2.9');
      assert.deepEqual([permanent?.state, permanent?.protocol], [['PERMANENT'], '119']);
      assert.ok('extern_learn' in ((await entryOf('192.0.2.8')) ?? {}));
      assert.equal(await entryOf('198.51.100.1'), undefined);
      assert.deepEqual(
        (await routing.neighboursAt('lan0', [DST.v6, '198.51.100.1', DST.v4])).map(({ dst }) => dst).toSorted(),
        [DST.v4, DST.v6],
      );
      assert.ok((await routing.neighbours()).some(({ dst, dev }) => dst === '198.51.100.1' && dev === 'lan1'));
    });

    it('is made to ask the machine that has an address, which stays a router', async () => {
      await routing.ask([
        stateQuestion('lan0', { dst: DST.v4 }, 'probe'),
        stateQuestion('lan0', (await entryOf(DST.v6)) ?? { dst: DST.v6 }, 'probe'),
      ]);

      assert.deepEqual(await stateOf(DST.v4), ['PROBE']);
      const router = await entryOf(DST.v6);
      assert.deepEqual(router?.state, ['PROBE']);
      assert.ok('router' in router);
    });

    it('is made to forget, and to ask for an address that it does not know', async () => {
      await routing.ask([stateQuestion('lan0', { dst: DST.v4 }, 'failed'), resolveQuestion('lan0', DST.v4)]);
      await routing.ask([resolveQuestion('lan0', '192.0.2.77'), resolveQuestion('lan0', '2001:db8::77')]);

      for (const address of [DST.v4, '192.0.2.77', '2001:db8::77'])
        await eventually(async () => /INCOMPLETE|FAILED/.test(((await stateOf(address)) ?? []).join()), {
          what: `the kernel asks for ${address}`,
        });
    });

    it('has nobody to ask where an entry or a device is gone, and asks the others', async () => {
      await routing.ask([
        stateQuestion('lan0', { dst: '192.0.2.66' }, 'probe'),
        stateQuestion('gone0', { dst: DST.v4 }, 'probe'),
        resolveQuestion('gone0', '192.0.2.67'),
        stateQuestion('lan0', { dst: DST.v4 }, 'probe'),
      ]);

      assert.deepEqual(await stateOf(DST.v4), ['PROBE']);
      assert.equal(await entryOf('192.0.2.66'), undefined);
    });
  });
}
