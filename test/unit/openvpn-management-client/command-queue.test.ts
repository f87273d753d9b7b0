import assert from 'node:assert/strict';
import {
  commands,
  CommandQueue,
  Decoder,
  isManagementError,
  isNotification,
  parseCid,
  parseKid,
  type ManagementError,
} from 'openvpn-management-client';
import { ManualClock } from 'openvpn-management-client/testing';
import { loadTranscript } from '../../transcripts/load.js';

const TIMEOUT_MS = 1000;

/** A queue whose other side is the test: what was written, and what the daemon says. */
function open(maxReplyLines = 1000) {
  const written: string[] = [];
  const stuck: ManagementError[] = [];
  const clock = new ManualClock();
  const decoder = new Decoder();
  const queue = new CommandQueue({
    write: (bytes) => written.push(Buffer.from(bytes).toString('latin1')),
    timeoutMs: TIMEOUT_MS,
    maxReplyLines,
    clock,
    onStuck: (error) => stuck.push(error),
  });
  const say = (...lines: readonly string[]): void => {
    for (const message of decoder.push(Buffer.from(lines.map((line) => `${line}\r\n`).join(''), 'latin1'))) {
      if (isNotification(message)) queue.notice(message);
      else if (message.kind !== 'password-prompt') queue.push(message);
    }
  };
  return { queue, written, stuck, clock, say };
}

const withCode =
  (code: Parameters<typeof isManagementError>[1]) =>
  (error: unknown): boolean =>
    isManagementError(error, code);

describe('CommandQueue', () => {
  it('resolves a single reply without a sentinel', async () => {
    const { queue, written, say } = open();

    const reply = queue.execute(commands.loadStats());
    say('SUCCESS: nclients=1,bytesin=3160,bytesout=3196');

    assert.deepEqual(await reply, { clients: 1, bytesIn: 3160n, bytesOut: 3196n });
    assert.deepEqual(written, ['load-stats\n']);
  });

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
