/** An OpenVPN client behind the management socket: what it is, where its tunnel leads to, and for how long. */
import assert from 'node:assert/strict';
import type { FakeManagementServer } from 'openvpn-management-client/testing';
import type { FlatSettings } from '../../../sidecar/config/table.js';
import { InstanceRig, TUN0 } from './instance-rig.js';

const STATISTICS = [
  'OpenVPN STATISTICS',
  'Updated,2026-01-01 00:00:00',
  'TUN/TAP read bytes,0',
  'TUN/TAP write bytes,0',
  'TCP/UDP read bytes,0',
  'TCP/UDP write bytes,0',
  'Auth read bytes,0',
  'END',
];
const CONNECTED = '1795733190,CONNECTED,SUCCESS,10.64.0.1,203.0.113.9,1194,,,2001:db8:8::1';
const OWN = ['10.64.0.0/10', '2001:db8:8::/64'];

interface FakeClientState {
  states: readonly string[];
  log: readonly string[];
  entries: readonly string[];
}

/**
 * Makes the fake a client, as recorded of a real one in client-late.txt; what it says can be changed between
 * connections.
 */
function beClient(fake: FakeManagementServer, state: FakeClientState): void {
  fake.on('status', () => STATISTICS);
  fake.history('state', () => state.states);
  fake.history('log', () => state.log.map((text) => `1795733190,,${text}`));
  fake.on('remote-entry-get', () => [...state.entries, 'END']);
}

const pushed = (...options: readonly string[]): string =>
  `PUSH: Received control message: 'PUSH_REPLY,${options.join(',')}'`;
const log = (text: string): string => `>LOG:1795733200,,${text}\r\n`;
const state = (text: string): string => `>STATE:${text}\r\n`;

/** How often it was asked for what a snapshot is made of. */
const askedForState = (of: InstanceRig): number => of.asked('state') + of.asked('state 1') + of.asked('status 3');

async function startClient(
  overrides: Partial<FakeClientState> = {},
  settings: Partial<FlatSettings> = {},
): Promise<{ rig: InstanceRig; said: FakeClientState }> {
  const said: FakeClientState = {
    states: [CONNECTED],
    log: [pushed('route 10.1.0.0 255.255.0.0', 'route-ipv6 2001:db8:77::/64')],
    entries: ['0,203.0.113.9,1194,udp4,enabled'],
    ...overrides,
  };
  return { rig: await InstanceRig.start(settings, {}, undefined, (fake) => beClient(fake, said)), said };
}

