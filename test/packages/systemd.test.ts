import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { CHECKOUT } from '../compose/roots.js';
import { readGuide } from '../lab/guide.js';
import { exec, type LabProcess } from '../lab/process.js';
import type { ServerStatus } from '../../sidecar/status.js';
import { readStatus } from '../lab/sidecar.js';
import { exchange, Flow, ping, reach } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { BootedRoot, SHARED } from './booted-root.js';
import { builtPackage, DebianRoot } from './root.js';

const UNIT = 'gwmark@office.service';

describe('gwmark@.service under the systemd of Debian 13', function () {
  this.timeout(patient(1_800_000));
  let root: DebianRoot;
  let lab: VpnLab;
  let booted: BootedRoot;
  let others: readonly LabProcess[] = [];

  before(async () => {
    await exec([path.join(CHECKOUT, 'scripts/package-deb.sh')], { timeoutMs: 1_200_000 });
    root = await DebianRoot.create('trixie');
    await root.install(
      'nodejs',
      'systemd-sysv',
      'iproute2',
      'libnftables1',
      'nftables',
      'conntrack',
      'iptables',
      'ipset',
      'openvpn',
    );
    await root.install(...(await root.bring(await builtPackage('gwmark'))));
    // As nobody it may not be looked into, and has to read what it gives to a client; other programs listen beside it.
    // It is outside of the root's PID namespace, so only its log tells; each look of the sidecar is a line of that.
    lab = await VpnLab.create({
      transport: 'udp4',
      serverExtra: ['user nobody', 'group nogroup', 'management-log-cache 5000'],
    });
    await chmod(lab.pki.directory, 0o755);
    others = ['TCP4-LISTEN:22,fork', 'TCP6-LISTEN:22,fork,ipv6only=1', 'UDP4-RECV:123'].map((listener) =>
      lab.topology.endpoint.spawn(['socat', listener, '-'], { name: listener }),
    );
    await settings();
    booted = await BootedRoot.boot(root, lab.topology.endpoint, lab.pki.directory);
  });
  after(async () => {
    await booted?.[Symbol.asyncDispose]();
    await Promise.all(others.map((other) => other.stop()));
    await lab?.[Symbol.asyncDispose]();
    await root?.[Symbol.asyncDispose]();
  });

  /** /etc/gwmark/office.env of the root. */
  async function settings(...more: readonly string[]): Promise<void> {
    const socket = path.join(SHARED, path.relative(lab.pki.directory, lab.server.managementSocket));
    const lines = [
      `GWMARK_MANAGEMENT=unix:${socket}`,
      'GWMARK_GATEWAYS_POLL_INTERVAL_MS=200',
      'GWMARK_MANAGEMENT_POLL_INTERVAL_MS=500',
      ...more,
    ];
    await writeFile(path.join(root.directory, 'etc/gwmark/office.env'), lines.map((line) => `${line}\n`).join(''));
  }

  async function journal(): Promise<string> {
    return (await booted.try('journalctl', '--no-pager', '-o', 'cat', '-u', UNIT)).stdout
      .split('\n')
      .slice(-30)
      .join('\n');
  }

  /** What `systemctl` says goes into the message when it fails. */
  async function systemctl(...argv: readonly string[]): Promise<void> {
    const { code, stderr } = await booted.try('systemctl', ...argv);
    assert.equal(code, 0, `${argv.join(' ')}: ${stderr}\n${await journal()}`);
  }

  async function assertTraffic(): Promise<void> {
    await eventually(
      async () => (await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 1 })).received === 1,
      { what: 'traffic', timeoutMs: 30_000 },
    ).catch(async (error: unknown) => {
      const { stdout } = await booted.try('gwmark', 'status', '--control-socket', '/run/gwmark/office.sock');
      throw new Error(`${stdout}\n${await journal()}`, { cause: error });
    });
    assert.equal((await exchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'))).ok, true);
  }

  /** What the running sidecar says of its one server. */
  async function server(): Promise<ServerStatus> {
    const {
      servers: [one],
    } = readStatus(await booted.run('gwmark', 'status', '--json', '--control-socket', '/run/gwmark/office.sock'));
    assert.ok(one);
    return one;
  }

  it('is started when the sidecar is ready, and carries traffic of an OpenVPN that it may not look into, beside other listeners', async () => {
    await systemctl('start', UNIT);

    const started = await booted.try('gwmark', 'status', '--control-socket', '/run/gwmark/office.sock');
    assert.match(started.stdout, /nftables/, started.stderr + (await journal()));
    await lab.connect('client1');
    for (const router of ['r1', 'u'] as const) await reach(lab.topology[router], '192.0.2.10');
    await assertTraffic();
    const ready = await booted.try('gwmark', 'status', '--control-socket', '/run/gwmark/office.sock');
    assert.equal(ready.code, 0, ready.stdout + ready.stderr);
    const { transport, transportSource } = await server();
    assert.deepEqual([transport, transportSource], [[{ protocol: 'udp', address: '0.0.0.0', port: 1194 }], 'log']);
    assert.doesNotMatch(await lab.topology.endpoint.run(['ip', 'rule']), /sport (22|123)\b/);
  });

  it("knows the sockets of Debian's openvpn-server@.service by its control group, long after its log has forgotten the start", async () => {
    const pki = (name: string): string => path.join(SHARED, path.relative(lab.pki.directory, name));
    const { identity } = lab.server.options;
    await writeFile(
      path.join(root.directory, 'etc/openvpn/server/office.conf'),
      [
        'port 1195',
        'proto udp4',
        'dev tun1',
        'dev-type tun',
        'disable-dco',
        'topology subnet',
        'server 10.9.0.0 255.255.255.0',
        `ca ${pki(lab.pki.ca)}`,
        `cert ${pki(identity.certificate)}`,
        `key ${pki(identity.key)}`,
        'dh none',
        'keepalive 10 60',
        'management /run/openvpn-server/office.sock unix',
        'management-log-cache 2',
        'user nobody',
        'group nogroup',
        'persist-key',
        'persist-tun',
        '',
      ].join('\n'),
    );
    await systemctl('start', 'openvpn-server@office.service');
    await writeFile(path.join(root.directory, 'etc/gwmark/office.env'), 'GWMARK_GATEWAYS_POLL_INTERVAL_MS=200\n');

    await systemctl('restart', UNIT);

    await eventually(async () => (await server()).state === 'ready', {
      what: 'a server whose sockets are known',
      timeoutMs: 30_000,
    }).catch(async (error: unknown) => {
      throw new Error(`${JSON.stringify(await server())}\n${await journal()}`, { cause: error });
    });
    const { device, deviceSource, transport, transportSource } = await server();
    assert.deepEqual([transport, transportSource], [[{ protocol: 'udp', address: '0.0.0.0', port: 1195 }], 'cgroup']);
    assert.deepEqual([device, deviceSource], ['tun1', 'address']);
    await systemctl('stop', 'openvpn-server@office.service');
    await settings();
    await systemctl('restart', UNIT);
    await assertTraffic();
  });

  it('reads its settings again when it is reloaded, in the same process, and a flow goes on', async () => {
    const pid = await booted.property(UNIT, 'MainPID');
    await using flow = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    await writeFile(path.join(root.directory, 'etc/gwmark/gwmark.yaml'), 'log:\n  level: debug\n');

    await systemctl('reload', UNIT);

    await eventually(async () => (await journal()).includes('config.reloaded'), {
      what: 'settings that were read again',
    });
    await flow.advance(100);
    assert.equal((await flow.stop()).lost, 0);
    assert.equal(await booted.property(UNIT, 'MainPID'), pid);
    assert.equal(await booted.property(UNIT, 'ActiveState'), 'active');
  });

  it('starts again when the sidecar is killed, and a flow goes on', async () => {
    const pid = await booted.property(UNIT, 'MainPID');
    await using flow = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));

    await systemctl('kill', '--signal=SIGKILL', UNIT);

    await eventually(
      async () =>
        (await booted.property(UNIT, 'ActiveState')) === 'active' && (await booted.property(UNIT, 'MainPID')) !== pid,
      { what: 'a new sidecar', timeoutMs: 60_000 },
    );
    await flow.advance(100);
    assert.equal((await flow.stop()).lost, 0);
  });

  it('stays down, without a retry, when its settings are faulty, and traffic goes on', async () => {
    await settings('GWMARK_TABLE=not a name');
    await booted.try('systemctl', 'restart', UNIT);

    assert.equal(await booted.property(UNIT, 'ActiveState'), 'failed');
    assert.equal(await booted.property(UNIT, 'ExecMainStatus'), '2');
    assert.equal(await booted.property(UNIT, 'NRestarts'), '0');
    assert.match(await journal(), /GWMARK_TABLE/);
    await assertTraffic();
    await settings();
    await systemctl('restart', UNIT);
  });

  for (const flavour of ['nft', 'legacy'] as const) {
    it(`carries traffic with iptables-${flavour}, with what the guide adds to the unit`, async () => {
      await systemctl('stop', UNIT);
      await booted.run(
        'gwmark',
        'down',
        '--control-socket',
        '/run/gwmark/office.sock',
        ...(flavour === 'legacy' ? ['--firewall', 'iptables', '--iptables-flavour', 'nft'] : []),
      );
      const dropIn = path.join(root.directory, 'etc/systemd/system/gwmark@office.service.d');
      await mkdir(dropIn, { recursive: true });
      await writeFile(path.join(dropIn, 'override.conf'), guideDropIn());
      await settings('GWMARK_FIREWALL=iptables', `GWMARK_IPTABLES_FLAVOUR=${flavour}`);
      await systemctl('daemon-reload');

      await systemctl('start', UNIT);

      await assertTraffic();
      const status = await booted.run('gwmark', 'status', '--control-socket', '/run/gwmark/office.sock');
      assert.match(status, new RegExp(`iptables-${flavour}`));
    });
  }

  it('leaves traffic running when it stops, and nothing after gwmark down', async () => {
    await systemctl('stop', UNIT);
    await assertTraffic();

    await booted.run('gwmark', 'down', '--firewall', 'iptables', '--iptables-flavour', 'legacy');

    assert.equal((await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 1 })).received, 0);
    assert.equal(await booted.run('ipset', 'list', '-n'), '');
  });
});

/** The lines under "With systemd" of the guide to iptables. */
function guideDropIn(): string {
  const section = readGuide('docs/guides/iptables.md').split('## With systemd')[1] ?? '';
  const [block] = /(?:^ {4}.*\n)+/m.exec(section) ?? [''];
  assert.match(block, /\[Service\]/);
  return block.replaceAll(/^ {4}/gm, '');
}
