import assert from 'node:assert/strict';
import { commands, Decoder, isManagementError, isNotification, parseCid, parseKid } from 'openvpn-management-client';
import { loadTranscript } from '../../transcripts/load.js';
import { open, withCode } from './queue-rig.js';

describe('replies of a CommandQueue', () => {
  it('resolves a single reply without a sentinel', async () => {
    const { queue, written, say } = open();

    const reply = queue.execute(commands.loadStats());
    say('SUCCESS: nclients=1,bytesin=3160,bytesout=3196');

    assert.deepEqual(await reply, { clients: 1, bytesIn: 3160n, bytesOut: 3196n });
    assert.deepEqual(written, ['load-stats\n']);
  });

  it('is not moved by notifications between the rows, or before a SUCCESS', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.state('all'));
    say(
      '1,CONNECTING,,,,,,',
      ">LOG:1,D,MANAGEMENT: CMD 'pid'",
      '>CLIENT:ESTABLISHED,0',
      '>CLIENT:ENV,a=b',
      '>CLIENT:ENV,END',
      '>BYTECOUNT_CLI:0,1,2',
      '2,CONNECTED,SUCCESS,,,,,',
      'END',
    );

    assert.deepEqual(
      (await reply).map(({ name }) => name),
      ['CONNECTING', 'CONNECTED'],
    );
  });

  it('takes SUCCESS and rows for state on all', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.setStateWithHistory());
    say('SUCCESS: real-time state notification set to ON', '1,CONNECTED,SUCCESS,,,,,', 'END');

    assert.equal((await reply).length, 1);
  });

  it('takes an ERROR in the place of rows, without END', async () => {
    const { queue, say } = open();

    const bad = queue.execute(commands.raw('status 9', 'multi'));
    say('ERROR: bad status format version number', 'SUCCESS: pid=1');
    const held = queue.execute(commands.status());
    say("ERROR: The 'status' command is not supported by the current daemon mode", 'SUCCESS: pid=1');

    await assert.rejects(
      bad,
      (error) =>
        isManagementError(error, 'MGMT_COMMAND') && error.context.reply === 'bad status format version number',
    );
    await assert.rejects(held, withCode('MGMT_UNSUPPORTED'));
  });

  it('takes END alone for an empty result', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.log());
    say('END');

    assert.deepEqual(await reply, []);
  });

  it('knows at the sentinel that a reply was broken off', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.status());
    const next = queue.execute(commands.envFilter(0));
    say('TITLE\tOpenVPN 2.6.14', 'SUCCESS: pid=1');
    say('SUCCESS: env_filter_level=0');

    await assert.rejects(
      reply,
      (error) => isManagementError(error, 'MGMT_TRUNCATED') && error.context.lines?.length === 1,
    );
    await next;
  });

  it('says how many rows of a long table came before it was broken off, and which were the last', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.status());
    say(
      'TITLE\tOpenVPN 2.6.14',
      ...Array.from({ length: 20 }, (_, index) => `GLOBAL_STATS\tcounter\t${index}`),
      'SUCCESS: pid=1',
    );

    await assert.rejects(
      reply,
      (error) =>
        isManagementError(error, 'MGMT_TRUNCATED') &&
        error.message.includes('after 21 lines') &&
        error.context.lines?.length === 8 &&
        error.context.lines[0] === 'GLOBAL_STATS\tcounter\t12' &&
        error.context.lines[7] === 'GLOBAL_STATS\tcounter\t19',
    );
  });

  it('says at the end of a reply, and not before, that its tables have no header', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.status());
    const next = queue.execute(commands.envFilter(0));
    say('CLIENT_LIST\tsomebody', 'TITLE\tOpenVPN 2.6.14', 'END', 'SUCCESS: pid=1');
    say('SUCCESS: env_filter_level=0');

    await assert.rejects(reply, withCode('MGMT_PROTOCOL'));
    await next;
  });

  it('knows it on the recording of a real broken status 3, and reads status 1 after it', async () => {
    const { queue } = open();
    const { records } = loadTranscript('broken-status');
    const at = records.findIndex(({ from, bytes }) => from === 'C' && bytes.toString() === 'status 3\n');
    const reply = queue.execute(commands.status());
    const fallback = queue.execute(commands.status(1));

    const said = Buffer.concat(
      records
        .slice(at)
        .filter(({ from }) => from === 'S')
        .map(({ bytes }) => bytes),
    );
    for (const message of new Decoder().push(said))
      if (!isNotification(message) && message.kind !== 'password-prompt') queue.push(message);

    await assert.rejects(reply, withCode('MGMT_TRUNCATED'));
    assert.deepEqual(
      (await fallback).clients.map(({ commonName }) => commonName),
      ['plain', 'nasty'],
    );
  });

  it('does not take a row that begins like the sentinel for it', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.raw('status 1', 'multi'));
    say('SUCCESS: pid=1,192.0.2.1:5,1,2,now', 'ERROR: x,192.0.2.1:5,1,2,now', 'END');

    assert.deepEqual((await reply).lines, ['SUCCESS: pid=1,192.0.2.1:5,1,2,now', 'ERROR: x,192.0.2.1:5,1,2,now']);
  });

  it('takes silence for an answer to version n, and SUCCESS too', async () => {
    const { queue, say } = open();

    const silent = queue.execute(commands.announceVersion(4));
    say('SUCCESS: pid=1');
    await silent;
    const spoken = queue.execute(commands.announceVersion(4));
    say('SUCCESS: Management client version set to 4', 'SUCCESS: pid=1');

    await spoken;
  });

  it('takes all status lines of push-update, with the bare line among them', async () => {
    const { queue, say } = open();
    const v27 = {
      hasPushUpdate: true,
      killNeedsProtocol: true,
      pendingAuth: 'cid-kid-extra-timeout',
      firstKid: 1,
    } as const;

    const good = queue.execute(commands.pushUpdate(v27, 'all', ['route 10.0.0.0']));
    say(
      'PUSH_UPDATE: not sending message to unsupported peer with ID: 1',
      'SUCCESS: 3 client(s) updated',
      'SUCCESS: push-update command succeeded',
      'SUCCESS: pid=1',
    );
    const bad = queue.execute(commands.pushUpdate(v27, parseCid('9'), ['route 10.0.0.0']));
    say('ERROR: cannot parse CID', 'ERROR: push-update-cid fail during cid parsing', 'SUCCESS: pid=1');

    assert.equal(await good, 3);
    await assert.rejects(bad, withCode('MGMT_COMMAND'));
  });

  it('leaves the HOLD behind an ERROR of signal alone', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.signal('SIGUSR1'));
    say("ERROR: signal 'SIGUSR1' is currently ignored", '>HOLD:Waiting for hold release:0');

    await assert.rejects(reply, withCode('MGMT_COMMAND'));
    assert.equal(queue.strayLines, 0);
  });

  it('takes a notification for the answer of pkcs11-id-count', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.pkcs11IdCount());
    say('>PKCS11ID-COUNT:2', 'SUCCESS: pid=1');

    assert.equal(await reply, 2);
  });

  it('takes client-auth for the answer of client-auth-nt', async () => {
    const { queue, say } = open();

    const reply = queue.execute(commands.clientAuthNt(parseCid('0'), parseKid('1')));
    say('SUCCESS: client-auth command succeeded');

    await reply;
  });

  it('takes an ERROR for the header of client-auth together with those for its body', async () => {
    const { queue, written, say } = open();

    const reply = queue.execute(
      commands.clientAuth(parseCid('0'), parseKid('1'), ['ifconfig-push 10.8.0.5 255.255.255.0']),
    );
    const next = queue.execute(commands.pid());
    say(
      "ERROR: The 'client-auth' command is not supported by the current daemon mode",
      "ERROR: unknown command, enter 'help' for more options",
      "ERROR: unknown command, enter 'help' for more options",
      'SUCCESS: pid=1',
    );
    say('SUCCESS: pid=2');

    await assert.rejects(reply, withCode('MGMT_UNSUPPORTED'));
    assert.equal(await next, 2);
    assert.deepEqual(written, ['client-auth 0 1\nifconfig-push 10.8.0.5 255.255.255.0\nEND\npid\n', 'pid\n']);
  });
});