describe('Instance of an OpenVPN client', () => {
  it('knows it for one, and takes the networks that were pushed and those of the tunnel device', async () => {
    const { rig } = await startClient();
    await using _ = rig;
    await rig.ready();

    assert.equal(rig.instance.role, 'client');
    assert.deepEqual(rig.networks, [...OWN, '10.1.0.0/16', '2001:db8:77::/64'].toSorted());
    assert.deepEqual(rig.instance.roleStatus().remote, { protocol: 'udp', address: '203.0.113.9', port: 1194 });
    assert.deepEqual(rig.instance.place.transports, [
      { protocol: 'udp', address: null, families: [4], port: 0, remote: { address: '203.0.113.9', port: 1194 } },
    ]);
  });

  it('knows it by status alone, where the states say nothing', async () => {
    const { rig } = await startClient({ states: ['1795733190,CONNECTED,SUCCESS,10.64.0.1,,,,,'] });
    await using _ = rig;
    await rig.ready();

    assert.equal(rig.instance.role, 'client');
    assert.deepEqual(rig.networks, [...OWN, '10.1.0.0/16', '2001:db8:77::/64'].toSorted());
  });

  it('knows a server for a server', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();

    assert.equal(rig.instance.role, 'server');
    assert.equal(rig.instance.roleStatus().remote, null);
  });

  it('takes what management.role says instead', async () => {
    const { rig } = await startClient(
      { states: ['1795733190,CONNECTED,SUCCESS,10.64.0.1,,,,,'], log: [] },
      { 'management.role': 'server' },
    );
    await using _ = rig;
    await rig.ready();

    assert.equal(rig.instance.role, 'server');
    assert.deepEqual(rig.networks, []);
    assert.equal(rig.asked('log on'), 0);
  });

  it('asks a server for the history of its log once a start, and never follows it', async () => {
    await using rig = await InstanceRig.start();
    await rig.ready();

    assert.deepEqual(
      rig.fake.commands.filter((line) => line.startsWith('log') || line.startsWith('remote')),
      ['log all'],
    );
  });

  it('finds out after hold, from the first state that only a client has, and knows the remote before the first packet', async () => {
    const said: FakeClientState = { states: ['1795733190,CONNECTING,,,,,,'], log: [], entries: [] };
    await using rig = await InstanceRig.start({}, { isHeld: true }, undefined, (fake) => beClient(fake, said));
    await rig.fake.expect('hold');
    assert.equal(rig.instance.role, null);
    said.log = ['UDPv4 link remote: [AF_INET]203.0.113.9:1194'];

    await rig.fake.send(state('1795733191,WAIT,,,,,,'));

    await rig.until(() => rig.instance.place.transports.length === 1, 'the remote');
    assert.equal(rig.instance.role, 'client');
    await rig.fake.send(log(pushed('route 10.1.0.0 255.255.0.0')) + state(CONNECTED));
    await rig.have(...OWN, '10.1.0.0/16');
  });

  it('asks for nothing on a timer once it knows it for a client', async () => {
    const said: FakeClientState = { states: ['1795733190,CONNECTING,,,,,,'], log: [], entries: [] };
    const often: Partial<FlatSettings> = { 'management.pollIntervalMs': 500 };
    await using rig = await InstanceRig.start(often, { isHeld: true }, undefined, (fake) => beClient(fake, said));
    await rig.fake.expect('hold');
    await rig.fake.send(state('1795733191,WAIT,,,,,,'));
    await rig.fake.expect('remote-entry-get');
    const before = askedForState(rig);

    await using server = await InstanceRig.start(often);
    await server.until(() => askedForState(server) > 3, 'a server that is asked by the same timer');

    assert.equal(askedForState(rig), before);
  });

  it('keeps the networks that another client process has too, where the end of the one before cannot be seen', async () => {
    const { rig } = await startClient();
    await using _ = rig;
    await rig.ready();
    const before = rig.networks;

    rig.fake.on('pid', () => ['SUCCESS: pid=2000']);
    await rig.fake.hangUp();
    await rig.until(() => rig.instance.epoch === 2, 'the other process');
    await rig.ready();

    assert.deepEqual(rig.networks, before);
    assert.deepEqual(
      rig.log.of('network.changed').filter(({ fields }) => fields['change'] === 'removed'),
      [],
    );
  });

  it('keeps everything while the management connection alone is lost', async () => {
    const { rig } = await startClient();
    await using _ = rig;
    await rig.ready();
    const before = rig.networks;
    rig.fake.setBusy(true);

    await rig.fake.hangUp();
    await rig.until(() => rig.instance.state === 'connecting', 'the loss');
    await rig.instance.resolve({ links: [], tunnels: [TUN0], taps: [] });

    assert.deepEqual(rig.networks, before);
    assert.equal(rig.instance.place.transports.length, 1);
    rig.fake.setBusy(false);
    await rig.ready();
    assert.deepEqual([rig.networks, rig.instance.epoch], [before, 1]);
  });

  it('begins an epoch when it reconnects, keeps its networks as long as the tunnel, and then has what is pushed again', async () => {
    const { rig } = await startClient();
    await using _ = rig;
    await rig.ready();

    await rig.fake.send(
      state('1795733200,RECONNECTING,SIGUSR1,,,,,') +
        state('1795733201,WAIT,,,,,,') +
        log(pushed('route 10.2.0.0 255.255.0.0')),
    );
    await rig.until(() => rig.instance.epoch === 2, 'the epoch');
    assert.ok(
      rig.networks.includes('10.1.0.0/16') && !rig.networks.includes('10.2.0.0/16'),
      'what is pushed counts from CONNECTED on',
    );
    assert.equal(rig.instance.uplinkNeed, 'seeking');
    await rig.fake.send(state('1795733202,CONNECTED,SUCCESS,10.64.0.1,203.0.113.9,1194,,,'));

    await rig.have(...OWN, '10.2.0.0/16');
    assert.equal(rig.instance.uplinkNeed, 'satisfied');
  });

  it('lets its networks go with the tunnel', async () => {
    const { rig } = await startClient();
    await using _ = rig;
    await rig.ready();
    rig.tunnels = [];

    await rig.fake.send(state('1795733200,RECONNECTING,ping-restart,,,,,'));

    await rig.have();
    assert.equal(rig.instance.state, 'waiting');
    assert.equal(rig.instance.place.transports.length, 1, 'it still needs to send');
  });

  it('counts no epoch for attempts that fail', async () => {
    const { rig } = await startClient({
      states: [
        '1795733190,CONNECTING,,,,,,',
        '1795733190,TCP_CONNECT,,,,,,',
        '1795733190,RECONNECTING,connection-failed,,,,,',
      ],
      log: [],
    });
    await using _ = rig;
    rig.tunnels = [];
    await rig.until(() => rig.instance.state === 'waiting', 'the connection');

    for (let attempt = 0; attempt < 5; attempt += 1)
      await rig.fake.send(
        state('1795733191,TCP_CONNECT,,,,,,') + state('1795733191,RECONNECTING,connection-failed,,,,,'),
      );
    await rig.fake.send(log('Attempting to establish TCP connection with [AF_INET]203.0.113.77:443'));

    await rig.until(() => rig.instance.roleStatus().remote?.address === '203.0.113.77', 'the last line');
    assert.equal(rig.instance.epoch, 1);
    assert.match(rig.instance.problem ?? '', /not connected to its server/);
  });

  it('forgets a client when another process answers, and takes that for what it is', async () => {
    const { rig } = await startClient();
    await using _ = rig;
    await rig.ready();
    rig.fake.on('pid', () => ['SUCCESS: pid=2000']);
    rig.fake.on('status', () => [
      'TITLE\tOpenVPN 2.6.14',
      'HEADER\tCLIENT_LIST\tCommon Name\tReal Address',
      'HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address',
      'END',
    ]);
    rig.fake.history('state', () => ['1795733300,CONNECTED,SUCCESS,10.64.0.1,,,,,']);

    await rig.fake.hangUp();

    await rig.until(() => rig.instance.role === 'server', 'the server');
    await rig.have();
  });

  it('adds the networks of the setting, those of its own device alone', async () => {
    const networks = [
      { network: '10.7.0.0/16', device: null },
      { network: '10.8.0.0/16', device: 'tun0' },
      { network: '10.9.0.0/16', device: 'tun9' },
    ];
    const { rig } = await startClient({ log: [] }, { networks });
    await using _ = rig;
    await rig.ready();

    assert.deepEqual(rig.networks, [...OWN, '10.7.0.0/16', '10.8.0.0/16'].toSorted());
  });

  it('refuses what would take other traffic over, and says so once', async () => {
    const { rig } = await startClient({
      log: [
        pushed(
          'route 203.0.113.0 255.255.255.0',
          'route 0.0.0.0 0.0.0.0',
          'route 128.0.0.0 128.0.0.0',
          'route-ipv6 ff05::/16',
          'redirect-gateway def1',
          'route 10.1.0.0 255.255.0.0',
        ),
      ],
    });
    await using _ = rig;
    await rig.ready();
    await rig.instance.resolve({ links: [], tunnels: [TUN0], taps: [] });

    assert.deepEqual(rig.networks, [...OWN, '10.1.0.0/16'].toSorted());
    assert.deepEqual(
      rig.log
        .of('network.refused')
        .map(({ fields }) => String(fields?.['network']))
        .toSorted(),
      ['0.0.0.0/0', '128.0.0.0/1', '203.0.113.0/24', 'ff05::/16', 'redirect-gateway'],
    );
  });

  it('goes on after a log that makes no sense', async () => {
    const { rig } = await startClient();
    await using _ = rig;
    await rig.ready();

    await rig.fake.send(
      log('x'.repeat(9000)) +
        log("PUSH: Received control message: 'PUSH_REPLY") +
        log('PUSH: ') +
        log('') +
        log('UDPv4 link remote: [AF_INET]'),
    );
    await rig.fake.send(
      state('1795733200,RECONNECTING,SIGUSR1,,,,,') +
        log(pushed('route 10.3.0.0 255.255.0.0')) +
        state('1795733202,CONNECTED,SUCCESS,10.64.0.1,203.0.113.9,1194,,,'),
    );

    await rig.have(...OWN, '10.3.0.0/16');
  });

  it('works where OpenVPN does not know remote-entry-get', async () => {
    const { rig } = await startClient();
    await using _ = rig;
    rig.fake.on('remote-entry-get', () => ["ERROR: unknown command, enter 'help' for more options"]);

    await rig.ready();

    assert.equal(rig.instance.roleStatus().remote?.address, '203.0.113.9');
  });
});
