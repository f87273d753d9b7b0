import assert from 'node:assert/strict';
import { BANNER, clientEvent, clientEventText, MultiplexerRig, settled } from './rig.js';

describe('Multiplexer, messages', () => {
  it('greets a program with the banner, and with what OpenVPN waits for', async () => {
    const rig = new MultiplexerRig();
    await rig.say('>HOLD:Waiting for hold release:10');

    const program = rig.attach();
    await settled();

    assert.equal(program.text, `${BANNER}>HOLD:Waiting for hold release:10\r\n`);
  });

  it('says no more what OpenVPN waited for, once that is answered', async () => {
    const rig = new MultiplexerRig();
    await rig.say('>HOLD:Waiting for hold release:0');
    const first = rig.attach();
    first.send('hold on\n');
    await rig.answer('SUCCESS: hold flag set to ON');
    const second = rig.attach();
    await settled();
    assert.match(second.text, /HOLD/);

    first.send('hold release\n');
    await rig.answer('SUCCESS: hold release succeeded');
    const third = rig.attach();
    await settled();

    assert.equal(third.text, BANNER);
  });

  it('gives every program what comes unasked, and states, log and echo to those that turned them on', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    a.send('log on\n');
    await rig.answer('SUCCESS: real-time log notification set to ON');
    a.text = '';

    await rig.say(
      '>LOG:1,I,hello',
      '>STATE:1,CONNECTED,SUCCESS,10.8.0.1,,,,',
      '>ECHO:1,e',
      '>LATER:x',
      '>NOTIFY:a,b,c',
    );

    assert.equal(a.got, '>LOG:1,I,hello\r\n>LATER:x\r\n>NOTIFY:a,b,c\r\n');
    assert.equal(b.got, '>LATER:x\r\n>NOTIFY:a,b,c\r\n');
  });

  it('turns the log on for a program at the place of the reply, between messages', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    a.send('log on\n');
    await rig.answer('SUCCESS: real-time log notification set to ON');

    b.send('log on all\n');
    await rig.say(">LOG:1,D,MANAGEMENT: CMD 'log on all'");
    await rig.answer('SUCCESS: real-time log notification set to ON', '1,I,history', 'END');
    await rig.say('>LOG:2,I,later');

    assert.equal(b.got, 'SUCCESS: real-time log notification set to ON\r\n1,I,history\r\nEND\r\n>LOG:2,I,later\r\n');
  });

  it('turns off in OpenVPN what the last program has that wanted it, by command or by leaving', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    for (const program of [a, b]) {
      program.send('log on\n');
      await rig.answer('SUCCESS: real-time log notification set to ON');
    }

    a.send('log off\n');
    await settled();
    assert.match(a.got, /SUCCESS: real-time log notification set to OFF\r\n$/);
    await rig.say('>LOG:1,I,hello');
    assert.doesNotMatch(a.got, /hello/);
    assert.match(b.got, /hello/);
    b.leave();
    await rig.answer('SUCCESS: real-time log notification set to OFF');

    assert.deepEqual(rig.sent, ['log on', 'log on', 'log off']);
  });

  it('never turns off the states that gwmark needs', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();
    program.send('state on 1\n');
    await rig.answer('SUCCESS: real-time state notification set to ON', '1,CONNECTED,,,,,,', 'END');

    program.send('state off\n');
    await settled();
    await rig.say('>STATE:2,RECONNECTING,SIGUSR1,,,,,');
    program.leave();
    await settled();

    assert.deepEqual(rig.sent, ['state on 1']);
    assert.match(program.got, /END\r\nSUCCESS: real-time state notification set to OFF\r\n$/);
  });

  it('turns off what a program turned on that left before the answer', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();
    program.send('echo on\n');
    await settled();

    program.leave();
    await rig.answer('SUCCESS: real-time echo notification set to ON');
    await rig.answer('SUCCESS: real-time echo notification set to OFF');

    assert.deepEqual(rig.sent, ['echo on', 'echo off']);
  });

  it('has OpenVPN count as often as all programs need, and gives each its own interval', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    a.send('bytecount 4\n');
    await rig.answer('SUCCESS: bytecount interval changed');
    b.send('bytecount 6\n');
    await rig.answer('SUCCESS: bytecount interval changed');
    a.text = '';
    b.text = '';

    for (let second = 2; second <= 12; second += 2) {
      rig.now = second * 1000;
      await rig.say(`>BYTECOUNT_CLI:0,${second},0`);
    }

    assert.deepEqual(rig.sent, ['bytecount 4', 'bytecount 2']);
    assert.deepEqual(counted(a.got), [2, 6, 10]);
    assert.deepEqual(counted(b.got), [2, 8]);
    b.leave();
    await rig.answer('SUCCESS: bytecount interval changed');
    a.send('bytecount 0\n');
    await rig.answer('SUCCESS: bytecount interval changed');
    assert.deepEqual(rig.sent.slice(2), ['bytecount 4', 'bytecount 0']);
  });

  it('filters the environment for each program by itself', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    a.send('env-filter 2\n');
    await settled();

    await rig.say(...clientEvent('ESTABLISHED,0'));

    assert.equal(
      a.got,
      'SUCCESS: env_filter_level=2\r\n>CLIENT:ESTABLISHED,0\r\n>CLIENT:ENV,dev=tun0\r\n>CLIENT:ENV,END\r\n',
    );
    assert.equal(b.got, clientEventText('ESTABLISHED,0'));
    assert.deepEqual(rig.sent, []);
  });

  it('gives a message with an environment whole, wherever the stream is cut and whatever comes between', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();
    const [header = '', ...variables] = clientEvent('ESTABLISHED,0');

    await rig.say(header);
    assert.equal(program.got, '');
    for (const variable of variables) await rig.say('>NOTIFY:a,b,c', variable);

    assert.equal(program.got, `${'>NOTIFY:a,b,c\r\n'.repeat(3)}${clientEventText('ESTABLISHED,0')}`);
  });

  it('gives the answer to pkcs11-id-count to the program that asked', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];

    a.send('pkcs11-id-count\n');
    await settled();
    await rig.say('>PKCS11ID-COUNT:1');
    await rig.answer();

    assert.deepEqual([a.got, b.got], ['>PKCS11ID-COUNT:1\r\n', '']);
  });

  it('hangs up on every program when OpenVPN is gone, after what it said last', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();
    program.send('signal SIGTERM\n');
    await settled();

    rig.multiplexer.notifications(Buffer.from('>FATAL:x\r\n'));
    rig.multiplexer.disconnected();
    await rig.fail();

    assert.equal(program.got, '>FATAL:x\r\n');
    assert.ok(program.hasEnded);
    assert.equal(program.dropped, null);
  });
});

function counted(text: string): readonly number[] {
  return [...text.matchAll(/>BYTECOUNT_CLI:0,(\d+),0/g)].map(([, seconds]) => Number(seconds));
}
