/** A host on the LAN that has the address of a client: its address is its own. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { assertClean, assertFound, runDoctor } from '../lab/doctor.js';
import { runGwmark, Sidecar } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, ON_LAN, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { announces, proxies } from './announced.js';

const CLIENT = ON_LAN.client1;
const ON_SEGMENT = { v4: `${CLIENT.v4}/24`, v6: `${CLIENT.v6}/64` };

describe('a host that has the address of an announced client', function () {
  this.timeout(patient(120_000));
  let lab: VpnLab;

  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4', isOnLan: true });
    await lab.topology.local.ip(...FAMILIES.map((family) => `address add ${ON_SEGMENT[family]} dev lan0`));
    await lab.startSidecar('--announce', 'proxy');
    await lab.introduceRouters();
    await lab.connect('client1');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const takenAddresses = async (count: number): Promise<readonly string[]> => {
    const { announcements } = await lab.sidecar.statusWhere(
      (status) => status.announcements?.taken.length === count && status.announcements.pending === 0,
      `${count} addresses are taken`,
    );
    return (announcements?.taken ?? []).map(({ address, mac }) => `${address} ${mac}`).toSorted();
  };
  const doctor = async (): ReturnType<typeof runDoctor> =>
    await runDoctor(lab.topology.endpoint, {
      flags: ['--management', `unix:${lab.server.managementSocket}`, '--control-socket', lab.sidecar.controlSocket],
    });

  it('keeps it: the endpoint asks before, does not answer, and says who has it', async () => {
    assert.deepEqual(
      await takenAddresses(2),
      FAMILIES.map((family) => `${CLIENT[family]} ${MAC.local}`),
    );
    assert.deepEqual(await proxies(lab), []);
    const { fields } = await lab.sidecar.event('announce.taken');
    assert.equal(fields['mac'], MAC.local);

    for (const family of FAMILIES) {
      const host = { namespace: lab.topology.local, address: CLIENT[family] };
      assert.equal((await ping(lab.party('hostA', family), host)).received, 3, `IP${family}`);
      assertFound(await doctor(), 'announce', 'error', new RegExp(`${CLIENT[family]} on lan0: .*${MAC.local}`));
    }
    const { stdout } = await runGwmark(lab.topology.endpoint, [
      'trace',
      ADDRESS.hostA.v4,
      CLIENT.v4,
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);
    assert.match(stdout, new RegExp(`the host ${MAC.local} on lan0 has ${CLIENT.v4} too`));
  });

  it('gives it up, and the client is announced', async () => {
    await lab.topology.local.ip(...FAMILIES.map((family) => `address del ${ON_SEGMENT[family]} dev lan0`));
    await lab.sidecar.event('announce.freed');
    await announces(lab, 2);

    for (const family of FAMILIES)
      assert.equal((await ping(lab.party('hostA', family), lab.party('client1', family))).received, 3);
    const report = await doctor();
    assertFound(report, 'announce', 'ok', /2 announced/);
    assertClean(report);
  });

  it('takes it while the client is announced: the endpoint notices when the host talks to it, and stops', async () => {
    const from = lab.sidecar.log.length;
    await lab.topology.local.ip(
      ...FAMILIES.flatMap((family) => [
        `address add ${ON_SEGMENT[family]} dev lan0`,
        `neigh flush ${ADDRESS.endpoint[family]} dev lan0`,
      ]),
    );
    for (const family of FAMILIES)
      await eventually(
        async () => {
          const talk = ['ping', '-n', '-c', '1', '-W', '1', '-I', CLIENT[family], ADDRESS.endpoint[family]];
          await lab.topology.local.tryRun(talk);
          const { announcements } = await lab.sidecar.status();
          return announcements?.taken.some(({ address }) => address === CLIENT[family]);
        },
        { what: `the address is taken, IP${family}` },
      );
    await lab.sidecar.event('announce.taken', { from });
    await takenAddresses(2);
    assert.deepEqual(await proxies(lab), []);

    await lab.topology.local.ip(...FAMILIES.map((family) => `address del ${ON_SEGMENT[family]} dev lan0`));
    await announces(lab, 2);
  });
});

describe('the setting announce', function () {
  this.timeout(patient(60_000));

  it('begins and ends with a reload; without it, the doctor says that nobody answers for clients', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4', isOnLan: true });
    const config = path.join(lab.pki.directory, 'gwmark.yaml');
    await writeFile(config, 'announce: none\n');
    await using sidecar = await Sidecar.start({
      namespace: lab.topology.endpoint,
      directory: lab.pki.directory,
      managementSocket: lab.server.managementSocket,
      flags: ['--config', config],
    });
    const { endpoint } = lab.topology;
    const flags = ['--management', `unix:${lab.server.managementSocket}`, '--control-socket', sidecar.controlSocket];
    await lab.connect('client1');
    await sidecar.statusWhere(({ clients }) => clients.length === 1, 'the client is known');
    assert.equal((await sidecar.status()).announcements, null);
    assertFound(await runDoctor(endpoint, { flags }), 'announce', 'warn', /lies in the network of lan0/);

    await writeFile(config, 'announce: proxy\n');
    sidecar.process.kill('SIGHUP');
    await sidecar.statusWhere(({ announcements }) => announcements?.announced === 2, 'the client is announced');
    assert.deepEqual(await proxies(lab), [CLIENT.v4, CLIENT.v6]);

    await writeFile(config, 'announce: none\n');
    sidecar.process.kill('SIGHUP');
    await eventually(async () => (await proxies(lab)).length === 0, { what: 'nothing is announced' });
    assert.equal((await sidecar.status()).announcements, null);
  });
});
