import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';

import { Capture } from '../lab/capture.js';
import { connect, Namespace, reapNamespaces } from '../lab/namespace.js';
import { PROTOCOL } from '../lab/frame.js';
import { isRunning, LabProcess } from '../lab/process.js';
import { exchange, Flow, type Party, ping } from '../lab/traffic.js';
import { eventually, patient, slowed } from '../lab/wait.js';

/** Two namespaces and a cable: what the lab's instruments are checked against. */
describe('the instruments of the lab', function () {
  this.timeout(patient(20_000));
  let left: Namespace;
  let right: Namespace;
  let from: Party;
  let to: Party;
  before(async () => {
    [left, right] = await Promise.all([Namespace.create('left'), Namespace.create('right')]);
    await connect(
      { namespace: left, device: 'eth0', mac: '02:00:00:00:aa:01' },
      { namespace: right, device: 'eth0', mac: '02:00:00:00:bb:01' },
    );
    await left.ip('address add 192.0.2.1/24 dev eth0', 'address add 2001:db8::1/64 dev eth0');
    await right.ip('address add 192.0.2.2/24 dev eth0', 'address add 2001:db8::2/64 dev eth0');
    from = { namespace: left, address: '192.0.2.1' };
    to = { namespace: right, address: '192.0.2.2' };
  });
  after(async () => {
    await left?.[Symbol.asyncDispose]();
    await right?.[Symbol.asyncDispose]();
  });

  it('capture every frame of an exchange, with its addresses', async () => {
    await using capture = await Capture.start(right, 'eth0', 'icmp or icmp6 or arp');

    await ping(from, to, { count: 3 });
    await ping({ namespace: left, address: '2001:db8::1' }, { address: '2001:db8::2' }, { count: 2, ttl: 7 });

    const frames = await capture.stop();
    const echo = frames.filter((frame) => frame.ip?.protocol === PROTOCOL.icmp);
    assert.deepEqual(
      echo.map((frame) => [frame.icmp?.type, frame.sourceMac, frame.destinationMac, frame.ip?.source]),
      Array.from({ length: 3 }, () => [
        [8, '02:00:00:00:aa:01', '02:00:00:00:bb:01', '192.0.2.1'],
        [0, '02:00:00:00:bb:01', '02:00:00:00:aa:01', '192.0.2.2'],
      ]).flat(),
    );
    const requests6 = frames.filter((frame) => frame.icmp?.type === 128);
    assert.deepEqual(
      requests6.map((frame) => [frame.ip?.version, frame.ip?.source, frame.ip?.destination, frame.ip?.ttl]),
      [
        [6, '2001:db8::1', '2001:db8::2', 7],
        [6, '2001:db8::1', '2001:db8::2', 7],
      ],
    );
    assert.ok(frames.some((frame) => frame.arp?.operation === 1 && frame.arp.target === '192.0.2.2'));
    assert.ok(frames.some((frame) => frame.icmp?.type === 135 && frame.icmp.target === '2001:db8::2'));
  });

  it('count the one datagram of a flow that was dropped', async () => {
    await using flow = await Flow.start('udp', from, to, { port: 7001 });
    await right.run(['nft', '-f', '-'], {
      input:
        'table ip t {\n chain c {\n type filter hook input priority 0\n udp dport 7001 limit rate over 1/day burst 1 packets accept\n udp dport 7001 drop\n }\n}\n',
    });
    await flow.advance(20);

    const summary = await flow.stop();

    await right.run(['nft', 'delete', 'table', 'ip', 't']);
    assert.equal(summary.lost, 1, JSON.stringify(summary));
  });

  it('report a blocked exchange as failed, and one that is let through as complete', async () => {
    await right.run(['nft', '-f', '-'], {
      input: 'table ip t {\n chain c {\n type filter hook input priority 0\n tcp dport 7002 drop\n }\n}\n',
    });
    const blocked = await exchange('tcp', from, to, { port: 7002, timeoutMs: 500 });
    await right.run(['nft', 'delete', 'table', 'ip', 't']);
    const open = await exchange('tcp', from, to, { port: 7002, bytes: 300_000 });

    assert.deepEqual(blocked, { ok: false, reason: `no complete answer within ${slowed(500)} ms` });
    assert.deepEqual(open, { ...open, ok: true, bytes: 300_000 });
  });

  it('leave no namespace and no process behind, even those of a run that was killed', async () => {
    const script = `import { Namespace } from ${JSON.stringify(new URL('../lab/namespace.js', import.meta.url).href)};
      const namespace = await Namespace.create('orphan');
      const sleeper = namespace.spawn(['sleep', '300']);
      console.log('made', namespace.name, sleeper.pid);
      setInterval(() => undefined, 1000);`;
    const run = LabProcess.spawn([process.execPath, '--input-type=module', '-e', script], { name: 'killed run' });
    const [, name, pid] = await run.waitFor(/^made (\S+) (\d+)$/);
    assert.ok(name !== undefined && existsSync(`/run/netns/${name}`) && isRunning(Number(pid)));

    run.kill('SIGKILL');
    // Its output pipes may stay open in the orphan, so the process itself is asked for, not the end of its output.
    await eventually(() => !isRunning(run.pid), { what: 'the end of the killed run' });
    await reapNamespaces();

    assert.equal(readdirSync('/run/netns').includes(name), false);
    await eventually(() => !isRunning(Number(pid)), { what: 'the end of the orphan' });
  });
});
