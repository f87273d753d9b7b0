import assert from 'node:assert/strict';
import { commands, relayed } from 'openvpn-management-client';
import { open, TIMEOUT_MS, withCode } from './queue-rig.js';

/** A command that is passed on. */
const relay = (text: string): ReturnType<typeof relayed> =>
  relayed({
    label: text,
    name: text.split(' ', 1)[0] ?? '',
    bytes: Buffer.from(`${text}\n`),
    onLine: () => undefined,
  });

describe('CommandQueue, a command that is passed on', () => {
  it('is over at the answer of the command after it', async () => {
    const { queue, written, say } = open();

    const first = queue.execute(relay('log on all'));
    const second = queue.execute(commands.pid());
    say('SUCCESS: real-time log notification set to ON', '1,I,hello', 'END');
    assert.deepEqual(written, ['log on all\nload-stats\n']);
    say('SUCCESS: nclients=0,bytesin=1,bytesout=2');
    await first;
    say('SUCCESS: pid=1');

    assert.equal(await second, 1);
  });

  it('has as many lines as it likes', async () => {
    const { queue, say } = open(10);

    const result = queue.execute(relay('test 100'));
    for (let line = 0; line < 100; line += 1) say(`[${line}]`);
    say('SUCCESS: nclients=0,bytesin=1,bytesout=2');

    await result;
  });

  it('is waited for as long as lines come', async () => {
    const { queue, clock, say } = open();

    const result = queue.execute(relay('status'));
    for (let line = 0; line < 10; line += 1) {
      say(`row ${line}`);
      clock.advance(TIMEOUT_MS);
    }
    say('SUCCESS: nclients=0,bytesin=1,bytesout=2');
    await result;

    const silent = queue.execute(relay('status'));
    clock.advance(TIMEOUT_MS);
    await assert.rejects(silent, withCode('MGMT_TIMEOUT'));
  });

  it('ends a body that it may have begun, and its late lines reach nobody', async () => {
    const { queue, written, clock, say, stuck } = open();

    const slow = queue.execute(relay('pid'));
    const next = queue.execute(commands.holdRelease());
    clock.advance(TIMEOUT_MS);
    await assert.rejects(slow, withCode('MGMT_TIMEOUT'));
    assert.deepEqual(written, ['pid\nload-stats\n', 'END\npid\n']);
    say('SUCCESS: pid=1', 'SUCCESS: nclients=0,bytesin=1,bytesout=2', 'ERROR: unknown command', 'SUCCESS: pid=1');
    assert.deepEqual(written.slice(2), ['hold release\n']);
    say('SUCCESS: hold release succeeded');

    await next;
    assert.deepEqual(stuck, []);
  });
});
