/** What an instance makes of kicks and holds, against a fake OpenVPN. */
import assert from 'node:assert/strict';
import { InstanceRig } from './instance-rig.js';
import type { Kicks, KickAnswer, KickWords } from '../../../sidecar/openvpn/kicks.js';
import type { Session } from '../../../sidecar/sessions/session-table.js';

const PLAIN: KickWords = { message: null, isHalt: false };
const HOUR_MS = 3_600_000;

function kicksOf(rig: InstanceRig): Kicks {
  const kicks = rig.instance.clients?.kicks;
  if (kicks === undefined) throw new Error('no server');
  return kicks;
}

function sessionOf(rig: InstanceRig, name: string): Session {
  const session = [...(rig.instance.clients?.sessions ?? [])].find(({ commonName }) => commonName === name);
  if (session === undefined) throw new Error(`${name} is not connected`);
  return session;
}

async function kick(rig: InstanceRig, name: string, words: KickWords = PLAIN): Promise<KickAnswer> {
  const session = sessionOf(rig, name);
  kicksOf(rig).withhold(session, words);
  return await kicksOf(rig).tell(session);
}

function hold(rig: InstanceRig, name: string, message: string | null = null): void {
  rig.holds.add({ name, server: null, untilMs: Date.now() + HOUR_MS, message });
}

