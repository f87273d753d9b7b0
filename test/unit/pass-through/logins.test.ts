import assert from 'node:assert/strict';
import { clientEvent, clientEventText, MultiplexerRig, settled } from './rig.js';

const SUCCESS = 'SUCCESS: client-auth command succeeded';

describe('Multiplexer, logins', () => {
  it('asks each program until one answers, and then that one alone', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    await rig.say(...clientEvent('CONNECT,0,1'));
    assert.deepEqual([a.got, b.got], [clientEventText('CONNECT,0,1'), clientEventText('CONNECT,0,1')]);

    b.send('client-auth-nt 0 1\n');
    await rig.answer(SUCCESS);
    a.text = '';
    b.text = '';
    await rig.say(...clientEvent('REAUTH,0,2'));

    assert.deepEqual([a.got, b.got], ['', clientEventText('REAUTH,0,2')]);
  });

  it('asks nobody about a client that gwmark keeps out, by either of its names, nor a program that attaches later', async () => {
    const rig = new MultiplexerRig();
    const a = rig.attach();
    rig.keptOut = ['anne', 'jos\u00e9'];

    await rig.say(...clientEvent('CONNECT,0,1'), ...clientEvent('REAUTH,1,2'));
    await rig.say('>CLIENT:CONNECT,2,1', '>CLIENT:ENV,username=jos\u00c3\u00a9', '>CLIENT:ENV,END');
    const late = rig.attach();
    await settled();
    assert.deepEqual([a.got, late.got], ['', '']);
    rig.keptOut = [];
    await rig.say(...clientEvent('CONNECT,3,1'));

    assert.equal(a.got, clientEventText('CONNECT,3,1'));
  });

  it('passes no second answer on', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    await rig.say(...clientEvent('CONNECT,0,1'));

    a.send('client-auth-nt 0 1\n');
    b.send('client-deny 0 1 no\n');
    await rig.answer(SUCCESS);

    assert.deepEqual(rig.sent, ['client-auth-nt 0 1']);
    assert.match(b.got, /ERROR: client-deny command failed: another program answers logins\r\n$/);
  });

  it('does not take for the one that answers whom OpenVPN refuses', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    a.send('client-auth-nt 7 1\n');
    await rig.answer('ERROR: client-auth command failed');

    await rig.say(...clientEvent('CONNECT,0,1'));

    assert.equal(b.got, clientEventText('CONNECT,0,1'));
  });

  it('asks the next program when the one that answers leaves with logins unanswered', async () => {
    const rig = new MultiplexerRig();
    const [a, b] = [rig.attach(), rig.attach()];
    await rig.say(...clientEvent('CONNECT,0,1'));
    a.send('client-auth-nt 0 1\n');
    await rig.answer(SUCCESS);
    await rig.say(...clientEvent('CONNECT,1,1'), ...clientEvent('CONNECT,2,1'), ...clientEvent('DISCONNECT,2'));
    a.send('client-pending-auth 1 1 WEB_AUTH::https://login.example 60\n');
    await rig.answer('SUCCESS: client-pending-auth command succeeded');
    b.text = '';

    a.leave();
    await settled();
    assert.equal(b.got, clientEventText('CONNECT,1,1'));
    b.send('client-auth-nt 1 1\n');
    await rig.answer(SUCCESS);
    const later = rig.attach();
    await settled();

    assert.equal(later.got, '');
  });

  it('asks a program that attaches about the logins that wait', async () => {
    const rig = new MultiplexerRig();
    await rig.say(...clientEvent('CONNECT,0,1'), ...clientEvent('REAUTH,3,2'));

    const program = rig.attach();
    await settled();

    assert.equal(program.got, clientEventText('CONNECT,0,1') + clientEventText('REAUTH,3,2'));
  });

  it('asks nobody about a client that was let in by other means', async () => {
    const rig = new MultiplexerRig();
    await rig.say(...clientEvent('CONNECT,0,1'), ...clientEvent('ESTABLISHED,0'));

    const program = rig.attach();
    await settled();

    assert.equal(program.got, '');
  });

  it('asks only the latest question about a client, and none after a restart', async () => {
    const rig = new MultiplexerRig();
    await rig.say(...clientEvent('CONNECT,0,1'), ...clientEvent('CONNECT,0,2'));
    const program = rig.attach();
    await settled();
    assert.equal(program.got, clientEventText('CONNECT,0,2'));

    await rig.say('>STATE:1,RECONNECTING,SIGUSR1,,,,,');
    const later = rig.attach();
    await settled();

    assert.equal(later.got, '');
  });

  it('asks the first program at a socket with logins: true, and no other', async () => {
    const rig = new MultiplexerRig({ hasAppointed: true });
    const monitor = rig.attach();
    const [a, b] = [rig.attach({ logins: 'appointed' }), rig.attach({ logins: 'appointed' })];

    await rig.say(...clientEvent('CONNECT,0,1'));
    assert.deepEqual([monitor.got, a.got, b.got], ['', clientEventText('CONNECT,0,1'), '']);
    monitor.send('client-auth-nt 0 1\n');
    b.send('client-auth-nt 0 1\n');
    await settled();
    assert.match(monitor.got, /ERROR: client-auth-nt command failed: programs at this socket do not answer logins/);
    assert.match(b.got, /another program answers/);
    a.leave();
    await settled();

    assert.match(b.got, /CONNECT,0,1/);
    assert.deepEqual(rig.sent, []);
  });

  it('asks nobody while gwmark answers', async () => {
    const rig = new MultiplexerRig();
    rig.answersLogins = true;
    const program = rig.attach();

    await rig.say(...clientEvent('CONNECT,0,1'), ...clientEvent('ESTABLISHED,0'));
    program.send('client-deny 0 1 no\n');
    await settled();

    assert.equal(
      program.got,
      `${clientEventText('ESTABLISHED,0')}ERROR: client-deny command failed: gwmark answers logins (authorize: accept)\r\n`,
    );
    assert.deepEqual(rig.sent, []);
  });

  it('does not ask a program that may not answer', async () => {
    const rig = new MultiplexerRig();
    const [reader, other] = [rig.attach({ allowed: 'read' }), rig.attach({ logins: 'never' })];

    await rig.say(...clientEvent('CONNECT,0,1'));

    assert.deepEqual([reader.got, other.got], ['', '']);
  });
});
