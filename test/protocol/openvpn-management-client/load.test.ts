import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { commands, Decoder, isManagementError, isNotification, type Delivery } from 'openvpn-management-client';
import { FakeManagementServer, TranscriptPlayer } from 'openvpn-management-client/testing';
import { loadTranscript } from '../../transcripts/load.js';
import { Observed } from './wait.js';

/** Bytes that are still reachable after a full collection. */
function retainedBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe('Under load', () => {
  it('takes 10,000 clients at once, each in order, and a snapshot of them', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    const stage = new Map<string, number>();
    const order = ['client:connect', 'client:address', 'client:address', 'client:established'];
    let done = 0;
    observed.client.onMessage((message) => {
      if (!('cid' in message)) return;
      const at = stage.get(message.cid) ?? 0;
      assert.equal(message.kind, order[at]);
      stage.set(message.cid, at + 1);
      if (message.kind === 'client:established') done += 1;
    });

    await server.storm(10_000);
    const snapshot = await observed.client.status();

    assert.equal(done, 10_000);
    assert.equal(snapshot.clients.length, 10_000);
    assert.equal(snapshot.position.sequence, 40_001);
  }).timeout(60_000);

  it('keeps little more of a snapshot than its clients', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    await server.storm(10_000);
    await observed.client.status();
    const before = retainedBytes();

    const snapshot = await observed.client.status();

    const perClient = (retainedBytes() - before) / snapshot.clients.length;
    assert.equal(snapshot.routes.length, 20_000);
    assert.ok(perClient < 1200, `${perClient} bytes for a client and its two routes`);
  }).timeout(60_000);

  it('gives everything else of the process a turn after each read of 64 KB', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    const line = '>LOG:1,I,a line of the log\r\n';
    const bytesByTurn: number[] = [];
    let turn = 0;
    let isOver = false;
    const count = (): void => {
      turn += 1;
      if (!isOver) setImmediate(count);
    };
    observed.client.onMessage(() => {
      bytesByTurn[turn] = (bytesByTurn[turn] ?? 0) + line.length;
    });

    count();
    await server.send(line.repeat(100_000));
    await observed.client.pid();
    isOver = true;

    const most = Math.max(...bytesByTurn.filter((bytes) => bytes > 0));
    assert.ok(most < 2 * 65_536, `${most} bytes in one turn`);
  });

  it('reads on while a reader of messages() sleeps: log lines are dropped and counted, client messages never', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    const stream = observed.client.messages({ highWaterMark: 100, limit: 10_000 });

    await server.send('>LOG:1,I,a line of the log\r\n'.repeat(50_000));
    await server.storm(500);
    await observed.client.pid();

    assert.equal(stream.unread, 100 + 2000);
    assert.equal(stream.dropped, 49_900);
    const deliveries: Delivery[] = [];
    for await (const delivery of stream) {
      deliveries.push(delivery);
      if (stream.unread === 0) break;
    }
    assert.equal(deliveries.filter(({ message }) => message.kind === 'client:established').length, 500);
    assert.ok(
      deliveries.every(
        ({ origin }, index) => index === 0 || origin.sequence > (deliveries[index - 1]?.origin.sequence ?? 0),
      ),
    );
  });

  it('fails a reader of messages() that is too far behind for client messages, and nobody else', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    const stream = observed.client.messages({ highWaterMark: 10, limit: 100 });

    await server.storm(50);
    await observed.client.pid();

    await assert.rejects(stream.next(), (error) => isManagementError(error, 'MGMT_OVERFLOW'));
    assert.deepEqual(await stream.next(), { done: true, value: undefined });
    assert.equal(observed.client.phase, 'ready');
  });

  it('ends messages() with the client', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    const stream = observed.client.messages();
    const next = stream.next();

    await observed.client.close();

    assert.deepEqual(await next, { done: true, value: undefined });
  });

  it('takes 300,000 reply lines that have no END', async () => {
    await using server = await FakeManagementServer.listen();
    server.on('test', ([count = '0']) =>
      Array.from(
        { length: Number(count) },
        (_, index) => `[${index}] The purpose of this command is to generate large amounts of output.`,
      ),
    );
    await using observed = Observed.run({ endpoint: server.endpoint, commandTimeoutMs: 30_000 });
    await observed.client.ready();

    const reply = await observed.client.execute(commands.raw('test 300000', 'lines'));

    assert.equal(reply.lines.length, 300_000);
  }).timeout(60_000);

  it('keeps the decoder at constant memory over a long stream', () => {
    const event = Buffer.from(
      `>CLIENT:CONNECT,7,1\r\n${'>CLIENT:ENV,some_variable=with a value of a usual length\r\n'.repeat(50)}>CLIENT:ENV,END\r\n>LOG:1,I,a line of the log, of a usual length\r\n`.repeat(
        100,
      ),
    );
    const decoder = new Decoder();
    let count = 0;
    const feed = (times: number): void => {
      for (let round = 0; round < times; round += 1) {
        for (let at = 0; at < event.length; at += 65_521)
          count += decoder.push(event.subarray(at, at + 65_521)).length;
      }
    };
    feed(20);
    const before = retainedBytes();

    feed(400);

    assert.equal(count, 420 * 200);
    const more = retainedBytes() - before;
    assert.ok(more < 1e6, `${more} bytes more after 120 MB`);
  }).timeout(60_000);
});

describe('TranscriptPlayer', () => {
  it('plays a recording to a client that says the same', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'transcript-player-'));
    try {
      const transcript = loadTranscript('hold');
      await using player = await TranscriptPlayer.listen(transcript, path.join(directory, 'x.sock'));
      // version and its sentinel take the part of the first two commands of the recording.
      await using observed = Observed.run({
        endpoint: `unix:${path.join(directory, 'x.sock')}`,
        commandTimeoutMs: 500,
      });

      const hold = await observed.message('hold');

      assert.ok(player);
      assert.equal(hold.waitSeconds, 0);
      assert.deepEqual(
        new Decoder()
          .push(transcript.received)
          .filter((message) => isNotification(message))
          .map(({ kind }) => kind),
        ['info', 'hold', 'hold', 'state', 'state', 'state'],
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
