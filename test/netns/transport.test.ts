/**
 * Which sockets are OpenVPN's: who tells, with which privileges, and what becomes of a server of which nobody does.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { openVpnOfVersion } from '../lab/openvpn-version.js';
import { OpenVpnClient } from '../lab/openvpn.js';
import type { LabProcess } from '../lab/process.js';
import { NET_ADMIN_ALONE, runGwmark, Sidecar } from '../lab/sidecar.js';
import type { StatusDocument } from '../../sidecar/status.js';
import { ADDRESS } from '../lab/topology.js';
import { ping, reach } from '../lab/traffic.js';
import { VpnLab, type VpnLabOptions } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange } from './matrix.js';

/** What else listens on a machine. */
const LISTENERS = [
  'TCP4-LISTEN:22,fork,reuseaddr',
  'TCP6-LISTEN:22,fork,reuseaddr,ipv6only=1',
  'UDP4-RECV:123',
  'TCP4-LISTEN:443,bind=192.0.2.10,fork',
] as const;

interface Beside extends AsyncDisposable {
  readonly lab: VpnLab;
}

/** A lab with programs beside OpenVPN that listen, by socat's words. */
async function labBeside(options: Partial<VpnLabOptions>, listeners: readonly string[] = LISTENERS): Promise<Beside> {
  const lab = await VpnLab.create({ transport: 'udp4', ...options });
  const others = listeners.map((listener) =>
    lab.topology.endpoint.spawn(['socat', '-d', '-d', listener, '-'], { name: listener }),
  );
  await Promise.all(others.map((other) => other.waitFor(/listening on|receiving on|starting data transfer loop/)));
  return {
    lab,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(others.map((other: LabProcess) => other.stop()));
      await lab[Symbol.asyncDispose]();
    },
  };
}

const launch = (lab: VpnLab, prefix: readonly string[], ...flags: readonly string[]): Sidecar =>
  Sidecar.launch({
    namespace: lab.topology.endpoint,
    directory: lab.pki.directory,
    managementSocket: lab.server.managementSocket,
    flags,
    prefix,
  });
const sockets = ({ servers }: StatusDocument): string =>
  (servers[0]?.transport ?? []).map(({ protocol, address, port }) => `${protocol} ${address} ${port}`).join(', ');

