/**
 * What `gwmark doctor` says of a real OpenVPN: its management interface and its options. It never takes a slot that is
 * in use.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { assertFound, type DoctorReport, runDoctor } from '../lab/doctor.js';
import type { LabProcess } from '../lab/process.js';
import { OpenVpnServer, type OpenVpnServerOptions } from '../lab/openvpn.js';
import { Sidecar } from '../lab/sidecar.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';

const logins = (lab: VpnLab): number =>
  lab.server.process.lines.filter((line) => /MANAGEMENT: Client connected/.test(line)).length;

async function doctorOf(
  lab: VpnLab,
  management = `unix:${lab.server.managementSocket}`,
  ...flags: readonly string[]
): Promise<DoctorReport> {
  return await runDoctor(lab.topology.endpoint, {
    flags: ['--management', management, '--control-socket', path.join(lab.pki.directory, 'gwmark.sock'), ...flags],
  });
}

describe('gwmark doctor at a management interface', function () {
  this.timeout(patient(90_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4', management: { password: 'open sesame' } });
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const doctor = async (
    flags: readonly string[] = [],
    prefix: readonly string[] = [],
    socket = lab.server.managementSocket,
  ): Promise<DoctorReport> =>
    await runDoctor(lab.topology.endpoint, {
      flags: [
        '--management',
        `unix:${socket}`,
        '--control-socket',
        path.join(lab.pki.directory, 'gwmark.sock'),
        ...flags,
      ],
      prefix,
    });
  const passwordFile = async (text: string): Promise<string> => {
    const file = path.join(lab.pki.directory, `${text.replaceAll(' ', '-')}.password`);
    await writeFile(file, `${text}\n`, { mode: 0o600 });
    return file;
  };

  it('is content where it is free and takes the password', async () => {
    assertFound(
      await doctor(['--management-password-file', await passwordFile('open sesame')]),
      'management',
      'ok',
      /free; OpenVPN 2\./,
    );
  });

  it('names a password that is missing, and one that is wrong, and shows neither', async () => {
    const missing = await doctor();
    const wrong = await doctor(['--management-password-file', await passwordFile('sesame street')]);

    assert.match(assertFound(missing, 'management', 'error', /password/).remedy ?? '', /management\.passwordFile/);
    assert.match(
      assertFound(wrong, 'management', 'error', /password/).remedy ?? '',
      /compare management\.passwordFile/,
    );
    assert.doesNotMatch(JSON.stringify(wrong), /sesame street/);
  });

  it('names a socket that does not exist, a file that is none, and one that nobody serves', async () => {
    const [missing, file, stale] = ['missing.sock', 'file.sock', 'stale.sock'].map((name) =>
      path.join(lab.pki.directory, name),
    );
    await writeFile(file ?? '', '');
    await lab.topology.endpoint
      .run([
        process.execPath,
        '-e',
        'require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))',
        stale ?? '',
      ])
      .catch(() => undefined);

    assertFound(await doctor([], [], missing), 'management', 'error', /does not exist/);
    assertFound(await doctor([], [], file), 'management', 'error', /not a socket/);
    assertFound(await doctor([], [], stale), 'management', 'error', /nothing listens/);
  });

  it('names a socket that this user may not open', async () => {
    const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--inh-caps', '-all', '--'];

    assertFound(await doctor([], nobody), 'management', 'error', /permission denied/);
  });

  it('names the program that holds the slot, and neither connects nor disturbs it', async () => {
    const password = await passwordFile('open sesame');
    const from = lab.server.process.lines.length;
    const holder: LabProcess = lab.topology.endpoint.spawn(
      ['socat', '-', `UNIX-CONNECT:${lab.server.managementSocket}`],
      { stdin: 'pipe' },
    );
    try {
      await lab.server.process.waitFor(/MANAGEMENT: Client connected/, { from });
      holder.write('open sesame\n');
      await holder.waitFor(/>INFO:OpenVPN Management Interface/);
      const before = logins(lab);

      const report = await doctor(['--management-password-file', password]);

      assertFound(report, 'management', 'error', new RegExp(`used by socat \\(pid ${holder.pid}\\)`));
      holder.write('pid\n');
      await holder.waitFor(/SUCCESS: pid=/);
      assert.equal(logins(lab), before);
    } finally {
      await holder.stop();
    }
  });

  it('asks the sidecar that holds the slot', async () => {
    const password = ['--management-password-file', await passwordFile('open sesame')];
    await lab.startSidecar(...password);
    const before = logins(lab);

    const report = await doctor(password);

    assertFound(report, 'management', 'ok', /used by the sidecar/);
    const elsewhere = await runDoctor(lab.topology.endpoint, {
      flags: [
        '--management',
        `unix:${lab.server.managementSocket}`,
        '--control-socket',
        `${lab.sidecar.controlSocket}.other`,
      ],
    });
    assertFound(elsewhere, 'management', 'info', /used by gwmark run \(pid \d+\), which did not answer at /);
    assertFound(report, 'openvpn-options', 'info', /management-client-auth: off/);
    assert.equal(logins(lab), before);
  });
});

describe('gwmark doctor at the options of OpenVPN', function () {
  this.timeout(patient(90_000));

  it('names those that do not go together with gwmark, and does not let OpenVPN act by looking', async () => {
    await using lab = await VpnLab.create({
      transport: 'udp4',
      management: { clientAuth: true },
      serverExtra: [
        'client-to-client',
        'duplicate-cn',
        'auth-gen-token 3600',
        'management-signal',
        'mssfix 0',
        'tun-mtu 1500',
        '# comment',
        'setenv "a b" \'client-to-client\'',
      ],
    });

    const report = await doctorOf(lab);

    assertFound(report, 'openvpn-options', 'info', /client-to-client: on/);
    assertFound(report, 'openvpn-options', 'warn', /duplicate-cn: on, with client-config-dir/);
    assertFound(report, 'openvpn-options', 'warn', /auth-gen-token: without external-auth/);
    assertFound(report, 'openvpn-options', 'warn', /management-client-auth: on, and authorize is none/);
    assertFound(report, 'openvpn-options', 'warn', /management-signal: on/);
    assertFound(report, 'management', 'info', /not tested.*management-signal/);
    assertFound(report, 'mtu', 'warn', /tun0: 1500, and 1500 on lan0, with mssfix 0/);
    assert.equal(report.code, 3);
    assert.equal(logins(lab), 0);
    assert.doesNotMatch(lab.server.process.log, /SIGUSR1/);
  });

  it('is content with the same options done right', async () => {
    await using lab = await VpnLab.create({
      transport: 'udp4',
      management: { clientAuth: true },
      serverExtra: ['auth-gen-token 3600 external-auth'],
    });

    const report = await doctorOf(lab, undefined, '--authorize', 'accept');

    assert.equal(report.code, 0, JSON.stringify(report.findings.filter(({ severity }) => severity !== 'ok')));
    assertFound(report, 'openvpn-options', 'info', /management-hold: off/);
  });

  it('names a tap device, a management interface on the tunnel, and one that is not for this user', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const {
      topology: { endpoint: namespace },
      pki,
    } = lab;
    const identity = await pki.issue('other', 'server');
    const start = async (
      index: number,
      extra: readonly string[],
      management: Partial<OpenVpnServerOptions> = { management: {} },
    ): Promise<OpenVpnServer> =>
      await OpenVpnServer.start({
        namespace,
        pki,
        identity,
        transport: 'udp4',
        port: 1194 + index,
        device: `tun${index}`,
        network: `10.9.${index}.0 255.255.255.0`,
        ...management,
        extra,
      });
    await using tap = await start(1, ['dev tap1', 'dev-type tap']);
    await using onTunnel = await start(2, ['management tunnel 7505'], {});
    await onTunnel.process.waitFor(/MANAGEMENT: TCP Socket listening on \[AF_INET\]10\.9\.2\.1:/);
    await using ofNobody = await start(3, ['management-client-user nobody']);
    const names = [`unix:${tap.managementSocket}`, 'tcp:10.9.2.1:7505', `unix:${ofNobody.managementSocket}`];

    const report = await doctorOf(lab, names.join(','));

    assertFound(report, 'openvpn-options', 'error', /server-endpoint-1195-.*dev: tap/);
    const exposed = assertFound(
      report,
      'openvpn-options',
      'error',
      /tcp:10\.9\.2\.1:7505: management: listens on the tunnel, where every client can reach it/,
    );
    assert.match(exposed.remedy ?? '', /unix/);
    assert.match(
      assertFound(report, 'management', 'error', /server-endpoint-1197-.*hung up without a byte/).remedy ?? '',
      /management-client-user/,
    );
  });

  it('names an OpenVPN that asks its management client for the passphrase of its key, as the status and the log do, until it has it', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const {
      topology: { endpoint: namespace },
      pki,
    } = lab;
    const identity = await pki.protect(await pki.issue('asking', 'server'), 'open sesame');
    await using server = await OpenVpnServer.start({
      namespace,
      pki,
      identity,
      transport: 'udp4',
      port: 1195,
      device: 'tun1',
      network: '10.9.1.0 255.255.255.0',
      management: { queriesPasswords: true },
    });
    const name = `unix:${server.managementSocket}`;
    const { remedy } = assertFound(
      await doctorOf(lab, name),
      'management',
      'error',
      /free; OpenVPN waits for the password of 'Private Key'/,
    );
    assert.match(remedy ?? '', /askpass/);

    await using sidecar = Sidecar.launch({
      namespace,
      directory: pki.directory,
      managementSocket: server.managementSocket,
    });
    const status = await sidecar.statusWhere(({ servers }) => servers[0]?.state === 'waiting', 'the sidecar waits');

    assert.deepEqual(status.problems, [
      `${name}: OpenVPN waits for the password of 'Private Key', but gwmark, its management client, does not have it`,
    ]);
    assert.equal((await sidecar.event('management.question')).fields['question'], "the password of 'Private Key'");
    const report = await doctorOf(lab, name);
    assertFound(report, 'management', 'error', /used by the sidecar; OpenVPN waits for the password of 'Private Key'/);
    assertFound(report, 'tunnel', 'error', /OpenVPN has not opened one: it waits for/);

    await sidecar.killHard();
    const holder = namespace.spawn(['socat', '-', `UNIX-CONNECT:${server.managementSocket}`], { stdin: 'pipe' });
    await holder.waitFor(/>PASSWORD:Need/);
    holder.write('password "Private Key" "open sesame"\n');
    await server.process.waitFor(/Initialization Sequence Completed/);
    await holder.stop();
    await sidecar.restart();
    await sidecar.ready();
  });

  it('names an OpenVPN that has no tunnel, because it waits in hold', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4', management: { hold: true } });
    const sidecar = lab.launchSidecar('--hold', 'leave');
    await sidecar.statusWhere(({ servers }) => servers[0]?.state === 'waiting', 'the sidecar waits');

    assertFound(await doctorOf(lab), 'tunnel', 'error', /OpenVPN has no tunnel yet/);
  });
});
