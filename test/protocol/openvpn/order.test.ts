/** Events, snapshots, logins and hold in the order in which they must take effect. */
import assert from 'node:assert/strict';
import { InstanceRig } from './instance-rig.js';

/** A promise that a test resolves. */
class Latch {
  open: () => void = () => undefined;
  readonly promise = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

describe('Instance and the order of things', () => {
  it('applies events that arrive before the first snapshot after it', async () => {
    // The snapshot is asked for, and before its answer one client leaves and another comes.
    await using rig = await InstanceRig.start({}, {}, undefined, (server) => {
      void server.connectClient({ addresses: ['10.64.0.9'] });
      void server.connectClient({ addresses: ['10.64.0.10'] });
      server.on('env-filter', () => {
        void server.disconnectClient(0);
        void server.connectClient({ addresses: ['10.64.0.11'] });
        return ['SUCCESS: env_filter_level=0'];
      });
    });

    await rig.ready();

    assert.deepEqual(rig.networks, ['10.64.0.10', '10.64.0.11']);
  });

  it('keeps whom the first snapshot has, where OpenVPN restarted just before it', async () => {
    await using rig = await InstanceRig.start({}, { isClientAuth: false }, undefined, (server) => {
      let asked = 0;
      server.on('status', () => {
        asked += 1;
        // The one that would put it right is not answered.
        if (asked > 1) return [];
        void server.send(
          '>STATE:1795733200,RECONNECTING,SIGUSR1,,,,,\r\n>STATE:1795733201,CONNECTED,SUCCESS,10.64.0.1,,,,,\r\n',
        );
        return [
          'HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tClient ID',
          'CLIENT_LIST\troamer\t192.0.2.10:1024\t10.64.0.9\t0',
          'END',
        ];
      });
    });
    await rig.ready();

    assert.deepEqual(rig.networks, ['10.64.0.9']);
    assert.equal(rig.instance.epoch, 2);
  });

  it('believes an event that came after the snapshot began more than the snapshot', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    const cid = await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.9');
    const stale = [
      'HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tClient ID',
      `CLIENT_LIST\tclient-${cid}\t192.0.2.10:1024\t10.64.0.9\t${cid}`,
      'HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address',
    ];
    // The daemon's answer to one question, with an event between its lines.
    rig.fake.on('status', () => {
      void rig.fake.send(`TITLE\tOpenVPN\r\n>CLIENT:DISCONNECT,${cid}\r\n>CLIENT:ENV,END\r\n`);
      return [...stale, 'END'];
    });
    const asked = rig.asked('status 3');

    await rig.fake.connectClient({ addresses: ['10.64.0.20'] });
    await rig.until(() => rig.asked('status 3') > asked, 'a snapshot');

    await rig.until(() => !rig.networks.includes('10.64.0.9'), 'the client gone');
  });

  it('asks for a snapshot after every ESTABLISHED, and for few in a storm', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    const before = rig.asked('status 3');
    await rig.fake.connectClient({});
    await rig.until(() => rig.asked('status 3') > before, 'a snapshot');

    await rig.fake.storm(500);
    await rig.until(
      () => rig.clients.size === 1002,
      () => `1002 networks, not ${rig.clients.size}`,
    );

    assert.ok(rig.asked('status 3') - before < 50, `${rig.asked('status 3') - before} snapshots for 501 clients`);
  });

  it('works from ESTABLISHED and snapshots where OpenVPN has no management-client-auth, and says so once', async () => {
    await using rig = await InstanceRig.start(
      { 'management.pollIntervalMs': 500, 'management.snapshotIntervalMs': 1000 },
      { isClientAuth: false },
    );
    await rig.ready();
    const cid = await rig.fake.connectClient({ addresses: ['10.64.0.9'], subnets: ['10.99.0.0/255.255.0.0'] });
    await rig.fake.connectClient({ addresses: ['10.64.0.10'] });
    await rig.have('10.64.0.10', '10.64.0.9', '10.99.0.0/16');

    await rig.fake.disconnectClient(cid);

    await rig.have('10.64.0.10');
    assert.equal(rig.log.of('management.no_client_auth').length, 1);
  });