/** The status of `/readyz`. */
async function readiness(socketPath: string): Promise<number | undefined> {
  const [response] = (await once(get({ socketPath, path: '/readyz', agent: false }), 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

describe('sockets of OpenVPN', function () {
  this.timeout(patient(120_000));

  it('are what its process holds, where that may be looked into', async () => {
    await using beside = await labBeside({});
    await using sidecar = launch(beside.lab, []);

    const status = await sidecar.ready();

    assert.equal(sockets(status), 'udp 0.0.0.0 1194');
    assert.equal(status.servers[0]?.transportSource, 'process');
    assert.equal(status.servers[0].deviceSource, 'process');
    assert.equal((await sidecar.event('server.transport')).fields['source'], 'process');
  });

  for (const [what, serverExtra, source] of [
    ['its log tells', [], 'log'],
    ['its configuration tells where the log has forgotten the start', ['management-log-cache 2'], 'options'],
  ] as const) {
    it(`are what ${what}, for a sidecar with CAP_NET_ADMIN alone beside OpenVPN as nobody, and clients connect`, async () => {
      await using beside = await labBeside({ serverExtra: [...serverExtra, 'user nobody', 'group nogroup'] });
      const { lab } = beside;
      // As nobody it has to read what it gives to a client.
      await chmod(lab.pki.directory, 0o755);
      await using sidecar = launch(lab, NET_ADMIN_ALONE);

      const status = await sidecar.ready();

      assert.equal(sockets(status), 'udp 0.0.0.0 1194');
      assert.equal(status.servers[0]?.transportSource, source, sidecar.process.log);
      assert.equal(status.servers[0].device, 'tun0');
      // Nothing but the transport's rules lets its answers out: the endpoint has no route to the client.
      for (const router of ['r1', 'u'] as const) await reach(lab.topology[router], ADDRESS.endpoint.v4);
      await lab.connect('client1');
      await eventually(
        async () => (await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 1 })).received === 1,
        { what: 'traffic' },
      );
    });
  }

  it('of an OpenVPN in a PID namespace of its own, under another name, are found with and without the right to look', async () => {
    const program = path.join(await mkdtemp(path.join(tmpdir(), `gwmark-lab-${process.pid}-`)), 'vpnd');
    const asVpnd = 'cp "$(command -v openvpn)" "$0" && exec unshare --pid --fork --kill-child=SIGTERM "$0" "$@"';
    await using lab = await VpnLab.create({ transport: 'tcp4', serverProgram: ['sh', '-c', asVpnd, program] });
    for (const [prefix, source] of [
      [[], 'process'],
      [NET_ADMIN_ALONE, 'log'],
    ] as const) {
      await using sidecar = launch(lab, prefix);
      const status = await sidecar.ready();

      assert.equal(sockets(status), 'tcp 0.0.0.0 1194');
      assert.equal(status.servers[0]?.transportSource, source);
    }
    // unshare itself takes no SIGTERM while its child runs.
    const { pid } = lab.server.process;
    process.kill(Number(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')), 'SIGTERM');
  });

  it('that nobody tells of leave the server not ready, and status and doctor say what to do; a login tells', async () => {
    await using beside = await labBeside({ serverExtra: ['management-log-cache 2'] });
    const { lab } = beside;
    const directory = path.dirname(lab.server.managementSocket);
    await rm(path.join(directory, 'server.conf'));
    const metrics = path.join(lab.pki.directory, 'metrics.sock');
    await using sidecar = launch(lab, NET_ADMIN_ALONE, '--metrics-listen', `unix:${metrics}`);

    const status = await sidecar.statusWhere(
      ({ problems }) => problems.some((problem) => /sockets are unknown/.test(problem)),
      'a problem that names the sockets',
    );

    assert.equal(status.ready, false);
    assert.equal(status.servers[0]?.state, 'waiting');
    assert.equal(sockets(status), '');
    assert.match(status.problems.join(), /set transport, for example udp\/1194/);
    await sidecar.event('server.transport_unknown');
    assertFound(
      await runDoctor(lab.topology.endpoint, { flags: ['--control-socket', sidecar.controlSocket] }),
      'transport',
      'error',
      /not known|unknown/,
    );
    const trace = await runGwmark(lab.topology.endpoint, [
      'trace',
      ADDRESS.local.v4,
      ADDRESS.endpoint.v4,
      '--control-socket',
      sidecar.controlSocket,
    ]);
    assert.match(trace.stdout, /OpenVPN's sockets are unknown/, trace.stdout + trace.stderr);
    assert.equal(await readiness(metrics), 503);
    // A client on the segment itself needs no rule of ours.
    await lab.connect('local');
    assert.equal((await sidecar.ready()).servers[0]?.transportSource, 'environment');
  });

  it('are what an earlier run of the sidecar knew where nobody tells any more, and clients go on', async () => {
    const historyLines = 40;
    await using beside = await labBeside({ serverExtra: [`management-log-cache ${historyLines}`] });
    const { lab } = beside;
    await using sidecar = launch(lab, NET_ADMIN_ALONE);
    assert.equal((await sidecar.ready()).servers[0]?.transportSource, 'log');
    await rm(path.join(path.dirname(lab.server.managementSocket), 'server.conf'));
    // At this signal OpenVPN prints its status, and each line of that goes into the history.
    const from = lab.server.process.lines.length;
    await eventually(
      () => {
        lab.server.process.kill('SIGUSR2');
        return lab.server.process.lines.length - from > 2 * historyLines;
      },
      { what: 'a log that has forgotten the start' },
    );

    await sidecar.stop();
    await sidecar.restart();

    const [server] = (await sidecar.status()).servers;
    assert.deepEqual([server?.transportSource, server?.transport.map(({ port }) => port)], ['earlier', [1194]]);
    const connections = sidecar.log.filter(({ event }) => event === 'server.transport');
    assert.deepEqual(connections.at(-1)?.fields['source'], 'earlier');
  });

  it('are what the setting says, whatever else is known', async () => {
    await using beside = await labBeside({});
    await using sidecar = launch(beside.lab, [], '--transport', 'udp/1194,tcp/192.0.2.10:443');

    const status = await sidecar.ready();

    assert.equal(sockets(status), 'udp :: 1194, tcp 192.0.2.10 443');
    assert.equal(status.servers[0]?.transportSource, 'setting');
  });

  for (const listener of ['TCP4-LISTEN:22,fork', 'TCP6-LISTEN:22,fork']) {
    it(`are never another program's: OpenVPN stops beside ${listener} alone, and nothing for port 22 appears`, async () => {
      await using beside = await labBeside({}, [listener]);
      const { lab } = beside;
      await using monitor = lab.topology.endpoint.spawn(['ip', 'monitor', 'rule'], { name: 'ip monitor' });
      await using sidecar = launch(lab, []);
      await sidecar.ready();
      await eventually(() => /sport 1194/.test(monitor.log), { what: 'rules for the transport' });

      await lab.server.stop();
      await sidecar.statusWhere(
        ({ servers: [server] }) => server?.state === 'connecting' && server.device === null,
        'a server that is gone',
      );
      await lab.server.start();
      await sidecar.ready();

      assert.doesNotMatch(monitor.log, /sport 22\b/);
      assert.doesNotMatch(
        JSON.stringify(sidecar.log.filter(({ event }) => event === 'server.transport')),
        /"port":22\b/,
      );
    });
  }
});

describe('an OpenVPN 2.7 with several local lines', function () {
  this.timeout(patient(120_000));

  it('has all its sockets before the first client and after it, and clients of each live', async () => {
    const serverProgram = await openVpnOfVersion('2.7');
    await using beside = await labBeside(
      {
        serverProgram,
        serverExtra: ['local 192.0.2.10 1194 udp', 'local 192.0.2.10 443 tcp', 'local 2001:db8::10 1196 udp6'],
      },
      ['TCP4-LISTEN:22,fork'],
    );
    const { lab } = beside;
    const all = 'udp 192.0.2.10 1194, tcp 192.0.2.10 443, udp 2001:db8::10 1196';
    for (const prefix of [[], NET_ADMIN_ALONE]) {
      await using sidecar = launch(lab, prefix);
      assert.deepEqual(
        sockets(await sidecar.ready())
          .split(', ')
          .toSorted(),
        all.split(', ').toSorted(),
      );
      for (const family of ['v4', 'v6'] as const) await reach(lab.topology.u, ADDRESS.endpoint[family]);
      await reach(lab.topology.r1, ADDRESS.endpoint.v4);
      await using first = await OpenVpnClient.start({
        pki: lab.pki,
        namespace: lab.topology.client1,
        identity: lab.identity('client1'),
        transport: 'udp4',
        remote: ADDRESS.endpoint.v4,
      });
      await using second = await OpenVpnClient.start({
        pki: lab.pki,
        namespace: lab.topology.client2,
        identity: lab.identity('client2'),
        transport: 'tcp4',
        remote: ADDRESS.endpoint.v4,
        port: 443,
      });
      const status = await sidecar.statusWhere(
        ({ clients }) => clients.filter(({ addresses }) => addresses.length > 0).length === 2,
        'both clients',
      );

      assert.deepEqual(sockets(status).split(', ').toSorted(), all.split(', ').toSorted());
      await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
      await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client2', 'v4'));
      assert.equal(first.process.exitStatus ?? second.process.exitStatus, undefined);
    }
  });
});
