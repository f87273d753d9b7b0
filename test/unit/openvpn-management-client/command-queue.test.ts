import assert from 'node:assert/strict';
import { commands, isManagementError, type ManagementError } from 'openvpn-management-client';
import { open, TIMEOUT_MS, withCode } from './queue-rig.js';

describe('CommandQueue', () => {
  it('sends the next command only when the one before is answered, and its sentinel is back', async () => {
    const { queue, written, say } = open();

    const first = queue.execute(commands.state('all'));
    const second = queue.execute(commands.pid());
    say('1,CONNECTED,SUCCESS,10.8.0.1,,,,', 'END');
    assert.equal((await first).length, 1);
    assert.deepEqual(written, ['state all\npid\n']);
    say('SUCCESS: pid=1');
    assert.deepEqual(written, ['state all\npid\n', 'pid\n']);
    say('SUCCESS: pid=2');

    assert.equal(await second, 2);
  });

  it('drops the late reply of a timed-out command, and the next gets its own', async () => {
    const { queue, written, clock, say } = open();

    const slow = queue.execute(commands.holdRelease());
    const next = queue.execute(commands.envFilter(0));
    clock.advance(TIMEOUT_MS);
    await assert.rejects(slow, /command "hold release": no whole reply within 1000 ms/);
    assert.deepEqual(written, ['hold release\n', 'pid\n']);
    say('SUCCESS: hold release succeeded', 'SUCCESS: pid=1');
    assert.deepEqual(written.slice(2), ['env-filter 0\n']);
    say('ERROR: no');

    await assert.rejects(next, /env-filter 0": no/);
  });

  it('does not take the late answer of a timed-out pid for its sentinel', async () => {
    const { queue, written, clock, say } = open();

    const slow = queue.execute(commands.pid());
    const next = queue.execute(commands.holdRelease());
    clock.advance(TIMEOUT_MS);
    await assert.rejects(slow, withCode('MGMT_TIMEOUT'));
    say('SUCCESS: pid=1');
    assert.deepEqual(written, ['pid\n', 'pid\n']);
    say('SUCCESS: pid=1');
    say('SUCCESS: hold release succeeded');

    await next;
  });

  it('gives the connection up when the sentinel does not come back either', async () => {
    const { queue, stuck, clock } = open();

    const slow = queue.execute(commands.status());
    const next = queue.execute(commands.pid());
    clock.advance(2 * TIMEOUT_MS);

    await assert.rejects(slow, withCode('MGMT_TIMEOUT'));
    await assert.rejects(next, withCode('MGMT_TIMEOUT'));
    assert.equal(stuck.length, 1);
    await assert.rejects(queue.execute(commands.pid()), withCode('MGMT_TIMEOUT'));
    assert.equal(clock.pendingTimers, 0);
  });

  it('gives an aborted command up at once and keeps its slot', async () => {
    const { queue, written, say } = open();
    const abort = new AbortController();
    const waitingAbort = new AbortController();

    const first = queue.execute(commands.pid(), { signal: abort.signal });
    const waiting = queue.execute(commands.loadStats(), { signal: waitingAbort.signal });
    const last = queue.execute(commands.holdRelease());
    waitingAbort.abort();
    await assert.rejects(waiting, withCode('MGMT_ABORTED'));
    abort.abort();
    await assert.rejects(first, withCode('MGMT_ABORTED'));
    say('SUCCESS: pid=1', 'SUCCESS: pid=1', 'SUCCESS: hold release succeeded');

    await last;
    assert.deepEqual(written, ['pid\n', 'pid\n', 'hold release\n']);
  });

  it('refuses a table of endless rows, though none is kept', async () => {
    const { queue, say } = open(1000);

    const reply = queue.execute(commands.status());
    const next = queue.execute(commands.pid());
    say(...Array.from({ length: 1500 }, () => 'GLOBAL_STATS\tcounter\t0'), 'END', 'SUCCESS: pid=1');
    say('SUCCESS: pid=2');

    await assert.rejects(reply, withCode('MGMT_OVERFLOW'));
    assert.equal(await next, 2);
  });

  it('refuses a reply of endless rows', async () => {
    const { queue, say } = open(1000);

    const reply = queue.execute(commands.log());
    const next = queue.execute(commands.pid());
    say(...Array.from({ length: 1500 }, () => '1,I,x'), 'END', 'SUCCESS: pid=1');
    say('SUCCESS: pid=2');

    await assert.rejects(reply, withCode('MGMT_OVERFLOW'));
    assert.equal(await next, 2);
  });

  it('counts lines that nobody asked for, and is not moved by them', async () => {
    const { queue, say } = open();
    say('SUCCESS: stray', 'stray', 'END');

    const reply = queue.execute(commands.pid());
    say('stray', 'SUCCESS: pid=1');

    assert.equal(await reply, 1);
    assert.equal(queue.strayLines, 4);
  });

  it('looks at the precondition right before sending', async () => {
    const { queue, written, say } = open();
    let refusal: ManagementError | undefined;

    const first = queue.execute(commands.pid());
    const second = queue.execute(commands.holdRelease(), {}, () => refusal);
    const error = await queue.execute(commands.raw('x\n', 'single')).catch((cause: unknown) => cause);
    assert.ok(isManagementError(error, 'MGMT_ARGUMENT'));
    refusal = error;
    say('SUCCESS: pid=1');

    await first;
    await assert.rejects(second, withCode('MGMT_ARGUMENT'));
    assert.deepEqual(written, ['pid\n']);
  });

  it('rejects everything in it when it fails, and everything later', async () => {
    const { queue, clock, say } = open();
    const first = queue.execute(commands.status());
    const second = queue.execute(commands.pid());
    const cause = await queue.execute(commands.raw('\n', 'single')).catch((error: unknown) => error);
    assert.ok(isManagementError(cause));

    queue.fail(cause);
    say('END', 'SUCCESS: pid=1');

    for (const promise of [first, second, queue.execute(commands.pid())])
      await assert.rejects(promise, (error) => error === cause);
    assert.equal(clock.pendingTimers, 0);
    assert.equal(queue.size, 0);
  });

  it('answers 100 commands in the order of the calls', async () => {
    const { queue, say } = open();

    const replies = Array.from({ length: 100 }, async () => queue.execute(commands.pid()));
    for (let index = 0; index < 100; index += 1) say(`SUCCESS: pid=${index}`);

    assert.deepEqual(
      await Promise.all(replies),
      Array.from({ length: 100 }, (_, index) => index),
    );
  });
});
