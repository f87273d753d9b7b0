/** What programs do wrong, and that nobody else notices. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { IS_EXHAUSTIVE } from '../../lab/sample.js';
import { eventually } from '../../lab/wait.js';
import { PassThroughRig } from './pass-through-rig.js';

const PID = 'SUCCESS: pid=1000\r\n';

describe('a program at a socket that passes through', () => {
  it('sends garbage, a line of 1 MB and line ends in quotes, and another one gets its answers', async () => {
    await using rig = await PassThroughRig.start();
    const [bad, good] = [await rig.attach(), await rig.attach()];

    bad.mark();
    bad.send('\u0000\u0001\u00ff\u00fe garbage\r\n');
    bad.send(`${'x'.repeat(1 << 20)}\n`);
    bad.send('kill "a\nsignal SIGTERM"\nhalf a com');
    // A line end counts in quotes too.
    await bad.until(
      /unknown command.*\r\nERROR: a command has at most 1023 bytes\r\nERROR: Options.*\r\nSUCCESS: signal/,
    );

    assert.equal(await good.ask('pid', /\r\n$/), PID);
    assert.equal(rig.logged('pass_through.refused').length, 1);
    assert.equal(rig.sidecar.instance.state, 'ready');
  });

  it('reads nothing, and is dropped with one line; the others lose nothing', async () => {
    await using rig = await PassThroughRig.start();
    const [slow, good] = [await rig.attach(), await rig.attach()];
    for (const program of [slow, good]) await program.ask('log on', /set to ON\r\n/);
    slow.setReading(false);
    good.mark();

    const line = `>LOG:1,I,${'z'.repeat(1000)}\r\n`;
    for (let index = 0; index < 100; index += 1) await rig.sidecar.fake.send(line.repeat(200));

    await good.until(new RegExp(`^(?:${line}){20000}$`));
    await rig.sidecar.until(() => rig.logged('pass_through.dropped').length === 1, 'the drop is logged');
    assert.match(rig.logged('pass_through.dropped')[0] ?? '', /has not read 8 MiB/);
    assert.equal(rig.sidecar.instance.passThrough[0]?.dropped, 1);
    assert.equal(await good.ask('pid', /\r\n$/), PID);
  });

  it('asks for much and reads nothing: its commands wait, and no other', async () => {
    await using rig = await PassThroughRig.start();
    await rig.sidecar.fake.storm(1000);
    await rig.sidecar.until(() => rig.sidecar.sessions.length === 1000, 'all are known');
    const [slow, good] = [await rig.attach(), await rig.attach()];
    slow.setReading(false);

    slow.send('status 3\n'.repeat(5000));
    for (let index = 0; index < 20; index += 1) assert.equal(await good.ask('pid', /pid=1000\r\n$/), PID);

    assert.ok(rig.sidecar.asked('status 3') < 100, `${rig.sidecar.asked('status 3')} were asked`);
    assert.equal(rig.logged('pass_through.dropped').length, 0);
  });

  it('is one of 64; one more is told so', async () => {
    await using rig = await PassThroughRig.start();
    const programs = await Promise.all(Array.from({ length: 64 }, () => rig.attach()));

    const one = await rig.attach(rig.at(), /ERROR: 64 programs are attached already\r\n/);
    await one.ended();

    const answers = await Promise.all(programs.map((program) => program.ask('pid', /\r\n$/)));
    assert.deepEqual([...new Set(answers)], [PID]);
    assert.equal(rig.logged('pass_through.full').length, 1);
    await programs[0]?.[Symbol.asyncDispose]();
    assert.equal(await (await rig.attach()).ask('pid', /\r\n$/), PID);
  });

  it('is one of 64 that get the same bytes while many clients come and others poll', async function () {
    this.timeout(60_000);
    await using rig = await PassThroughRig.start({ settings: { authorize: 'accept' } });
    const programs = await Promise.all(Array.from({ length: 64 }, () => rig.attach()));
    for (const program of programs) program.mark();

    const monitors = programs.slice(0, 8);
    for (const program of monitors) program.send('load-stats\n'.repeat(10));
    await rig.sidecar.fake.storm(50);
    await rig.sidecar.fake.send('>NOTIFY:the,last,one\r\n');
    await eventually(
      () =>
        programs.every(({ recent }) => recent.includes('the,last,one')) &&
        monitors.every(({ recent }) => recent.split('SUCCESS: nclients=').length === 11),
      { what: 'each has everything', intervalMs: 100 },
    );

    const texts = new Set(programs.map(({ recent }) => recent.replaceAll(/^SUCCESS: nclients=.*\r\n/gm, '')));
    assert.equal(texts.size, 1);
    assert.doesNotMatch([...texts][0] ?? '', /CLIENT:CONNECT/);
  });

  const visits = IS_EXHAUSTIVE ? 10_000 : 2000;
  it(`attaches and leaves ${visits} times, and nothing of it stays`, async function () {
    this.timeout(120_000);
    await using rig = await PassThroughRig.start();
    const good = await rig.attach();
    const descriptors = (await readdir('/proc/self/fd')).length;
    const visit = async (command: string): Promise<void> => {
      const socket = connect(rig.at());
      await new Promise<void>((resolve) => {
        socket.on('error', () => resolve()).once('close', () => resolve());
        socket.once('data', () => {
          socket.write(command);
          socket.destroy();
        });
      });
    };

    for (let index = 0; index < visits; index += 20)
      await Promise.all(Array.from({ length: 20 }, (_, each) => visit(each % 2 === 0 ? '' : 'log on\npid\n')));

    await rig.sidecar.until(() => rig.sidecar.instance.passThrough[0]?.programs === 1, 'one program');
    assert.equal(await good.ask('pid', /\r\n$/), PID);
    await eventually(async () => (await readdir('/proc/self/fd')).length <= descriptors, {
      what: 'no descriptor more',
    });
    assert.equal(rig.logged('pass_through.dropped').length, 0);
    // What one of them had turned on is off again.
    good.mark();
    await rig.sidecar.fake.send('>LOG:1,I,hello\r\n>NOTIFY:a,b,c\r\n');
    await good.until(/NOTIFY/);
    assert.doesNotMatch(good.recent, /hello/);
  });

  it('gives a wrong password: it is asked again, and hung up on after three, as OpenVPN does', async () => {
    await using rig = await startWithPassword();
    const wrong = await rig.attach(rig.at(), /^ENTER PASSWORD:$/);

    wrong.send('one\ntwo\nthree\nfour\n');
    await wrong.ended();
    assert.equal(wrong.text, 'ENTER PASSWORD:'.repeat(3));
    const right = await rig.attach(rig.at(), /^ENTER PASSWORD:$/);
    right.send('wrong\nopen sesame\r\npid\n');
    await right.until(/pid=1000/);

    assert.equal(
      right.text,
      `ENTER PASSWORD:ENTER PASSWORD:SUCCESS: password is correct\r\n>INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n${PID}`,
    );
    assert.equal(rig.logged('pass_through.refused').length, 2);
    assert.doesNotMatch(rig.sidecar.log.text(), /sesame/);
  });

  it('leaves while it is asked for its password, and its place is free', async () => {
    await using rig = await startWithPassword();
    for (let index = 0; index < 200; index += 1) {
      const socket = connect(rig.at());
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.destroy();
    }

    const program = await rig.attach(rig.at(), /^ENTER PASSWORD:$/);
    program.send('open sesame\npid\n');
    await program.until(/pid=1000/);
  });

  it('gets nothing before it has given its password', async () => {
    await using rig = await startWithPassword();
    const program = await rig.attach(rig.at(), /^ENTER PASSWORD:$/);

    await rig.sidecar.fake.connectClient();
    await rig.sidecar.until(() => rig.sidecar.sessions.length === 1, 'the client is known');

    assert.equal(program.text, 'ENTER PASSWORD:');
  });
});

describe('a socket that passes through', () => {
  it('has its mode from its first moment, 0600 if nothing is said', async () => {
    await using rig = await PassThroughRig.start({
      places: (directory) => [
        { kind: 'unix', path: path.join(directory, 'a.sock') },
        { kind: 'unix', path: path.join(directory, 'b.sock'), mode: 0o660 },
      ],
    });

    assert.equal((await stat(rig.at())).mode & 0o777, 0o600);
    assert.equal((await stat(rig.at('b.sock'))).mode & 0o777, 0o660);
  });

  it('is in use by another program: that is named, and the rest goes on', async () => {
    const other = createServer();
    let taken = '';
    await using rig = await PassThroughRig.start({
      places: (directory) => {
        taken = path.join(directory, 'taken.sock');
        other.listen(taken);
        return [
          { kind: 'unix', path: path.join(directory, 'a.sock') },
          { kind: 'unix', path: taken },
        ];
      },
    });

    await rig.sidecar.until(() => rig.logged('pass_through.listen_failed').length === 1, 'the failure is logged');
    assert.match(rig.logged('pass_through.listen_failed')[0] ?? '', /taken\.sock.*another program answers there/);
    assert.equal(rig.sidecar.instance.passThrough[1]?.problem, 'another program answers there');
    assert.equal(await (await rig.attach()).ask('pid', /\r\n$/), PID);
    assert.equal(rig.sidecar.instance.problem, null);
    other.close();
  });

  it('is closed while OpenVPN is away, and its programs are hung up on; then it is open again', async () => {
    await using rig = await PassThroughRig.start({ settings: { 'management.connectTimeoutMs': 200 } });
    const program = await rig.attach();

    rig.sidecar.fake.setBusy(true);
    await rig.sidecar.fake.hangUp();
    await program.ended();
    await rig.isOpen(false);
    await eventually(async () => !(await readdir(rig.directory)).includes('a.sock'), { what: 'no socket' });
    rig.sidecar.fake.setBusy(false);

    assert.equal(await (await rig.attach()).ask('pid', /\r\n$/), PID);
  });

  it('tells of a restart inside OpenVPN as OpenVPN does', async () => {
    await using rig = await PassThroughRig.start();
    const program = await rig.attach();
    await program.ask('state on', /set to ON\r\n/);
    await rig.sidecar.fake.connectClient();
    program.mark();

    await rig.sidecar.fake.restart();

    await program.until(/DISCONNECT,0\r\n.*>STATE:\d+,RECONNECTING,SIGUSR1,.*>STATE:\d+,CONNECTED,SUCCESS/s);
    assert.ok(!program.hasEnded);
  });
});

describe('a command that OpenVPN does not answer', () => {
  it('ends its program alone, and the next gets its own answer', async () => {
    await using rig = await PassThroughRig.start({ settings: { 'management.commandTimeoutMs': 200 } });
    const [bad, good] = [await rig.attach(), await rig.attach()];
    // As a command with a body that nobody knows of: what follows is a part of it, up to END.
    let isOpen = false;
    rig.sidecar.fake.on('swallow', () => {
      isOpen = true;
      return undefined;
    });
    rig.sidecar.fake.on('load-stats', () => (isOpen ? undefined : ['SUCCESS: nclients=0,bytesin=1,bytesout=1']));
    rig.sidecar.fake.on('END', () => {
      isOpen = false;
      return undefined;
    });

    bad.send('swallow\n');
    await bad.ended();

    assert.equal(await good.ask('pid', /\r\n$/), PID);
    assert.match(rig.logged('pass_through.dropped')[0] ?? '', /command .*swallow of unix:.*no whole reply/);
    assert.equal(rig.sidecar.instance.reconnects, 0);
  });
});

describe('our own sidecar', () => {
  it('works behind the socket of another sidecar, and one more behind that', async () => {
    await using first = await PassThroughRig.start();
    await using second = await behind(first);
    await using third = await behind(second);
    await first.sidecar.fake.connectClient();

    for (const { sidecar } of [first, second, third])
      await sidecar.until(() => sidecar.sessions.length === 1, 'the client is known');
    const program = await third.attach();
    assert.equal(await program.ask('pid', /\r\n$/), PID);
    program.mark();
    await first.sidecar.fake.connectClient({}, { waitsForAuth: true });
    await program.until(/>CLIENT:CONNECT,1,1\r\n/);
    program.send('client-auth-nt 1 1\n');

    for (const { sidecar } of [first, second, third])
      await sidecar.until(() => sidecar.sessions.length === 2, 'the client that a program let in is known');
    await first.sidecar.fake.disconnectClient(0);
    for (const { sidecar } of [first, second, third])
      await sidecar.until(() => sidecar.sessions.length === 1, 'the client is gone');
  });
});

/** A sidecar whose OpenVPN is another sidecar's socket. */
async function behind(outer: PassThroughRig): Promise<PassThroughRig> {
  return await PassThroughRig.start({ management: outer.at() });
}

async function startWithPassword(): Promise<PassThroughRig> {
  return await PassThroughRig.start({
    places: (directory) => [
      { kind: 'unix', path: path.join(directory, 'a.sock'), passwordFile: path.join(directory, 'password') },
    ],
    prepare: async (directory) => {
      await writeFile(path.join(directory, 'password'), 'open sesame\n');
    },
  });
}

describe('a sidecar that listens for OpenVPN (management-client)', () => {
  it('passes through as one that connects', async () => {
    await using rig = await PassThroughRig.start({ connects: true });
    const program = await rig.attach();

    assert.equal(await program.ask('pid', /\r\n$/), PID);
    await rig.sidecar.fake.hangUp();
    await program.ended();
  });
});
