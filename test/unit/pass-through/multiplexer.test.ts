import assert from 'node:assert/strict';
import { MultiplexerRig, settled } from './rig.js';

describe('Multiplexer, commands', () => {
  it('gives the whole reply to the program that asked, and nothing of it to another', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];

    a.send('status 3\n');
    await rig.answer('TITLE\tOpenVPN', 'END');

    assert.equal(a.got, 'TITLE\tOpenVPN\r\nEND\r\n');
    assert.equal(b.got, '');
  });

  it('passes on a command that it does not know, byte for byte', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();

    program.send('push-update-later "\u00e4 b"  7 \n');
    await rig.answer('SUCCESS: 1', 'something else', 'ERROR: 2');

    assert.deepEqual(rig.sent, ['push-update-later "\u00e4 b"  7 ']);
    assert.equal(program.got, 'SUCCESS: 1\r\nsomething else\r\nERROR: 2\r\n');
  });

  it('sends the commands of many programs one at a time, in turns', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];

    a.send('one\ntwo\n');
    b.send('three\n');
    await rig.answer('1');
    await rig.answer('3');
    await rig.answer('2');

    assert.deepEqual(rig.sent, ['one', 'three', 'two']);
    assert.deepEqual([a.got, b.got], ['1\r\n2\r\n', '3\r\n']);
  });

  it('sends nothing for an empty line and for a comment, as OpenVPN says nothing to them', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();

    program.send('\n   \n# comment\n; another\r\n');
    await settled();

    assert.deepEqual([rig.sent, program.got], [[], '']);
  });

  it('takes a command that comes in pieces, without the control characters that OpenVPN drops', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();

    for (const piece of ['pi', '\td', '\u0000\r', '\n']) program.send(piece);
    await rig.answer('SUCCESS: pid=1');

    assert.deepEqual(rig.sent, ['pid']);
  });

  it('ends only the connection of the program that says exit, after its earlier commands', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];

    a.send('pid\nexit\nsignal SIGTERM\n');
    await rig.answer('SUCCESS: pid=1');

    assert.equal(a.got, 'SUCCESS: pid=1\r\n');
    assert.ok(a.hasEnded);
    assert.ok(!b.hasEnded);
    assert.deepEqual(rig.sent, ['pid']);
  });

  it('lets a program go that sends no more, when all is answered', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();

    program.send('pid\n');
    program.sendEnd();
    await settled();
    assert.ok(!program.hasEnded);
    await rig.answer('SUCCESS: pid=1');

    assert.equal(program.got, 'SUCCESS: pid=1\r\n');
    assert.ok(program.hasEnded);
  });

  it('drops the program whose command is not answered in time, and goes on', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];

    a.send('slow\n');
    b.send('pid\n');
    await rig.fail();
    await rig.answer('SUCCESS: pid=1');

    assert.equal(a.dropped, 'no answer');
    assert.equal(b.got, 'SUCCESS: pid=1\r\n');
  });

  it('refuses a command of more than 1023 bytes, whose end OpenVPN would run as another', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();

    program.send(`${'x'.repeat(1 << 20)} signal SIGTERM\npid\n`);
    await rig.answer('SUCCESS: pid=1');

    assert.deepEqual(rig.sent, ['pid']);
    assert.equal(program.got, 'ERROR: a command has at most 1023 bytes\r\nSUCCESS: pid=1\r\n');
    assert.deepEqual(program.complaints, ['a command has at most 1023 bytes']);
  });

  it('reads no more of a program that has sent many commands, until they are answered', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();

    program.send('pid\n'.repeat(100));
    assert.ok(!program.isReading);
    for (let index = 0; index < 100; index += 1) await rig.answer('SUCCESS: pid=1');

    assert.ok(program.isReading);
  });

  it('runs no command of a program that does not read its answers', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    a.stopTaking();

    a.send('status\n');
    b.send('pid\n');
    await rig.answer('SUCCESS: pid=1');
    assert.deepEqual(rig.sent, ['pid']);
    a.take();
    await rig.answer('END');

    assert.deepEqual(rig.sent, ['pid', 'status']);
  });
});

describe('Multiplexer, commands with a body', () => {
  it('sends client-auth with its body in one piece', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();

    program.send('client-auth 1 2\npush "route 192.0.2.0 255.255.255.0"\n');
    await settled();
    assert.deepEqual(rig.sent, []);
    program.send('END\n');
    await rig.answer('SUCCESS: client-auth command succeeded');

    assert.deepEqual(rig.sent, ['client-auth 1 2\npush "route 192.0.2.0 255.255.255.0"\nEND']);
  });

  it('takes the lines for commands where OpenVPN refuses the header, as OpenVPN does', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach({ allowed: ['client-auth'] });

    program.send('client-auth mine 2\nkill anne\nEND\n');
    await rig.answer('ERROR: cannot parse CID');

    assert.deepEqual(rig.sent, ['client-auth mine 2']);
    assert.match(program.got, /ERROR: command "kill" is not allowed at this socket, only client-auth\r\n/);
  });

  it('takes a signature only where OpenVPN asks for one', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();

    program.send('pk-sig\n');
    await rig.answer('ERROR: The pk-sig command is not currently available');
    await rig.say('>PK_SIGN:YWJj,RSA_PKCS1_PADDING');
    program.send('pk-sig\nZGVm\nEND\n');
    await rig.answer();
    program.send('pk-sig\n');
    await rig.answer('ERROR: The pk-sig command is not currently available');

    assert.deepEqual(rig.sent, ['pk-sig', 'pk-sig\nZGVm\nEND', 'pk-sig']);
  });

  it('sends no lines of a signature that another program has given meanwhile', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach({ allowed: ['pk-sig'] })];
    await rig.say('>PK_SIGN:YWJj,RSA_PKCS1_PADDING');

    a.send('pk-sig\nZGVm\nEND\n');
    b.send('pk-sig\nsignal SIGTERM\nEND\n');
    await rig.answer();
    await rig.answer('ERROR: The pk-sig command is not currently available');

    assert.deepEqual(rig.sent, ['pk-sig\nZGVm\nEND', 'pk-sig']);
  });

  it('takes a password with a body only where OpenVPN does', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();
    await rig.say(">PASSWORD:Need 'Auth' password");
    program.send('version 5\n');
    await rig.answer();

    program.send('password Auth\nYWJj\nEND\n');
    await rig.answer("ERROR: the 'password' command requires 2 parameters");

    assert.deepEqual(rig.sent.slice(0, 2), ['version 5', 'password Auth']);
  });

  it('refuses a body that is too long, and reads it to its end', async () => {
    const rig = new MultiplexerRig();
    const program = rig.attach();

    program.send('client-auth 1 2\n');
    for (let index = 0; index < 300; index += 1) program.send(`${'y'.repeat(1000)}\n`);
    program.send('END\npid\n');
    await rig.answer('SUCCESS: pid=1');

    assert.deepEqual(rig.sent, ['pid']);
    assert.match(program.got, /^ERROR: client-auth command failed: its body has lines of at most 1023 bytes/);
  });
});
