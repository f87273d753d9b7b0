import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { parseCid, parseKid, Secret } from 'openvpn-management-client';
import { FakeManagementServer } from 'openvpn-management-client/testing';
import { code, Observed } from './wait.js';

describe('ManagementClient', () => {
  it('gives every notification in wire order, numbered, banner first', async () => {
    await using server = await FakeManagementServer.listen({ isHeld: true });
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();

    await server.connectClient({ subnets: ['203.0.113.0/255.255.255.128'] });
    await observed.message('client:established');

    assert.deepEqual(
      observed.seen.map(({ message }) => message.kind),
      ['info', 'hold', 'client:connect', 'client:address', 'client:address', 'client:address', 'client:established'],
    );
    assert.deepEqual(
      observed.seen.map(({ origin }) => origin.sequence),
      [1, 2, 3, 4, 5, 6, 7],
    );
    assert.ok(observed.seen.every(({ origin }) => origin.epoch === 1));
  });

  it('decodes output in single bytes like any other', async () => {
    await using server = await FakeManagementServer.listen({ pieceBytes: 1, password: 'x' });
    await using observed = Observed.run({ endpoint: server.endpoint, password: new Secret('x') });
    await observed.client.ready();

    await server.connectClient({ commonName: 'Zoë \u{1f511}', subnets: ['2001:db8:77::/64'] });
    const established = await observed.message('client:established');

    assert.equal(established.env.get('common_name'), 'Zoë \u{1f511}');
    assert.deepEqual(
      (await observed.client.status()).clients.map(({ commonName, subnets }) => [commonName, subnets[0]?.cidr]),
      [['Zoë \u{1f511}', '2001:db8:77::/64']],
    );
  });

  it('runs its hooks before it is ready, with HOLD known, and goes through the recommended sequence', async () => {
    await using server = await FakeManagementServer.listen({ isHeld: true });
    const steps: string[] = [];
    await using observed = Observed.run({ endpoint: server.endpoint }, (client) => {
      client.onConnected(async (session) => {
        await session.envFilter(0);
        await session.setStateWithHistory();
        await session.status();
        steps.push(`held ${session.isHeld}, ${client.phase}`);
        await session.holdRelease();
        steps.push(`held ${session.isHeld}`);
      });
    });

    await observed.client.ready();

    assert.deepEqual(steps, ['held true, preparing', 'held false']);
    assert.deepEqual(server.commands, [
      'version',
      'pid',
      'env-filter 0',
      'state on',
      'state all',
      'pid',
      'status 3',
      'pid',
      'hold release',
    ]);
  });

  it('puts a snapshot between the events: what came before it is in it, what came after has a higher number', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    const early = await server.connectClient();
    await observed.message('client:established');

    const silence = ['status', 'pid'].map((verb) => server.hang(verb));
    const reply = observed.client.status();
    await server.expect('status');
    await server.expect('pid');
    // A login in front of the table, one in the middle and one behind it, all in one write.
    const table = [
      'HEADER\tCLIENT_LIST\tClient ID\tVirtual Address',
      'CLIENT_LIST\t0\t10.64.0.2',
      '>CLIENT:ADDRESS,2,10.64.0.4,1',
      'CLIENT_LIST\t1\t10.64.0.3',
      'END',
      'SUCCESS: pid=1000',
    ].join('\r\n');
    await server.send(`>CLIENT:ADDRESS,1,10.64.0.3,1\r\n${table}\r\n>CLIENT:ADDRESS,3,10.64.0.5,1\r\n`);
    const snapshot = await reply;
    for (const hanging of silence) hanging[Symbol.dispose]();

    const addresses = observed.seen.flatMap(({ message, origin }) =>
      message.kind === 'client:address'
        ? [{ cid: message.cid, isInSnapshot: origin.sequence <= snapshot.position.sequence }]
        : [],
    );
    assert.equal(early, 0);
    assert.equal(snapshot.position.epoch, 1);
    assert.deepEqual(addresses, [
      { cid: '0', isInSnapshot: true },
      { cid: '0', isInSnapshot: true },
      { cid: '1', isInSnapshot: true },
      { cid: '2', isInSnapshot: false },
      { cid: '3', isInSnapshot: false },
    ]);
  });

  it('gives up a connection whose hook rejects, and tries again', async () => {
    await using server = await FakeManagementServer.listen();
    let runs = 0;
    await using observed = Observed.run({ endpoint: server.endpoint }, (client) => {
      client.onConnected(async (session) => {
        runs += 1;
        if (runs === 1) throw new Error('no room');
        // A fault of the hook's own, not of the client's options: it is tried again like any other.
        if (runs === 2) await session.clientKill({ epoch: session.epoch, cid: parseCid('x') });
        await session.pid();
      });
    });

    await observed.client.ready();

    assert.deepEqual(
      observed.disconnects.map(({ cause }) => cause.code),
      ['MGMT_LOST', 'MGMT_ARGUMENT'],
    );
    assert.match(observed.disconnects[0]?.cause.message ?? '', /no room/);
    assert.equal(observed.disconnects[0]?.wasReady, false);
  });

  it('comes back after a loss, in a new epoch, and rejects what was waiting', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    const first = await observed.client.ready();
    using hanging = server.hang('hold');
    const rejected = assert.rejects(observed.client.holdRelease(), code('MGMT_LOST'));
    await server.expect('hold');

    await server.hangUp();
    await rejected;
    await observed.until('the second connection', ({ seen }) => seen.some(({ origin }) => origin.epoch === 2));
    const second = await observed.client.ready();

    assert.ok(hanging);
    assert.notEqual(first, second);
    assert.equal(first.closeSignal.aborted, true);
    assert.equal(second.epoch, 2);
    await assert.rejects(first.pid(), code('MGMT_LOST'));
    assert.deepEqual(
      observed.disconnects.map(({ wasReady, failedAttempts }) => [wasReady, failedAttempts]),
      [[true, 0]],
    );
  });

  it('drops an event that the end of the connection cut, and says so', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();

    await server.send('>CLIENT:CONNECT,0,1\r\n>CLIENT:ENV,a=b\r\n');
    await server.hangUp();
    const { cause } = await observed.until('the loss', ({ disconnects }) => disconnects[0]);

    assert.match(cause.message, /in the middle of a message, which is dropped/);
    assert.equal(
      observed.seen.some(({ message }) => message.kind === 'client:connect'),
      false,
    );
  });

  it('begins an epoch with RECONNECTING, and refuses commands for clients of an older one', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint }, (client) => {
      client.onConnected(async (session) => session.setState(true));
    });
    await observed.client.ready();
    const cid = parseCid(String(await server.connectClient({}, { waitsForAuth: true })));
    const key = { epoch: observed.client.epoch, cid };
    const connect = await observed.message('client:connect');
    await observed.client.clientAuthNt(key, connect.kid);
    await observed.message('client:established');

    await server.restart();
    await observed.until('the restart', ({ seen }) =>
      seen.some(({ message }) => message.kind === 'state' && message.name === 'CONNECTED'),
    );
    await server.connectClient({}, { waitsForAuth: true });
    await observed.until('the new client', ({ seen }) =>
      seen.some(
        ({ message, origin }) => message.kind === 'client:connect' && message.cid === cid && origin.epoch === 2,
      ),
    );

    await assert.rejects(observed.client.clientAuthNt(key, parseKid('1')), code('MGMT_STALE_EPOCH'));
    assert.equal(server.commands.filter((line) => line.startsWith('client-auth-nt')).length, 1);
    const epochs = observed.seen.flatMap(({ message, origin }) =>
      message.kind === 'client:disconnect' || message.kind === 'state' ? [[message.kind, origin.epoch]] : [],
    );
    assert.deepEqual(epochs, [
      ['client:disconnect', 1],
      ['state', 2],
      ['state', 2],
    ]);
    await observed.client.clientAuthNt({ epoch: 2, cid }, parseKid('1'));
  });

  it('refuses a command for a client of an older epoch even when it was asked for before', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint }, (client) => {
      client.onConnected(async (session) => session.setState(true));
    });
    await observed.client.ready();
    using hanging = server.hang('load-stats');
    const inFlight = observed.client.loadStats();
    const key = { epoch: 1, cid: parseCid('0') };

    const stale = assert.rejects(observed.client.clientKill(key), code('MGMT_STALE_EPOCH'));
    await server.expect('load-stats');
    await server.restart();
    await server.send('SUCCESS: nclients=0,bytesin=0,bytesout=0\r\n');

    await inFlight;
    await stale;
    assert.ok(hanging);
  });

  it('does not keep commands for a later connection', async () => {
    await using server = await FakeManagementServer.listen({ isBusy: true });
    await using observed = Observed.run({ endpoint: server.endpoint });

    await assert.rejects(observed.client.pid(), code('MGMT_NOT_CONNECTED'));
  });

  it('continues when a listener throws, and reports it to the process', async () => {
    await using server = await FakeManagementServer.listen();
    const heard: unknown[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => heard.push(error));
    try {
      await using observed = Observed.run({ endpoint: server.endpoint }, (client) => {
        client.onMessage((message) => {
          if (message.kind === 'client:address') throw new Error('listener');
        });
      });
      await observed.client.ready();
      await server.connectClient();
      await observed.message('client:established');
      await turn();
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of others) process.on('uncaughtException', listener);
    }

    assert.deepEqual(
      heard.map((error) => error instanceof Error && error.message),
      ['listener', 'listener'],
    );
  });

  it('stops calling a listener that was disposed of', async () => {
    await using server = await FakeManagementServer.listen();
    let calls = 0;
    await using observed = Observed.run({ endpoint: server.endpoint });
    const listener = observed.client.onMessage(() => {
      calls += 1;
    });
    await observed.client.ready();
    const before = calls;

    listener[Symbol.dispose]();
    await server.connectClient();
    await observed.message('client:established');

    assert.equal(before, 1);
    assert.equal(calls, before);
  });

  it('gets back in step after a timed-out command on the same connection', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    using hanging = server.hang('hold');

    await assert.rejects(observed.client.holdRelease({ timeoutMs: 50 }), code('MGMT_TIMEOUT'));

    assert.ok(hanging);
    assert.equal((await observed.client.loadStats()).clients, 0);
    assert.equal(server.connections, 1);
  });

  it('reconnects when a daemon does not answer at all', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    const silence = ['hold', 'pid'].map((verb) => server.hang(verb));

    await assert.rejects(observed.client.holdRelease({ timeoutMs: 50 }), code('MGMT_TIMEOUT'));
    const { cause } = await observed.until('the loss', ({ disconnects }) => disconnects[0]);
    for (const hanging of silence) hanging[Symbol.dispose]();
    await observed.client.ready();

    assert.equal(cause.code, 'MGMT_TIMEOUT');
    assert.equal(server.connections, 2);
  });

  it('reports FATAL before the end of the connection', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();

    await server.send('>FATAL:out of memory\r\n');
    await server.hangUp();
    const fatal = await observed.message('fatal');

    assert.equal(fatal.text, 'out of memory');
  });

  it('reconnects when the stream turns into garbage', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();

    await server.send('\u0000\u00ff'.repeat(100_000));
    const { cause } = await observed.until('the loss', ({ disconnects }) => disconnects[0]);
    await observed.client.ready();

    assert.equal(cause.code, 'MGMT_OVERFLOW');
  });
});
