import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { ManagementClient } from 'openvpn-management-client';
import { FakeManagementServer } from 'openvpn-management-client/testing';
import { code, Observed } from './wait.js';

describe('the end of a ManagementClient', () => {
  it('closes while a command is in flight, twice, and with await using', async () => {
    await using server = await FakeManagementServer.listen();
    const observed = Observed.run({ endpoint: server.endpoint });
    await observed.client.ready();
    using hanging = server.hang('hold');
    const waiting = assert.rejects(observed.client.holdRelease(), code('MGMT_CLOSED'));
    await server.expect('hold');

    await Promise.all([observed.client.close(), observed.client.close()]);
    await waiting;
    await observed.client[Symbol.asyncDispose]();

    assert.ok(hanging);
    assert.equal(await observed.ended, undefined);
    assert.equal(observed.client.phase, 'closed');
    await assert.rejects(observed.client.pid(), code('MGMT_CLOSED'));
  });

  it('closes while it connects, while a hook hangs, while it waits, and before it ran', async () => {
    await using busy = await FakeManagementServer.listen({ isBusy: true });
    const connecting = Observed.run({ endpoint: busy.endpoint, connectTimeoutMs: 60_000 });
    await turn();
    await connecting.client.close();
    assert.equal(await connecting.ended, undefined);

    await using server = await FakeManagementServer.listen();
    let isHookRunning: (() => void) | undefined;
    const running = new Promise<void>((resolve) => {
      isHookRunning = resolve;
    });
    const hooked = Observed.run({ endpoint: server.endpoint }, (client) => {
      client.onConnected(async () => {
        isHookRunning?.();
        await new Promise(() => undefined);
      });
    });
    await running;
    await hooked.client.close();
    assert.equal(await hooked.ended, undefined);

    const waiting = Observed.run({
      endpoint: 'unix:/nonexistent/x',
      backoff: { baseMs: 60_000, maxMs: 60_000 },
      random: () => 0.9,
    });
    await waiting.until('a failure', ({ disconnects }) => disconnects[0]);
    await waiting.client.close();
    assert.equal(await waiting.ended, undefined);

    const idle = new ManagementClient({ endpoint: server.endpoint });
    await idle.close();
    await assert.rejects(idle.run(), code('MGMT_CLOSED'));
  });

  it('closes when its signal fires, and gives up waits when theirs do', async () => {
    await using server = await FakeManagementServer.listen();
    const abort = new AbortController();
    const observed = Observed.run({ endpoint: server.endpoint, signal: abort.signal });
    await observed.client.ready();
    using hanging = server.hang('hold');

    await assert.rejects(observed.client.status({ signal: AbortSignal.abort() }), code('MGMT_ABORTED'));
    const wait = new AbortController();
    const release = assert.rejects(observed.client.holdRelease({ signal: wait.signal }), code('MGMT_ABORTED'));
    await server.expect('hold');
    wait.abort();
    await release;
    abort.abort();

    assert.ok(hanging);
    assert.equal(await observed.ended, undefined);
    const never = new ManagementClient({ endpoint: server.endpoint });
    await assert.rejects(never.ready({ signal: AbortSignal.abort() }), code('MGMT_ABORTED'));
  });
});
