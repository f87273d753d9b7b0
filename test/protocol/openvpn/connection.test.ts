/** What an instance makes of connections that come, go and lie. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeManagementServer } from 'openvpn-management-client/testing';
import { OneReplyRelay } from './one-reply-relay.js';
import { InstanceRig, settingsFor } from './instance-rig.js';

describe('Instance and its connection', () => {
  it('prepares a connection in the order that loses nothing, and is ready with the tunnel that OpenVPN names', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();

    assert.deepEqual(rig.fake.commands.filter((line) => !line.startsWith('pid')).slice(0, 4), [
      'version',
      'env-filter 0',
      'state on',
      'state all',
    ]);
    assert.equal(rig.instance.place.tunnel?.device, 'tun0');
    assert.equal(rig.instance.problem, null);
  });

  it('takes who is connected already from the first snapshot, before it is ready', async () => {
    await using rig = await InstanceRig.start(
      {},
      {},
      undefined,
      (fake) => void fake.connectClient({ addresses: ['10.64.0.9'], subnets: ['10.99.0.0/255.255.0.0'] }),
    );
    await rig.ready();

    assert.deepEqual(rig.networks, ['10.64.0.9', '10.99.0.0/16']);
  });

  it('keeps clients while the management connection is lost and back with the same process', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.9');

    await rig.fake.hangUp();
    await rig.until(() => rig.fake.connections === 2, 'a second connection');
    assert.deepEqual(rig.networks, ['10.64.0.9']);
    await rig.ready();

    assert.deepEqual(rig.networks, ['10.64.0.9']);
    assert.deepEqual(rig.sessions, ['1 0']);
    assert.equal(rig.log.of('client.gone').length, 0);
    assert.equal(rig.log.of('management.lost').length, 1);
  });

  it('learns from the snapshot of the next connection who left meanwhile', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    const cid = await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.fake.connectClient({ addresses: ['10.64.0.10'] });
    await rig.have('10.64.0.10', '10.64.0.9');

    await rig.fake.hangUp();
    await rig.fake.disconnectClient(cid);

    await rig.have('10.64.0.10');
    assert.equal(rig.log.of('client.gone')[0]?.fields['reason'], 'resync');
  });

  it('ends the epoch when another process answers', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.9');

    rig.fake.on('pid', () => ['SUCCESS: pid=2000']);
    await rig.fake.hangUp();
    await rig.until(() => rig.log.of('server.restarted').length === 1, 'a restart');
    await rig.ready();

    assert.deepEqual(rig.sessions, ['2 0'], 'the fake still has the client, and its CID is of a new epoch');
  });

  it('ends the epoch when the process is the same but reconnected while nobody listened', async () => {
    await using rig = await InstanceRig.start();
    let rows = [stateRow(100, 'CONNECTED')];
    rig.fake.history('state', () => rows);
    await rig.fake.hangUp();
    await rig.ready();
    const gone = await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.9');
    await rig.fake.disconnectClient(gone);
    await rig.have();
    const before = rig.log.of('server.restarted').length;

    rows = [stateRow(100, 'CONNECTED'), stateRow(200, 'RECONNECTING'), stateRow(201, 'CONNECTED')];
    await rig.fake.hangUp();
    await rig.until(() => rig.log.of('server.restarted').length === before + 1, 'a restart');
    await rig.ready();
    // CIDs begin at 0 again: one that was gone is another client now.
    await rig.fake.send('>CLIENT:ADDRESS,0,10.64.0.77,1\r\n');

    await rig.have('10.64.0.77');
  });

  it('ends the epoch when the process is in the middle of its restart', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.9');

    const now = Math.floor(Date.now() / 1000);
    const rows = [stateRow(now, 'CONNECTED'), stateRow(now, 'RECONNECTING')];
    // As under management-hold: OpenVPN waits, its clients are gone, and no status is to be had.
    rig.fake.history('state', () => rows);
    rig.fake.on('status', () => ['ERROR: The "status" command is not supported by the current daemon mode']);
    await rig.fake.hangUp();

    await rig.have();
  });

  it('ends the epoch on RECONNECTING, and takes CID 0 again on the same connection', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.fake.connectClient({ addresses: ['10.64.0.10'] });
    await rig.have('10.64.0.10', '10.64.0.9');

    await rig.fake.restart('SIGUSR1');
    await rig.have();
    await rig.fake.connectClient({ addresses: ['10.64.0.11'] });
    await rig.have('10.64.0.11');

    assert.deepEqual(rig.sessions, ['2 0']);
    assert.equal(rig.log.of('server.restarted')[0]?.fields['reason'], 'SIGUSR1');
    assert.equal(rig.fake.connections, 1);
  });

  it('takes everybody away when the tunnel device is gone, and back when it is there again', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.9');

    await rig.instance.resolve({ links: [], tunnels: [], taps: [] });
    assert.deepEqual(rig.networks, []);
    assert.equal(rig.instance.state, 'waiting');
    await rig.instance.resolve({ links: [], tunnels: rig.tunnels, taps: [] });

    await rig.have('10.64.0.9');
  });

  it('gives up a connection that says garbage without an end, tells why, and comes back', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    await rig.fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.9');
    const before = process.memoryUsage().rss;

    for (let round = 0; round < 3; round += 1) {
      const connections = rig.fake.connections;
      await rig.fake.send('\u0000\u00ff'.repeat(4 * 1024 * 1024));
      await rig.until(() => rig.fake.connections > connections, 'a new connection');
      await rig.ready();
    }

    assert.deepEqual(rig.networks, ['10.64.0.9']);
    assert.equal(rig.log.of('management.protocol_error')[0]?.fields['code'], 'MGMT_OVERFLOW');
    const grownMiB = (process.memoryUsage().rss - before) / 1024 / 1024;
    assert.ok(grownMiB < 100, `${grownMiB} MiB more after 24 MiB of garbage`);
  });

  it('lives on binary noise with line ends, and goes on hearing what makes sense', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();

    await rig.fake.send(
      '>\r\n>:\r\n>CLIENT:\r\n>CLIENT:ADDRESS,x,y,z\r\n>CLIENT:ADDRESS,1,10.0.0.0/255.0.255.0,0\r\n>CLIENT:BAR,7\r\n>FOO:\u00ff\u00fe\r\n>STATE:\r\n>CLIENT:ENV,END\r\n',
    );
    await rig.fake.connectClient({ addresses: ['10.64.0.9'] });

    await rig.have('10.64.0.9');
    assert.equal(rig.fake.connections, 1);
    const unread = rig.log.of('management.unread').map(({ fields }) => fields['text']);
    assert.ok(unread.includes('>CLIENT:ADDRESS,1,10.0.0.0/255.0.255.0,0'), JSON.stringify(unread));
  });

  it('says what of a status it cannot read, once', async () => {
    await using rig = await InstanceRig.start();
    rig.fake.on('status', () => [
      'HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\tConnected Since\tConnected Since (time_t)\tUsername\tClient ID',
      'CLIENT_LIST\tx\t192.0.2.10:1024\t10.64.0.300\t\t1\t1\tnow\t1\tUNDEF\t7',
      'HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address\tLast Ref\tLast Ref (time_t)',
      'ROUTING_TABLE\t/33\tx\t192.0.2.10:1024\tnow\t1',
      'ROUTING_TABLE\t10.64.0.9\tx\t192.0.2.10:1024\tnow\t1',
      'END',
    ]);

    await rig.have('10.64.0.9');
    // Two more: when the second is asked for, the first was read.
    for (const cid of [5, 6]) {
      const before = rig.asked('status 3');
      await rig.fake.send(`>CLIENT:ESTABLISHED,${cid}\r\n>CLIENT:ENV,common_name=b\r\n>CLIENT:ENV,END\r\n`);
      await rig.until(() => rig.asked('status 3') > before, 'another status');
    }

    assert.deepEqual(
      rig.log.of('management.unread').map(({ fields }) => fields['text']),
      ['CLIENT_LIST\tx\t192.0.2.10:1024\t10.64.0.300\t\t7', 'ROUTING_TABLE\t/33\tx\t192.0.2.10:1024'],
    );
  });

  it('tries again quietly while nobody listens, and says once what is the matter', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'instance-'));
    const path = join(directory, 'management.sock');
    let attempts = 0;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      attempts += 1;
      sockets.add(socket);
      socket.destroy();
    });
    await new Promise<void>((resolve) => {
      server.listen(path, resolve);
    });
    await using rig = await InstanceRig.start({ 'management.endpoints': [{ kind: 'unix', path }] });

    await rig.until(() => attempts >= 6, 'six attempts');

    assert.equal(rig.log.of('management.lost').length, 1);
    assert.equal(rig.instance.state, 'connecting');
    assert.match(rig.instance.problem ?? '', /management\.sock/);
    server.close();
    await rm(directory, { recursive: true });
  });

  it('goes on when the password is refused, says so once, and is not ready for that reason', async () => {
    await using rig = await InstanceRig.start({}, { password: 'secret' });
    let attempts = 0;
    rig.whenResolved = () => {
      attempts += 1;
      return Promise.resolve();
    };

    await rig.until(() => attempts >= 3, 'three attempts');

    assert.equal(rig.instance.state, 'connecting');
    assert.match(rig.instance.problem ?? '', /asks for a management password, and none is configured/);
    assert.equal(rig.log.of('management.auth_failed').length, 1);
  });

  it('takes a password that was corrected in its file, at once when the settings are read again', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'instance-'));
    const passwordFile = join(directory, 'password');
    await writeFile(passwordFile, 'wrong\n');
    await using rig = await InstanceRig.start(
      { 'management.passwordFile': passwordFile, 'management.backoffMaxMs': 600_000 },
      { password: 'secret' },
    );
    await rig.until(() => rig.log.of('management.auth_failed').length === 1, 'a refusal');

    await writeFile(passwordFile, 'secret\n');
    rig.instance.reconfigure(settingsFor(rig.fake.endpoint, { 'management.passwordFile': passwordFile }));

    await rig.ready();
    await rm(directory, { recursive: true });
  });

  it('works behind a program that relays one reply a command and keeps the events of clients', async () => {
    await using fake = await FakeManagementServer.listen();
    await using relay = await OneReplyRelay.listen(fake.endpoint);
    await using rig = await InstanceRig.start({
      'management.endpoints': [{ kind: 'unix', path: relay.path }],
      'management.pollIntervalMs': 500,
    });
    await rig.ready();

    const cid = await fake.connectClient({ addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.9');
    await fake.disconnectClient(cid);
    await rig.have();

    assert.equal(rig.log.of('management.lost').length, 0);
    assert.equal(fake.connections, 1);
  });

  it('learns by asking that OpenVPN is connected, where a program between keeps that for itself', async () => {
    await using rig = await InstanceRig.start({ 'management.pollIntervalMs': 500 }, {}, undefined, (fake) => {
      let asked = 0;
      fake.history('state', () => {
        asked += 1;
        return [asked === 1 ? '100,CONNECTING,,,,,,' : stateRow(101, 'CONNECTED')];
      });
    });

    await rig.ready();

    assert.equal(rig.asked('state 1') + rig.asked('state'), 1);
  });

  it('counts a restart once that comes between turning states on and reading their history', async () => {
    await using rig = await InstanceRig.start({}, {}, undefined, (fake) => {
      fake.on('state', ([what]) => {
        if (what !== 'on')
          return [stateRow(100, 'CONNECTED'), stateRow(200, 'RECONNECTING'), stateRow(201, 'CONNECTED'), 'END'];
        // The answer first, then, before the next command, who is there and a restart.
        queueMicrotask(
          () =>
            void fake.send(
              `>CLIENT:ADDRESS,0,10.64.0.50,1\r\n>STATE:${stateRow(200, 'RECONNECTING')}\r\n>STATE:${stateRow(201, 'CONNECTED')}\r\n>CLIENT:ADDRESS,0,10.64.0.60,1\r\n`,
            ),
        );
        return ['SUCCESS: real-time state notification set to ON'];
      });
      // Whoever the events told of is in no status.
      fake.on('status', () => ['TITLE\tOpenVPN', 'END']);
    });
    await rig.ready();

    assert.deepEqual(rig.log.of('server.restarted'), []);
    assert.equal(
      rig.log.of('client.address').some(({ fields }) => fields['network'] === '10.64.0.50'),
      false,
      'of before the restart',
    );
  });

  it('says that another program has the management slot', async () => {
    await using rig = await InstanceRig.start({ 'management.connectTimeoutMs': 100 }, { isBusy: true });

    await rig.until(() => rig.log.of('management.busy').length === 1, 'a warning');
    rig.fake.setBusy(false);

    await rig.ready();
  });

  it('is disposed of in every phase without a promise left open', async () => {
    for (const options of [{}, { isBusy: true }, { isHeld: true }]) {
      const rig = await InstanceRig.start({ hold: 'leave' }, options);
      await rig[Symbol.asyncDispose]();
      await rig.running;
    }
  });
});

/** A row of the state history. */
function stateRow(timeSeconds: number, name: 'CONNECTED' | 'RECONNECTING'): string {
  return `${timeSeconds},${name},${name === 'CONNECTED' ? 'SUCCESS,10.64.0.1' : 'SIGUSR1,'},,,,,`;
}