  it('does not call a server one without client-auth whose CONNECT it only missed', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();

    // Logged in before the sidecar came, established after.
    await rig.fake.send(
      '>CLIENT:ADDRESS,7,10.64.0.9,1\r\n>CLIENT:ESTABLISHED,7\r\n>CLIENT:ENV,common_name=x\r\n>CLIENT:ENV,END\r\n',
    );
    await rig.until(() => rig.log.of('client.connected').length === 1, 'the client');

    assert.equal(rig.log.of('management.no_client_auth').length, 0);
  });

  it('falls back to status 1 where a user name breaks status 3, and keeps the sessions that it has', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    const cid = await rig.fake.connectClient({
      commonName: 'a',
      realAddress: '192.0.2.10:1000',
      addresses: ['10.64.0.9'],
    });
    await rig.have('10.64.0.9');
    rig.fake.on('status', ([format]) =>
      format === '3'
        ? ['TITLE\tOpenVPN', 'HEADER\tCLIENT_LIST\tCommon Name']
        : [
            'OpenVPN CLIENT LIST',
            'Updated,2026-01-01 00:00:00',
            'Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since',
            'a,192.0.2.10:1000,1,1,2026-01-01 00:00:00',
            'b,192.0.2.11:1000,1,1,2026-01-01 00:00:00',
            'ROUTING TABLE',
            'Virtual Address,Common Name,Real Address,Last Ref',
            '10.64.0.9,a,192.0.2.10:1000,2026-01-01 00:00:00',
            '10.64.0.12,b,192.0.2.11:1000,2026-01-01 00:00:00',
            'GLOBAL STATS',
            'Max bcast/mcast queue length,0',
            'END',
          ],
    );

    await rig.fake.send('>CLIENT:ESTABLISHED,5\r\n>CLIENT:ENV,common_name=b\r\n>CLIENT:ENV,END\r\n');
    await rig.have('10.64.0.12', '10.64.0.9');
    await rig.fake.disconnectClient(cid);

    await rig.have('10.64.0.12');
  });

  describe('under authorize: accept', () => {
    it('answers CONNECT and every REAUTH with its own CID and KID', async () => {
      await using rig = await InstanceRig.start({ authorize: 'accept' });
      await rig.ready();
      await rig.fake.connectClient({}, { waitsForAuth: true });
      const cid = await rig.fake.connectClient({ addresses: ['10.64.0.9'] }, { waitsForAuth: true });
      assert.equal(await rig.fake.expect('client-auth-nt'), 'client-auth-nt 0 1');
      assert.equal(await rig.fake.expect('client-auth-nt'), `client-auth-nt ${cid} 1`);
      await rig.until(() => rig.networks.includes('10.64.0.9'), 'the client');

      await rig.fake.reauthenticate(cid);
      await rig.fake.reauthenticate(cid);

      assert.equal(await rig.fake.expect('client-auth-nt'), `client-auth-nt ${cid} 2`);
      assert.equal(await rig.fake.expect('client-auth-nt'), `client-auth-nt ${cid} 3`);
    });

    it('answers at once while it still prepares the connection', async () => {
      const latch = new Latch();
      await using rig = await InstanceRig.start({ authorize: 'accept' });
      rig.whenResolved = () => latch.promise;
      await rig.fake.expect('state');

      await rig.fake.connectClient({}, { waitsForAuth: true });

      assert.equal(await rig.fake.expect('client-auth-nt'), 'client-auth-nt 0 1');
      latch.open();
    });

    it('answers a login that came in one piece with the banner', async () => {
      await using rig = await InstanceRig.start(
        { authorize: 'accept' },
        { isHeld: true, pieceBytes: 1_000_000 },
        undefined,
        (server) => {
          // The fake greets and sends this in one turn.
          const wait = setInterval(() => {
            if (server.connections === 0) return;
            clearInterval(wait);
            void server.connectClient({}, { waitsForAuth: true });
          }, 0);
        },
      );

      assert.equal(await rig.fake.expect('client-auth-nt'), 'client-auth-nt 0 1');
    });
  });

  describe('and logins that were asked while nobody was attached', () => {
    it('lets them in under authorize: accept, each once, by the key that waits', async () => {
      await using rig = await InstanceRig.start({ authorize: 'accept' }, {}, undefined, (server) => {
        void server.connectClient({ addresses: ['10.64.0.9'] });
        void server.connectClient({ addresses: ['10.64.0.10'] }, { waitsForAuth: true });
        void server.connectClient({ addresses: ['10.64.0.11'] }, { waitsForAuth: true });
        // It began three times from one port.
        const third = server.clients.get(2);
        if (third !== undefined) third.kid = 3;
      });

      await rig.have('10.64.0.10', '10.64.0.11', '10.64.0.9');

      assert.deepEqual(
        rig.fake.commands.filter((line) => line.startsWith('client-')),
        ['client-auth-nt 1 1', 'client-auth-nt 2 1', 'client-auth-nt 2 2', 'client-auth-nt 2 3'],
      );
      assert.deepEqual(
        rig.log.of('management.logins_found').map(({ fields }) => fields['clients']),
        [2],
      );
    });

    it('tries key 0 last with OpenVPN 2.5, where the first exchange has it', async () => {
      await using rig = await InstanceRig.start(
        { authorize: 'accept' },
        { version: '2.5.9', managementVersion: 3 },
        undefined,
        (server) => {
          void server.connectClient({ addresses: ['10.64.0.9'] }, { waitsForAuth: true });
          const client = server.clients.get(0);
          if (client !== undefined) client.kid = 0;
        },
      );

      await rig.have('10.64.0.9');

      assert.equal(
        rig.fake.commands.findLast((line) => line.startsWith('client-')),
        'client-auth-nt 0 0',
      );
    });

    it('does not answer again whom an event asks about', async () => {
      await using rig = await InstanceRig.start({ authorize: 'accept' }, {}, undefined, (server) => {
        server.on('env-filter', () => {
          void server.connectClient({ addresses: ['10.64.0.9'] }, { waitsForAuth: true });
          return ['SUCCESS: env_filter_level=0'];
        });
      });

      await rig.have('10.64.0.9');
      await rig.ready();
      await rig.fake.connectClient({ addresses: ['10.64.0.10'] });
      await rig.until(() => rig.networks.includes('10.64.0.10'), 'another client');

      assert.equal(rig.fake.commands.filter((line) => line.startsWith('client-auth-nt 0')).length, 1);
    });

    it('leaves them alone under authorize: none', async () => {
      await using rig = await InstanceRig.start(
        {},
        {},
        undefined,
        (server) => void server.connectClient({}, { waitsForAuth: true }),
      );
      await rig.ready();
      await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
      await rig.have('10.64.0.9');

      assert.deepEqual(
        rig.fake.commands.filter((line) => line.startsWith('client-')),
        [],
      );
    });
  });

  it('leaves logins to another program under authorize: none, and says so once', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    await rig.fake.connectClient({}, { waitsForAuth: true });
    await rig.fake.connectClient({}, { waitsForAuth: true });
    await rig.until(() => rig.log.of('management.logins_unanswered').length > 0, 'a warning');

    // Both logins were heard by the time that a third client, which needs no answer, is there.
    await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.until(() => rig.networks.includes('10.64.0.9'), 'the third client');

    assert.equal(rig.log.of('management.logins_unanswered').length, 1);
    assert.deepEqual(
      rig.fake.commands.filter((line) => line.startsWith('client-')),
      [],
    );
  });

  describe('under management-hold', () => {
    it('releases only after everything is applied', async () => {
      const latch = new Latch();
      let asked = 0;
      await using rig = await InstanceRig.start({}, { isHeld: true });
      rig.whenApplied = () => {
        asked += 1;
        return latch.promise;
      };
      await rig.until(() => asked === 1, 'the question whether all is applied');
      assert.equal(rig.asked('hold release'), 0);

      latch.open();

      await rig.fake.expect('hold');
      assert.equal(rig.asked('hold release'), 1);
    });

    it('releases again after each restart inside', async () => {
      await using rig = await InstanceRig.start({}, { isHeld: true });
      await rig.fake.expect('hold');
      await rig.ready();

      await rig.fake.send('>HOLD:Waiting for hold release:0\r\n');

      await rig.fake.expect('hold');
      assert.equal(rig.asked('hold release'), 2);
    });

    it('leaves the hold alone when told so', async () => {
      await using rig = await InstanceRig.start({ hold: 'leave' }, { isHeld: true });
      await rig.ready();

      assert.equal(rig.asked('hold release'), 0);
    });

    it('does not release on a later connection what an earlier one waited for', async () => {
      const first = new Latch();
      const second = new Latch();
      const latches = [first, second];
      let asked = 0;
      await using rig = await InstanceRig.start({}, { isHeld: true });
      rig.whenApplied = () => {
        asked += 1;
        return latches[asked - 1]?.promise ?? Promise.resolve();
      };
      await rig.until(() => asked === 1, 'the first wait');
      await rig.fake.hangUp();
      await rig.until(() => asked === 2, 'the second wait');

      first.open();
      // Time for a command to be sent, if one is: an exchange of another kind goes through.
      await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
      await rig.until(() => rig.networks.includes('10.64.0.9'), 'the client');

      assert.equal(rig.asked('hold release'), 0);
      second.open();
      await rig.fake.expect('hold');
    });
  });

  it('does not go on preparing a connection that is lost', async () => {
    const latch = new Latch();
    await using rig = await InstanceRig.start();
    let isWaiting = false;
    rig.whenResolved = () => {
      isWaiting = true;
      return latch.promise;
    };
    await rig.until(() => isWaiting, 'a look at the devices');
    await rig.fake.hangUp();
    await rig.until(() => rig.fake.connections === 2, 'a second connection');
    rig.whenResolved = () => Promise.resolve();

    latch.open();
    await rig.ready();
    await rig.fake.connectClient({ addresses: ['10.64.0.9'] });

    await rig.have('10.64.0.9');
    assert.equal(rig.instance.state, 'ready');
  });

  it('learns port and protocol from the first client that is established, also when the state told the port before', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    const resolved: number[] = [];
    rig.whenResolved = () => {
      resolved.push(1);
      return Promise.resolve();
    };

    // The fake's state says port 1194, its clients' environments udp.
    await rig.fake.connectClient({});

    await rig.until(() => resolved.length > 0, 'another look at the sockets');
  });
});
