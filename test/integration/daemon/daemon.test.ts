/** The daemon on the real kernel, with a fake OpenVPN behind its management socket. */
import assert from 'node:assert/strict';
import { FakeManagementServer } from 'openvpn-management-client/testing';
import { exec } from '../../lab/process.js';
import { ip, ipShow, makeLan, makeTunnel, nft, removeDevice, resetKernel, setSysctl } from '../firewall/kernel.js';
import { DaemonRig } from './daemon-rig.js';

const ROUTER = '02:00:00:00:00:01';

describe('Daemon', function () {
  this.timeout(30_000);
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
    await makeTunnel('tun0', '10.64.0.1/10', '2001:db8:8::1/64');
  });
  after(resetKernel);

  it('brings clients that come and go into the kernel, with the routes of their subnets', async () => {
    await using fake = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([fake]);
    await rig.ready();

    const cid = await fake.connectClient({
      addresses: ['10.64.0.9', '2001:db8:8::9'],
      subnets: ['10.20.0.0/255.255.0.0'],
    });
    await rig.has('10.64.0.9');
    await rig.until(async () => (await rig.elements('subnet4_16')).join() === '"10.20.0.0"', 'the subnet');
    assert.match(await ipShow('route show table 7700'), /10\.20\.0\.0\/16 dev tun0/);
    await fake.disconnectClient(cid);

    await rig.has();
    await rig.until(async () => !(await ipShow('route show table all')).includes('10.20.0.0'), 'the route gone');
  });

  it('takes a router for a gateway as soon as it is a neighbour, and follows its address to another MAC', async () => {
    await using fake = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([fake]);
    await rig.ready();

    await ip(`neigh replace 192.0.2.1 lladdr ${ROUTER} dev lan0 nud reachable`);
    await rig.until(async () => (await ipShow('neigh show nud permanent')).includes(ROUTER), 'a permanent neighbour');
    await ip('neigh replace 192.0.2.1 lladdr 02:00:00:00:00:02 dev lan0 nud reachable');

    await rig.until(
      async () => /169\.254\.119\.1 dev lan0 lladdr 02:00:00:00:00:02/.test(await ipShow('neigh show nud permanent')),
      'the move',
    );
    assert.equal(rig.daemon.status().gateways[0]?.state, 'moved');
  });

  it('reads the kernel again at its own interval, and so finds what no event tells, however seldom it reads the list of clients', async () => {
    setSysctl('net/ipv4/conf/all/rp_filter', '0');
    setSysctl('net/ipv4/conf/lan0/rp_filter', '0');
    await using fake = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([fake], {
      'management.snapshotIntervalMs': 3_600_000,
      'routing.rereadIntervalMs': 1000,
    });
    await rig.ready();

    // The first change may be found by the start itself; those behind it by nothing but a new reading.
    for (const value of ['2', '0', '1', '0']) {
      setSysctl('net/ipv4/conf/lan0/rp_filter', value);
      await rig.until(
        async () => (await ipShow('rule show')).includes('lookup 7703') === (value !== '0'),
        `the rule that rp_filter ${value} needs or not`,
      );
    }
  });

  it('is not ready while a device that it is to learn on does not exist, says so, and takes it once it is there', async () => {
    await using fake = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([fake], { devices: ['lan0', 'eht0'] });
    await rig.until(
      () => rig.daemon.status().problems.includes('devices: eht0 does not exist, so gwmark learns no gateway on it'),
      'the problem',
    );
    assert.deepEqual([rig.daemon.status().ready, rig.log.of('device.unusable').length], [false, 1]);

    await makeLan('eht0', '198.51.100.5/24');

    await rig.ready();
  });

  it('repairs its table, its rules and its neighbours', async () => {
    await using fake = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([fake]);
    await rig.ready();
    await ip(`neigh replace 192.0.2.1 lladdr ${ROUTER} dev lan0 nud reachable`);
    await fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.has('10.64.0.9');
    await rig.until(async () => (await ipShow('rule show')).includes('lookup 7711'), 'the rule of the gateway');

    await nft('flush', 'ruleset');
    await rig.has('10.64.0.9');
    assert.equal(rig.log.of('firewall.repaired').length, 1);
    await ip('rule del pref 10011');

    await rig.until(async () => (await ipShow('rule show')).includes('lookup 7711'), 'the rule again');
    await rig.until(() => rig.log.of('routing.repaired').length === 1, 'the log of it');
    const fields: Readonly<Record<string, unknown>> = rig.log.of('routing.repaired')[0]?.fields ?? {};
    assert.match(String(fields['missing']), /^-4 rule pref 10011 .*lookup 7711/);
    assert.deepEqual(fields['surplus'], []);
  });

  it('restores its table against a program that insists, ever slower, and one line of the log and the status say who wins', async () => {
    await using fake = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([fake]);
    await rig.ready();
    await fake.connectClient({ addresses: ['10.64.0.9'] });
    const repairs = (): number => rig.log.of('firewall.repaired').length;

    // More than a burst; each time it is there again.
    for (let count = 1; count <= 7; count += 1) {
      await rig.has('10.64.0.9');
      await nft('flush', 'ruleset');
      await rig.until(() => repairs() === count, `repair ${count}`);
    }

    assert.equal(rig.log.of('firewall.contested').length, 1);
    assert.ok(
      rig.daemon.status().problems.includes('another program repeatedly changes table gwmark of the packet filter'),
    );
    await rig.has('10.64.0.9');
  });

  it('installs what a tunnel that OpenVPN recreated took along, and blames nobody', async () => {
    await using fake = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([fake]);
    await rig.ready();
    await fake.connectClient({ addresses: ['10.64.0.9'], subnets: ['10.20.0.0/255.255.0.0'] });
    await rig.until(
      async () => (await ipShow('route show table 7700')).includes('10.20.0.0/16 dev tun0'),
      'the route',
    );

    await rig.until(
      () => rig.log.of('server.device').some(({ fields }) => fields['source'] === 'environment'),
      'the device from the environment of a client',
    );

    // In one moment: most often nobody sees the kernel without it.
    const lines = [
      'link del tun0',
      'tuntap add dev tun0 mode tun',
      'addr add 10.64.0.1/10 dev tun0',
      'addr add 2001:db8:8::1/64 dev tun0',
      'link set tun0 up',
    ];
    await exec(['sh', '-c', `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} | ip -batch -`]);

    await rig.until(
      () =>
        (['routing.renewed', 'routing.repaired', 'client.gone'] as const).some(
          (event) => rig.log.of(event).length > 0,
        ),
      'the log of it',
    );
    await rig.until(
      async () => (await ipShow('route show table 7700')).includes('10.20.0.0/16 dev tun0'),
      'the route again',
    );
    assert.deepEqual(rig.log.of('routing.repaired'), []);
    assert.equal(rig.daemon.status().repairs.routing, 0);
  });

  it('has nothing to repair in a quiet minute of clients and routers that come and go', async () => {
    await using fake = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([fake]);
    await rig.ready();

    for (let index = 0; index < 20; index += 1) {
      const cid = await fake.connectClient({
        addresses: [`10.64.0.${10 + index}`],
        subnets: [`10.${10 + index}.0.0/255.255.0.0`],
      });
      await ip(
        `neigh replace 192.0.2.${10 + index} lladdr 02:00:00:00:01:${(16 + index).toString(16)} dev lan0 nud reachable`,
      );
      if (index % 2 === 0) await fake.disconnectClient(cid);
    }
    await rig.until(async () => (await rig.elements('client4')).length === 10, 'ten clients');
    await rig.until(() => rig.daemon.status().gateways.length === 20, 'twenty gateways');

    assert.deepEqual(
      [...rig.log.of('routing.repaired'), ...rig.log.of('firewall.repaired'), ...rig.log.of('firewall.failed')],
      [],
      rig.log.text(),
    );
  });

  it('takes clients away with their tunnel, and finds them again', async () => {
    await using fake = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([fake]);
    await rig.ready();
    await fake.connectClient({ addresses: ['10.64.0.9'], subnets: ['10.20.0.0/255.255.0.0'] });
    await rig.has('10.64.0.9');

    await removeDevice('tun0');
    await rig.has();
    await makeTunnel('tun0', '10.64.0.1/10', '2001:db8:8::1/64');

    await rig.has('10.64.0.9');
    await rig.until(
      async () => (await ipShow('route show table 7700')).includes('10.20.0.0/16 dev tun0'),
      'the route',
    );
    await rig.ready();
  });

  it('follows a new management endpoint and leaves an old one when it is told to, and the rest notices nothing', async () => {
    await using kept = await FakeManagementServer.listen();
    await using left = await FakeManagementServer.listen();
    await using added = await FakeManagementServer.listen();
    await using rig = await DaemonRig.start([kept, left]);
    await rig.ready();
    await kept.connectClient({ addresses: ['10.64.0.9'] });
    await left.connectClient({ addresses: ['10.64.0.10'] });
    await added.connectClient({ addresses: ['10.64.0.11'] });
    await rig.has('10.64.0.9', '10.64.0.10');

    await rig.reconfigure([kept, added]);
    await rig.has('10.64.0.9', '10.64.0.11');
    await rig.ready();

    assert.deepEqual(
      rig.daemon.status().servers.map(({ management }) => management),
      [kept.endpoint, added.endpoint],
    );
    assert.deepEqual(
      rig.log.of('client.gone').map(({ fields }) => fields['reason']),
      ['retired'],
    );
    assert.equal(rig.log.of('management.connected').length, 3, 'the connection that was kept was not recreated');
  });

  it('releases hold only when its rules are in the kernel', async () => {
    await using fake = await FakeManagementServer.listen({ isHeld: true });
    const tables: Promise<string>[] = [];
    fake.on('hold', () => {
      tables.push(nft('list', 'tables'));
      return ['SUCCESS: hold release succeeded'];
    });
    await using rig = await DaemonRig.start([fake]);

    await rig.until(() => tables.length > 0, 'the release');

    assert.match((await Promise.all(tables)).join(''), /table inet gwmark/);
  });

  it('refuses to start next to another program’s rules, and changes nothing', async () => {
    await ip('rule add pref 10001 lookup main');
    const before = await nft('list', 'ruleset');
    await using fake = await FakeManagementServer.listen();
    const rig = await DaemonRig.start([fake]);

    await assert.rejects(rig.running, { code: 'ROUTING_CLASH' });

    assert.equal(await nft('list', 'ruleset'), before);
    assert.equal(fake.connections, 0);
    await rig.daemon[Symbol.asyncDispose]();
    await rig.nft[Symbol.asyncDispose]();
  });

  describe('that starts again', () => {
    it('leaves clients, routes and rules untouched until it knows who is connected, and then too', async () => {
      await using fake = await FakeManagementServer.listen();
      await fake.connectClient({ addresses: ['10.64.0.9'], subnets: ['10.20.0.0/255.255.0.0', '2001:db8:77::/64'] });
      await leaveBehind(fake);
      // The first snapshot is late: until it comes, nobody is known to have left.
      const asked = fake.commands.length;
      using status = fake.hang('status');
      await using rig = await DaemonRig.start([fake]);
      await rig.until(() => fake.commands.slice(asked).includes('status 3'), 'the question who is connected');
      await ip('neigh replace 192.0.2.77 lladdr 02:00:00:00:00:77 dev lan0 nud reachable');
      await rig.until(() => rig.daemon.status().gateways.length === 2, 'another gateway seen');
      assert.deepEqual(await rig.elements('client4'), ['"10.64.0.9"']);
      status[Symbol.dispose]();
      await fake.hangUp();
      await rig.ready();

      await fake.connectClient({ addresses: ['10.64.0.10'] });
      await rig.has('10.64.0.10', '10.64.0.9');
      const changes = rig.log.of('firewall.applied').map(({ fields }) => Number(fields['changes']));
      assert.equal(
        Math.max(...changes),
        1,
        `no pass but that of the new client changed any: ${changes.join()}\n${rig.log.text()}`,
      );
      assert.deepEqual([...rig.log.of('conntrack.flushed'), ...rig.log.of('conntrack.unavailable')], []);
    });

    it('does not take a first snapshot that fails for an answer', async () => {
      await using fake = await FakeManagementServer.listen();
      await fake.connectClient({ addresses: ['10.64.0.9'] });
      await leaveBehind(fake);
      let refusals = 0;
      using status = fake.on('status', () => {
        refusals += 1;
        return ['ERROR: status is not to be had now'];
      });

      await using rig = await DaemonRig.start([fake]);
      await rig.until(() => refusals >= 3, 'three refusals');
      assert.deepEqual(await rig.elements('client4'), ['"10.64.0.9"'], rig.log.text());
      status[Symbol.dispose]();
      await rig.ready();

      await fake.connectClient({ addresses: ['10.64.0.10'] });
      await rig.has('10.64.0.10', '10.64.0.9');
      assert.equal(rig.log.of('conntrack.flushed').length, 0, rig.log.text());
    });

    it('keeps the uplink, though no client came for so long that the kernel forgot it', async () => {
      await using fake = await FakeManagementServer.listen();
      await ip(`neigh replace 192.0.2.1 lladdr ${ROUTER} dev lan0 nud reachable`);
      {
        await using rig = await DaemonRig.start([fake]);
        await rig.ready();
        await nft('add', 'element', 'inet', 'gwmark', 'uplinks', `{ "lan0" . ${ROUTER} timeout 10s }`);
        await rig.until(() => rig.daemon.status().uplink !== null, 'an uplink');
        await rig.until(
          async () => (await ipShow('route show table 7701')).includes('via 169.254.119.1'),
          'its route',
        );
      }
      await nft('flush', 'set', 'inet', 'gwmark', 'uplinks');

      await using rig = await DaemonRig.start([fake]);
      await rig.ready();

      assert.equal(rig.daemon.status().uplink, 1);
      assert.match(await ipShow('route show table 7701'), /via 169\.254\.119\.1/);
    });

    it('keeps what a server had that does not answer, and serves the others meanwhile', async () => {
      await using fake = await FakeManagementServer.listen();
      await fake.connectClient({ addresses: ['10.64.0.9'] });
      await leaveBehind(fake);
      await using silent = await FakeManagementServer.listen({ isBusy: true });

      await using rig = await DaemonRig.start([silent, fake]);
      await fake.connectClient({ addresses: ['10.64.0.10'] });

      await rig.has('10.64.0.10', '10.64.0.9');
      await ip(`neigh replace 192.0.2.1 lladdr 02:00:00:00:00:02 dev lan0 nud reachable`);
      await rig.until(
        async () =>
          /169\.254\.119\.1 dev lan0 lladdr 02:00:00:00:00:02/.test(await ipShow('neigh show nud permanent')),
        'a failover that is followed',
      );
    });

    it('takes away who left while it was not there', async () => {
      await using fake = await FakeManagementServer.listen();
      const cid = await fake.connectClient({ addresses: ['10.64.0.9'] });
      await fake.connectClient({ addresses: ['10.64.0.10'] });
      await leaveBehind(fake);
      await fake.disconnectClient(cid);

      await using rig = await DaemonRig.start([fake]);

      await rig.has('10.64.0.10');
    });
  });
});

/** A first daemon runs until everything is in the kernel, with one gateway, and ends. */
async function leaveBehind(fake: FakeManagementServer): Promise<void> {
  await ip(`neigh replace 192.0.2.1 lladdr ${ROUTER} dev lan0 nud reachable`);
  await using rig = await DaemonRig.start([fake]);
  await rig.ready();
  await rig.until(
    async () =>
      (await rig.elements('client4')).length === fake.clients.size && (await rig.elements('gateways')).length === 1,
    'everything in the kernel',
  );
}
