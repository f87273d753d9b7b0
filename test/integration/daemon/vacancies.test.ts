/** Ids that wait for unknown routers, in a daemon on the real kernel. */
import assert from 'node:assert/strict';
import { FakeManagementServer } from 'openvpn-management-client/testing';
import { ip, ipShow, makeLan, makeTunnel, nft, resetKernel } from '../firewall/kernel.js';
import { DaemonRig } from './daemon-rig.js';

const ROUTER = '02:00:00:00:00:07';

describe('vacancies', function () {
  this.timeout(30_000);
  let fake: FakeManagementServer;
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
    await makeTunnel('tun0', '10.64.0.1/10');
    fake = await FakeManagementServer.listen();
  });
  afterEach(async () => {
    await fake[Symbol.asyncDispose]();
    await resetKernel();
  });

  it('are four a link, each with a rule, a route, a neighbour that waits, and a set for one router', async () => {
    await using rig = await DaemonRig.start([fake], { devices: ['lan0'] });
    await rig.ready();

    assert.equal(rig.daemon.status().vacancies, 4);
    assert.deepEqual(await vacantIds(), [197, 198, 199, 200]);
    for (const id of [197, 198, 199, 200]) {
      assert.match(await ipShow(`neigh show 169.254.119.${id} dev lan0`), /INCOMPLETE/);
      assert.match(await ipShow(`route show table ${7710 + id}`), /^default via 169\.254\.119\.\d+ dev lan0 /);
    }
  });

  it('are filled by the router that the packet path put there, under its id, and then there is another one', async () => {
    await using rig = await DaemonRig.start([fake], { devices: ['lan0'] });
    await rig.ready();

    await takeAsPacketPath(199);

    await rig.until(
      async () => (await ipShow('neigh show 169.254.119.199 dev lan0')).includes(`lladdr ${ROUTER} PERMANENT`),
      'the router as gateway 199',
    );
    await rig.until(async () => String(await vacantIds()) === '196,197,198,200', 'another vacancy');
    assert.deepEqual(
      rig.daemon.status().gateways.map(({ id, mac }) => `${id} ${mac}`),
      [`199 ${ROUTER}`],
    );
  });

  it('are other ones after the table was replaced, in which nobody knows any more who had taken which', async () => {
    await using rig = await DaemonRig.start([fake], { devices: ['lan0'] });
    await rig.ready();
    // The rules of the tunnel, which follow at once, would meet the deletion.
    await rig.until(() => (rig.log.text().split('server.ready')[1] ?? '').includes('firewall.applied'), 'its rules');

    await nft('delete table inet gwmark');

    await rig.until(async () => String(await vacantIds().catch(() => [])) === '193,194,195,196', 'other vacancies');
    const passes = (): number =>
      (rig.log.text().split('firewall.repaired')[1] ?? '').split('firewall.applied').length - 1;
    await rig.until(() => passes() > 0, 'the pass to be told');
    assert.equal(passes(), 1, rig.log.text());
  });

  it('are taken over by the next start, with the router that took one meanwhile', async () => {
    {
      await using rig = await DaemonRig.start([fake], { devices: ['lan0'] });
      await rig.ready();
    }
    await nft(`add element inet gwmark vacant_200 { "lan0" . ${ROUTER} }`);

    await using rig = await DaemonRig.start([fake], { devices: ['lan0'] });
    await rig.ready();

    await rig.until(
      async () => (await ipShow('neigh show 169.254.119.200 dev lan0')).includes(`lladdr ${ROUTER} PERMANENT`),
      'the router as gateway 200',
    );
    await rig.until(async () => String(await vacantIds()) === '196,197,198,199', 'the others, and a new one');
  });

  it('come back without a word when the cable was pulled, which takes their neighbours along', async () => {
    await using rig = await DaemonRig.start([fake], { devices: ['lan0'] });
    await rig.ready();

    await ip('link set lan0p down', 'link set lan0p up');

    await rig.until(
      async () => (await ipShow('neigh show proto 147 dev lan0')).split('INCOMPLETE').length === 9,
      'four neighbours of each family',
    );
    assert.deepEqual([...rig.log.of('routing.repaired'), ...rig.log.of('routing.renewed')], []);
  });
});

async function vacantIds(): Promise<number[]> {
  const table = await nft('list table inet gwmark');
  return [...table.matchAll(/set vacant_(\d+) /g)].map(([, id]) => Number(id)).toSorted((a, b) => a - b);
}

/** What a frame of an unknown router does. */
async function takeAsPacketPath(id: number): Promise<void> {
  await nft(`add element inet gwmark vacant_${id} { "lan0" . ${ROUTER} }`);
  await nft(`add element inet gwmark takers { "lan0" . ${ROUTER} . 0x${id.toString(16)}000000 }`);
}
