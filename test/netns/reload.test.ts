import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { NotifyReceiver } from '../lab/notify-receiver.js';
import { Sidecar } from '../lab/sidecar.js';
import { Flow, reach } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';

/** Everything that the service manager is told in order, without what is only to be read. */
function states(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => !line.startsWith('STATUS=') && !line.startsWith('MONOTONIC_USEC='));
}

describe('a sidecar under a service manager', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;

  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const start = async (
    receiver: NotifyReceiver,
    flags: readonly string[] = [],
    env: Record<string, string> = {},
  ): Promise<Sidecar> =>
    await Sidecar.start({
      namespace: lab.topology.endpoint,
      directory: lab.pki.directory,
      managementSocket: lab.server.managementSocket,
      flags,
      env: { NOTIFY_SOCKET: receiver.name, ...env },
    });

  it('says that it is ready once the kernel has its rules, what its state is, and that it stops', async () => {
    await using receiver = await NotifyReceiver.open(lab.topology.endpoint, path.join(lab.pki.directory, 'notify'));
    await using sidecar = await start(receiver);

    await receiver.waitFor(/^READY=1$/);
    assert.match(await lab.topology.endpoint.run(['nft', 'list', 'tables']), /table inet gwmark/);
    await receiver.waitFor(/^STATUS=ready, datapath (nexthop|module): 0 clients, \d+ gateways$/);
    await sidecar.stop();

    await receiver.waitFor(/^STOPPING=1$/);
    assert.deepEqual(states(receiver.lines), ['READY=1', 'STOPPING=1']);
  });

  it('writes to an abstract socket too, feeds a watchdog, and is ready though no OpenVPN answers', async () => {
    await using receiver = await NotifyReceiver.open(lab.topology.endpoint, `@gwmark-test-${process.pid}`);
    await using sidecar = Sidecar.launch({
      namespace: lab.topology.endpoint,
      directory: lab.pki.directory,
      managementSocket: path.join(lab.pki.directory, 'nobody'),
      env: { NOTIFY_SOCKET: receiver.name, WATCHDOG_USEC: '200000' },
    });

    await receiver.waitFor(/^READY=1$/);
    await receiver.waitFor(/^STATUS=not ready: unix:.*nobody/);
    await receiver.waitFor(/^WATCHDOG=1$/);

    assert.equal(sidecar.process.exitStatus, undefined);
  });

  it('goes on when its service manager is not there, with one line in the log', async () => {
    await using sidecar = await Sidecar.start({
      namespace: lab.topology.endpoint,
      directory: lab.pki.directory,
      managementSocket: lab.server.managementSocket,
      env: { NOTIFY_SOCKET: path.join(lab.pki.directory, 'nobody') },
    });

    await sidecar.event('notify.failed');

    assert.equal(sidecar.log.filter(({ event }) => event === 'notify.failed').length, 1);
  });

  it('reads its configuration again on SIGHUP, and no flow notices', async () => {
    const file = path.join(lab.pki.directory, 'gwmark.yaml');
    await writeFile(file, 'log: {level: info}\n');
    await using receiver = await NotifyReceiver.open(
      lab.topology.endpoint,
      path.join(lab.pki.directory, 'notify-reload'),
    );
    await using sidecar = await start(receiver, ['--config', file]);
    await using client = await lab.launchClient('client1');
    await client.connected();
    await sidecar.statusWhere(({ clients }) => clients.length === 1, 'one client');
    await Promise.all((['r1', 'u'] as const).map(async (router) => await reach(lab.topology[router], '192.0.2.10')));
    await sidecar.statusWhere(
      ({ gateways, datapath }) => datapath === 'module' || gateways.length >= 2,
      'both routers',
    );
    await using flow = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), {
      port: 7811,
      intervalMs: 5,
    });
    await flow.advance(20);

    await writeFile(file, 'log: {level: debug}\nauthorize: accept\ntable: other\n');
    sidecar.process.kill('SIGHUP');
    const reloaded = await sidecar.event('config.reloaded');
    const pending = await sidecar.event('config.restart_needed');
    await writeFile(file, 'log: {level: loud}\n');
    sidecar.process.kill('SIGHUP');
    const refused = await sidecar.event('config.reload_failed');
    await flow.advance(40);
    // Not their order: a veth hands a packet to the processor of its sender, and two processors run at their own pace.
    const { lost } = await flow.stop();

    assert.deepEqual(reloaded.fields['settings'], ['authorize', 'log.level']);
    assert.deepEqual(pending.fields['settings'], ['table']);
    assert.match(String(refused.fields['reason']), /log\.level .*gwmark\.yaml:1\): loud; expected/);
    assert.equal(lost, 0);
    await receiver.waitFor(/^MONOTONIC_USEC=\d+$/);
    assert.deepEqual(states(receiver.lines), ['READY=1', 'RELOADING=1', 'READY=1', 'RELOADING=1', 'READY=1']);
  });
});