/** Closed until a test opens it. */
class Gate {
  open: () => void = () => undefined;
  readonly promise = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

/** One with alice (10.64.0.9) and bob (10.64.0.10). */
async function rigWithTwo(...[overrides, options]: Parameters<typeof InstanceRig.start>): Promise<InstanceRig> {
  const rig = await (await InstanceRig.start(overrides, options)).ready();
  await rig.fake.connectClient({ commonName: 'alice', addresses: ['10.64.0.9'], subnets: ['10.99.0.0/255.255.0.0'] });
  await rig.fake.connectClient({ commonName: 'bob', addresses: ['10.64.0.10'] });
  await rig.have('10.64.0.10', '10.64.0.9', '10.99.0.0/16');
  return rig;
}

describe('Instance and kicks', () => {
  it('serves nothing of a client from the moment of the kick, whatever events and snapshots say', async () => {
    await using rig = await rigWithTwo({ 'management.snapshotIntervalMs': 1000 });
    const asked = rig.asked('status 3');

    const answer = kick(rig, 'alice');
    assert.deepEqual(rig.networks, ['10.64.0.10']);
    assert.deepEqual(await answer, { kind: 'told' });
    await rig.fake.send('>CLIENT:ADDRESS,0,10.64.0.77,1\r\n');
    await rig.fake.reauthenticate(0);
    await rig.until(() => rig.asked('status 3') > asked + 1, 'two more snapshots');

    assert.deepEqual(rig.networks, ['10.64.0.10']);
    assert.equal(rig.asked('client-kill 0'), 1);
    assert.deepEqual(
      rig.instance.roleStatus().clients.map(({ commonName, isKicked }) => [commonName, isKicked]),
      [
        ['alice', true],
        ['bob', undefined],
      ],
    );
  });

  it('serves the next session of the same client', async () => {
    await using rig = await rigWithTwo();
    await kick(rig, 'alice');

    await rig.fake.connectClient({ commonName: 'alice', addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.10', '10.64.0.9');
    await rig.fake.disconnectClient(0);

    await rig.have('10.64.0.10', '10.64.0.9');
  });

  it('does not serve it again when the tunnel device changes', async () => {
    await using rig = await rigWithTwo();
    await kick(rig, 'alice');
    const [tun0] = rig.tunnels;
    assert.ok(tun0);

    rig.tunnels = [{ ...tun0, covered: [] }];
    await rig.instance.resolve({ links: [], tunnels: rig.tunnels, taps: [] });

    assert.deepEqual(rig.networks, ['10.64.0.10']);
  });

  it('says what OpenVPN and the client understand', async () => {
    await using rig = await rigWithTwo();

    await kick(rig, 'alice', { message: 'back at "noon"', isHalt: false });
    await kick(rig, 'bob', { message: null, isHalt: true });
    await kick(rig, 'bob', { message: '[x] gone', isHalt: true });

    assert.deepEqual(
      rig.fake.commands.filter((line) => line.startsWith('client-kill')),
      [String.raw`client-kill 0 "RESTART,back at \"noon\""`, 'client-kill 1 "HALT"', 'client-kill 1 "HALT, [x] gone"'],
    );
  });

  it('finds that a client left meanwhile, by its event or by the answer of OpenVPN', async () => {
    await using rig = await rigWithTwo();
    const alice = sessionOf(rig, 'alice');
    kicksOf(rig).withhold(alice, PLAIN);
    await rig.fake.disconnectClient(0);
    await rig.until(() => rig.sessions.length === 1, 'one client');
    using _ = rig.fake.on('client-kill', () => ['ERROR: client-kill command failed']);
    const asked = rig.asked('status 3');

    assert.deepEqual(await kicksOf(rig).tell(alice), { kind: 'gone' });
    assert.deepEqual(await kick(rig, 'bob'), { kind: 'gone' });

    assert.equal(rig.asked('client-kill 0'), 0);
    // It may be wrong about bob.
    await rig.until(() => rig.asked('status 3') > asked, 'a snapshot');
  });

  it('tells an OpenVPN that did not answer again after the next snapshot', async () => {
    await using rig = await rigWithTwo({
      'management.commandTimeoutMs': 100,
      'management.snapshotIntervalMs': 1000,
    });
    const silence = rig.fake.hang('client-kill');

    const answer = await kick(rig, 'alice');
    assert.equal(answer.kind, 'untold');
    assert.deepEqual(rig.networks, ['10.64.0.10']);
    silence[Symbol.dispose]();

    await rig.until(() => rig.asked('client-kill 0') === 2, 'the order once more');
    assert.deepEqual(rig.networks, ['10.64.0.10']);
    assert.equal(rig.log.of('client.kick_failed').length, 1);
  });

  it('tells it once, whatever snapshots come while the kernel is waited for', async () => {
    await using rig = await rigWithTwo({ 'management.snapshotIntervalMs': 1000 });
    const alice = sessionOf(rig, 'alice');
    kicksOf(rig).withhold(alice, PLAIN);
    const asked = rig.asked('status 3');
    await rig.until(() => rig.asked('status 3') > asked + 1, 'two more snapshots');

    assert.deepEqual(await kicksOf(rig).tell(alice), { kind: 'told' });

    assert.equal(rig.asked('client-kill 0'), 1);
  });

  it('does not tell one that is not connected, and does so when it is', async () => {
    await using rig = await rigWithTwo();
    rig.fake.setBusy(true);
    await rig.fake.hangUp();
    await rig.until(() => rig.instance.state === 'connecting', 'a lost connection');

    assert.deepEqual(await kick(rig, 'alice'), { kind: 'untold', reason: 'the management connection is lost' });
    assert.deepEqual(rig.networks, ['10.64.0.10']);
    rig.fake.setBusy(false);

    await rig.until(() => rig.asked('client-kill 0') === 1, 'the order');
  });

  it('does not tell an OpenVPN before it is known who is connected to it', async () => {
    await using rig = await rigWithTwo();
    const gate = new Gate();
    let isWaiting = false;
    rig.whenResolved = async () => {
      if (rig.fake.connections === 1) return;
      isWaiting = true;
      await gate.promise;
    };
    await rig.fake.hangUp();
    await rig.until(() => isWaiting, 'a connection that is being prepared');

    assert.equal((await kick(rig, 'alice')).kind, 'untold');
    assert.equal(rig.asked('client-kill 0'), 0);
    rig.whenResolved = () => Promise.resolve();
    gate.open();

    await rig.until(() => rig.asked('client-kill 0') === 1, 'the order');
  });

  it('never ends another client that has the CID after a restart', async () => {
    await using rig = await rigWithTwo();
    const alice = sessionOf(rig, 'alice');
    kicksOf(rig).withhold(alice, PLAIN);

    await rig.fake.restart();
    await rig.fake.connectClient({ commonName: 'carol', addresses: ['10.64.0.9'] });
    await rig.have('10.64.0.9');

    assert.deepEqual(await kicksOf(rig).tell(alice), { kind: 'gone' });
    assert.equal(
      rig.fake.commands.some((line) => line.startsWith('client-kill')),
      false,
    );
  });

  describe('that OpenVPN gives no CIDs for', () => {
    // The form without CIDs: a user name is too long for the others.
    const STATUS_1 = [
      'OpenVPN CLIENT LIST',
      'Updated,2026-01-01 00:00:00',
      'Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since',
      'alice,192.0.2.9:1024,1,1,2026-01-01 00:00:00',
      'bob,2001:db8::10,1,1,2026-01-01 00:00:00',
      'eve,2001:db8::11,1,1,2026-01-01 00:00:00',
      'eve,2001:db8::12,1,1,2026-01-01 00:00:00',
      'ROUTING TABLE',
      'Virtual Address,Common Name,Real Address,Last Ref',
      '10.64.0.9,alice,192.0.2.9:1024,2026-01-01 00:00:00',
      '10.64.0.10,bob,2001:db8::10,2026-01-01 00:00:00',
      '10.64.0.11,eve,2001:db8::11,2026-01-01 00:00:00',
      '10.64.0.12,eve,2001:db8::12,2026-01-01 00:00:00',
      'GLOBAL STATS',
      'Max bcast/mcast queue length,0',
      'END',
    ];

    it('uses the real address, or a name that only one has', async () => {
      await using rig = await InstanceRig.start({}, { isClientAuth: false }, undefined, (fake) => {
        fake.on('status', ([form]) => (form === '1' ? STATUS_1 : ['TITLE\tOpenVPN']));
      });
      await rig.ready();
      await rig.have('10.64.0.10', '10.64.0.11', '10.64.0.12', '10.64.0.9');

      assert.deepEqual(await kick(rig, 'alice'), { kind: 'told' });
      assert.deepEqual(await kick(rig, 'bob'), { kind: 'told' });
      assert.equal((await kick(rig, 'eve')).kind, 'untold');

      assert.deepEqual(
        rig.fake.commands.filter((line) => line.startsWith('kill')),
        ['kill 192.0.2.9:1024', 'kill "bob"'],
      );
    });
  });
});

describe('Instance and holds', () => {
  for (const authorize of ['accept', 'none'] as const) {
    it(`refuses the logins of a client that is kept out under authorize: ${authorize}, and those of nobody else`, async () => {
      await using rig = await rigWithTwo({ authorize });
      hold(rig, 'alice');

      const cid = await rig.fake.connectClient({ commonName: 'alice' }, { waitsForAuth: true });
      const old = await rig.fake.connectClient(
        { commonName: 'alice', env: { IV_PROTO: '94' } },
        { waitsForAuth: true },
      );
      await rig.fake.expect('client-deny');
      await rig.fake.expect('client-deny');

      const denied = rig.fake.commands.filter((line) => line.startsWith('client-deny'));
      assert.match(
        denied[0] ?? '',
        new RegExp(
          `^client-deny ${cid} 1 "gwmark keeps alice out until [^"]*" "TEMP\\[backoff 3600\\]:kept out [^"]*"$`,
        ),
      );
      // It ends at a failure that it does not know as a temporary one.
      assert.match(denied[1] ?? '', new RegExp(`^client-deny ${old} 1 "[^"]*" "kept out [^"]*"$`));
      assert.equal(rig.log.of('client.login_held').length, 2);
    });
  }

  it('knows a client by its user name where that is its common name', async () => {
    await using rig = await rigWithTwo({ authorize: 'accept' });
    hold(rig, 'alice', 'later');

    await rig.fake.connectClient({ commonName: 'certificate 7', username: 'alice' }, { waitsForAuth: true });

    assert.match(await rig.fake.expect('client-deny'), /\]:later"$/);
  });

  it('refuses one that asked while no sidecar was attached: nobody answers it', async () => {
    await using rig = await InstanceRig.start({ authorize: 'accept' }, {}, undefined, (fake) => {
      void fake.connectClient({ commonName: 'alice' }, { waitsForAuth: true });
      void fake.connectClient({ commonName: 'bob', addresses: ['10.64.0.10'] }, { waitsForAuth: true });
    });
    hold(rig, 'alice');
    await rig.ready();

    await rig.have('10.64.0.10');

    assert.equal(
      rig.fake.commands.some((line) => /^client-auth(-nt)? 0 /.test(line)),
      false,
    );
  });

  it('ends one that nobody was asked about, before it is served', async () => {
    await using rig = await InstanceRig.start({}, { isClientAuth: false });
    await rig.ready();
    hold(rig, 'alice');

    await rig.fake.connectClient({ commonName: 'alice', addresses: ['10.64.0.9'] });
    await rig.fake.connectClient({ commonName: 'bob', addresses: ['10.64.0.10'] });
    await rig.have('10.64.0.10');

    await rig.fake.expect('client-kill');
    assert.deepEqual(
      rig.log.of('client.kicked').map(({ fields }) => [fields['commonName'], fields['reason']]),
      [['alice', 'hold']],
    );
    assert.equal(rig.log.of('client.address').length, 1);
  });

  it('ends one whose name only ESTABLISHED tells', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();
    hold(rig, 'alice');

    await rig.fake.send(
      '>CLIENT:ADDRESS,7,10.64.0.9,1\r\n>CLIENT:ESTABLISHED,7\r\n>CLIENT:ENV,common_name=alice\r\n>CLIENT:ENV,END\r\n',
    );
    await rig.fake.expect('client-kill');

    await rig.have();
    assert.equal(rig.log.of('client.kicked').length, 1);
  });

  it('lets it in again once it is released', async () => {
    await using rig = await rigWithTwo({ authorize: 'accept' });
    hold(rig, 'alice');
    rig.holds.release('alice', null);

    await rig.fake.connectClient({ commonName: 'alice', addresses: ['10.64.0.30'] }, { waitsForAuth: true });

    await rig.until(() => rig.networks.includes('10.64.0.30'), 'alice');
  });
});
