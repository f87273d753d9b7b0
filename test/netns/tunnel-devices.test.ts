/**
 * Which tunnel device is whose: told by OpenVPN, not by addresses; and what becomes of clients when it cannot be used.
 */
import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { OpenVpnClient, OpenVpnServer } from '../lab/openvpn.js';
import { NET_ADMIN_ALONE, runGwmark, Sidecar } from '../lab/sidecar.js';
import type { StatusDocument } from '../../sidecar/status.js';
import { ADDRESS } from '../lab/topology.js';
import { ping, reach } from '../lab/traffic.js';
import { TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange } from './matrix.js';

const launch = (lab: VpnLab, prefix: readonly string[], ...flags: readonly string[]): Sidecar =>
  Sidecar.launch({
    namespace: lab.topology.endpoint,
    directory: lab.pki.directory,
    managementSocket: lab.server.managementSocket,
    flags,
    prefix,
  });
const devices = ({ servers }: StatusDocument): readonly (string | null)[] => servers.map(({ device }) => device);

/** The routers send something, as on a real day. */
async function introduce(lab: VpnLab): Promise<void> {
  for (const router of ['r1', 'u'] as const) {
    for (const family of ['v4', 'v6'] as const) await reach(lab.topology[router], ADDRESS.endpoint[family]);
  }
}

describe('two servers with the same network', function () {
  this.timeout(patient(120_000));
  let lab: VpnLab;
  let second: OpenVpnServer;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    second = await OpenVpnServer.start({
      ...lab.server.options,
      transport: 'tcp4',
      port: 1195,
      device: 'tun1',
      clients: {
        client2: { address: TUNNEL.client2.v4, address6: TUNNEL.client2.v6, subnets: ['192.168.77.0 255.255.255.0'] },
      },
    });
  });
  after(async () => {
    await second?.stop();
    await lab?.[Symbol.asyncDispose]();
  });

  for (const [what, prefix, filter] of [
    ['that may be looked into', [], '0'],
    ['that may not, under a strict rp_filter', NET_ADMIN_ALONE, '1'],
  ] as const) {
    it(`${what}: each has its own device, and clients of both are reached, though main leads to one`, async () => {
      await lab.topology.endpoint.run(['sysctl', '-qw', `net.ipv4.conf.all.rp_filter=${filter}`]);
      await using sidecar = launch(lab, prefix, '--management', `unix:${second.managementSocket}`);
      assert.deepEqual(devices(await sidecar.ready()), ['tun0', 'tun1']);
      await introduce(lab);
      await using one = await OpenVpnClient.start({
        namespace: lab.topology.client1,
        pki: lab.pki,
        identity: lab.identity('client1'),
        transport: 'udp4',
        remote: ADDRESS.endpoint.v4,
      });
      await using two = await OpenVpnClient.start({
        namespace: lab.topology.client2,
        pki: lab.pki,
        identity: lab.identity('client2'),
        transport: 'tcp4',
        remote: ADDRESS.endpoint.v4,
        port: 1195,
      });
      await sidecar.statusWhere(
        ({ clients }) => clients.filter(({ addresses }) => addresses.length > 0).length === 2,
        'both clients',
      );
      assert.equal(one.process.exitStatus ?? two.process.exitStatus, undefined);

      for (const family of ['v4', 'v6'] as const) {
        for (const client of ['client1', 'client2'] as const) {
          await eventually(
            async () =>
              (await ping(lab.party('hostA', family), lab.party(client, family), { count: 1 })).received === 1,
            { what: `${client} over ${family}` },
          );
          await assertExchange('tcp', lab.party('hostA', family), lab.party(client, family));
        }
      }
      assert.deepEqual((await sidecar.status()).unreachable, []);
    });
  }
});

describe('a server in mode server without ifconfig', function () {
  this.timeout(patient(60_000));

  it('has the device that it names, and its clients are reached', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { options } = lab.server;
    // Main leads this network to a device that is no concern of the sidecar's otherwise.
    await lab.server.stop();
    await using bare = await OpenVpnServer.start({
      ...options,
      port: 1196,
      device: 'tun7',
      network: '',
      bare: true,
      push: ['route-gateway 10.8.0.254', ...(options.push ?? [])],
    });
    await lab.topology.endpoint.run(['ip', 'link', 'set', 'tun7', 'up']);
    await using sidecar = Sidecar.launch({
      namespace: lab.topology.endpoint,
      directory: lab.pki.directory,
      managementSocket: bare.managementSocket,
      prefix: NET_ADMIN_ALONE,
    });

    const [server] = (await sidecar.ready()).servers;

    assert.deepEqual([server?.device, server?.deviceSource], ['tun7', 'log']);
    await introduce(lab);
    await using _ = await OpenVpnClient.start({
      namespace: lab.topology.client1,
      pki: lab.pki,
      identity: lab.identity('client1'),
      transport: 'udp4',
      port: 1196,
      remote: ADDRESS.endpoint.v4,
    });
    await eventually(
      async () => (await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 1 })).received === 1,
      { what: 'traffic' },
    );
  });
});

describe('a client that no packet reaches', function () {
  this.timeout(patient(60_000));

  it('is named by the log, status and doctor where main leads its address elsewhere, until it does no more', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.endpoint.run(['ip', 'route', 'add', `${TUNNEL.client1.v4}/32`, 'dev', 'lan0']);
    const sidecar = await lab.startSidecar();
    await lab.introduceRouters();
    await lab.connect('client1');

    const status = await sidecar.statusWhere(
      ({ unreachable = [] }) => unreachable.length > 0,
      'an unreachable client',
    );

    assert.deepEqual(status.unreachable, [{ network: TUNNEL.client1.v4, device: 'tun0', leadsTo: 'lan0' }]);
    assert.equal((await sidecar.event('client.unreachable')).fields['leadsTo'], 'lan0');
    assertFound(
      await runDoctor(lab.topology.endpoint, { flags: ['--control-socket', sidecar.controlSocket] }),
      'client-routes',
      'warn',
      /goes to lan0/,
    );
    const trace = await runGwmark(lab.topology.endpoint, [
      'trace',
      ADDRESS.hostA.v4,
      TUNNEL.client1.v4,
      '--control-socket',
      sidecar.controlSocket,
    ]);
    assert.match(trace.stdout, /the endpoint routes it to lan0/, trace.stdout + trace.stderr);
    await lab.topology.endpoint.run(['ip', 'route', 'del', `${TUNNEL.client1.v4}/32`, 'dev', 'lan0']);
    await sidecar.statusWhere(({ unreachable = [] }) => unreachable.length === 0, 'no unreachable client', 45_000);
  });
});

describe('a tunnel device that survives a kill -9', function () {
  this.timeout(patient(60_000));

  it('has no clients: the management connection is lost and the process is gone', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4', serverExtra: ['keepalive 100 300'] });
    // As a device of data channel offload does, one that was made before its process stays.
    await lab.server.stop();
    await lab.topology.endpoint.run(['ip', 'tuntap', 'add', 'dev', 'tun0', 'mode', 'tun']);
    await lab.server.start();
    const sidecar = await lab.startSidecar();
    await lab.introduceRouters();
    await lab.connect('client1');

    await lab.server.killHard();

    const status = await sidecar.statusWhere(
      ({ clients, servers: [server] }) => clients.length === 0 && server?.device === null,
      'nobody connected',
    );
    assert.equal(status.ready, false);
    await lab.deviceIs('tun0', true);
  });
});

describe('an OpenVPN with dev tap', function () {
  this.timeout(patient(60_000));

  for (const [prefix, who] of [
    [[], 'any sidecar'],
    [NET_ADMIN_ALONE, 'one that may not look into it'],
  ] as const) {
    it(`is told at once that there is nothing to do, by status, log and doctor, for ${who}`, async () => {
      await using lab = await VpnLab.create({ transport: 'udp4' });
      await using tap = await OpenVpnServer.start({
        ...lab.server.options,
        port: 1196,
        device: 'tap0',
        network: '',
        bare: true,
        extra: ['dev-type tap'],
      });
      await using sidecar = Sidecar.launch({
        namespace: lab.topology.endpoint,
        directory: lab.pki.directory,
        managementSocket: tap.managementSocket,
        prefix,
      });

      const status = await sidecar.statusWhere(
        ({ problems }) => problems.some((problem) => /dev tap \(tap0\).*gwmark has nothing to do/.test(problem)),
        'the tap device',
      );

      assert.equal(status.ready, false);
      assert.match(String((await sidecar.event('server.waiting')).fields['reason']), /dev tap/);
      assertFound(
        await runDoctor(lab.topology.endpoint, { flags: ['--control-socket', sidecar.controlSocket] }),
        'tunnel',
        'error',
        /gwmark has nothing to do/,
      );
    });
  }
});
