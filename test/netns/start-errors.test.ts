import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { OpenVpnServer } from '../lab/openvpn.js';
import type { ExecResult } from '../lab/process.js';
import { PROGRAM, readStatus, runGwmark, Sidecar } from '../lab/sidecar.js';
import type { StatusDocument } from '../../sidecar/status.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

/** One clear message: the exit code, no stack trace, and the words that say what is wrong. */
function assertRefused(result: ExecResult, code: number, ...patterns: readonly RegExp[]): void {
  const output = result.stderr + result.stdout;
  assert.equal(result.code, code, output);
  for (const pattern of patterns) assert.match(output, pattern);
  assert.doesNotMatch(output, /\n\s+at .*:\d+:\d+/, 'no stack trace');
}

describe('gwmark run refuses to start', function () {
  this.timeout(patient(30_000));
  let lab: VpnLab;
  let base: readonly string[];
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4', management: { password: 'open sesame' } });
    base = [
      'run',
      '--management',
      `unix:${lab.server.managementSocket}`,
      '--control-socket',
      path.join(lab.pki.directory, 'gwmark.sock'),
    ];
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const run = async (...flags: readonly string[]): Promise<ExecResult> =>
    await runGwmark(lab.topology.endpoint, [...base, ...flags], { timeoutMs: 10_000 });

  it('with an unknown option: usage, exit code 2', async () => {
    assertRefused(await run('--no-such-option'), 2, /no-such-option/);
  });

  it('without a management socket: exit code 2', async () => {
    assertRefused(await runGwmark(lab.topology.endpoint, ['run']), 2, /management/);
  });

  it('with several bad settings: all of them in one message, exit code 2', async () => {
    const config = path.join(lab.pki.directory, 'bad.yaml');
    await writeFile(config, 'gateways:\n  max: 0\nlog:\n  colour: red\n');

    assertRefused(await run('--config', config), 2, /gateways\.max/, /log\.colour/);
  });

  it('as an ordinary user: exit code 1, and says what it needs', async () => {
    const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--inh-caps', '-all', '--'];
    const result = await lab.topology.endpoint.tryRun([...nobody, process.execPath, PROGRAM, ...base], {
      timeoutMs: 10_000,
    });

    assertRefused(result, 1, /root|CAP_NET_ADMIN/);
  });

  it('where its table is in use by another program: exit code 1, and names it', async () => {
    await lab.topology.endpoint.run([
      'nft',
      'add table inet gwmark; add chain inet gwmark theirs; add rule inet gwmark theirs counter',
    ]);

    const result = await run();
    await lab.topology.endpoint.run(['nft', 'delete', 'table', 'inet', 'gwmark']);

    assertRefused(result, 1, /gwmark/);
  });

  it('where its mark bits are in use by another program: exit code 1, and names the mask', async () => {
    await lab.topology.endpoint.ip('rule add fwmark 0x1000000/0xff000000 lookup 99 priority 500');

    const result = await run();
    await lab.topology.endpoint.ip('rule del priority 500');

    assertRefused(result, 1, /mark/i);
  });

  it('where its rule priorities are in use by another program: exit code 1, and names one', async () => {
    await lab.topology.endpoint.ip('rule add to 203.0.113.77 lookup main priority 10000');

    const result = await run();
    await lab.topology.endpoint.ip('rule del priority 10000');

    assertRefused(result, 1, /10000/);
  });

  it("with BusyBox's ip: exit code 1, and says what to install", async () => {
    const { endpoint } = lab.topology;
    const onlyBusyBox = path.join(lab.pki.directory, 'busybox-bin');
    await mkdir(onlyBusyBox);
    await symlink((await endpoint.run(['sh', '-c', 'command -v busybox'])).trim(), path.join(onlyBusyBox, 'ip'));

    const result = await endpoint.tryRun(
      ['env', `PATH=${onlyBusyBox}:${process.env['PATH'] ?? ''}`, process.execPath, PROGRAM, ...base],
      { timeoutMs: 10_000 },
    );

    assertRefused(result, 1, /BusyBox/, /install iproute2 5\.10 or later/);
  });

  it('without nft: exit code 1, and says what to install', async () => {
    const onlyIp = path.join(lab.pki.directory, 'bin');
    await mkdir(onlyIp);
    await symlink((await lab.topology.endpoint.run(['sh', '-c', 'command -v ip'])).trim(), path.join(onlyIp, 'ip'));

    const result = await lab.topology.endpoint.tryRun(
      ['env', `PATH=${onlyIp}`, process.execPath, PROGRAM, ...base, '--executor', 'process'],
      { timeoutMs: 10_000 },
    );

    assertRefused(result, 1, /nft/);
  });
});

describe('gwmark run keeps trying and says why', function () {
  this.timeout(patient(30_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4', management: { password: 'open sesame' } });
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  function launch(managementSocket: string, ...flags: readonly string[]): Sidecar {
    return Sidecar.launch({ namespace: lab.topology.endpoint, directory: lab.pki.directory, managementSocket, flags });
  }

  it('at a socket that is not there, until it is', async () => {
    await using sidecar = launch(path.join(lab.pki.directory, 'missing.sock'));

    const entry = await sidecar.event('management.lost');

    assert.match(JSON.stringify(entry.fields), /missing\.sock/);
    assert.equal(sidecar.process.exitStatus, undefined);
  });

  it('at a password that OpenVPN refuses, without showing it', async () => {
    const passwordFile = path.join(lab.pki.directory, 'wrong.password');
    await writeFile(passwordFile, 'sesame street\n', { mode: 0o600 });
    await using sidecar = launch(lab.server.managementSocket, '--management-password-file', passwordFile);

    await sidecar.event('management.auth_failed');

    assert.doesNotMatch(sidecar.process.log, /sesame street/);
  });

  it('at the one endpoint whose password is refused; the others work, and it does once its password file is right', async () => {
    const {
      topology: { endpoint: namespace },
      pki,
    } = lab;
    const server = await OpenVpnServer.start({
      namespace,
      pki,
      identity: await pki.issue('second', 'server'),
      transport: 'udp4',
      port: 1195,
      device: 'tun1',
      network: '10.9.0.0 255.255.255.0',
      management: { password: 'open barley' },
    });
    const file = (name: string): string => path.join(pki.directory, name);
    await writeFile(file('first.password'), 'open sesame\n', { mode: 0o600 });
    await writeFile(file('second.password'), 'open sesame\n', { mode: 0o600 });
    await writeFile(
      file('two.yaml'),
      [
        `controlSocket: ${file('two.sock')}`,
        'management:',
        '  passwordFile: first.password',
        '  endpoints:',
        `    - unix:${lab.server.managementSocket}`,
        `    - {address: "unix:${server.managementSocket}", passwordFile: second.password}`,
      ].join('\n'),
    );
    const sidecar = namespace.spawn([process.execPath, PROGRAM, 'run', '--config', file('two.yaml')], {
      name: 'gwmark run',
    });
    const status = async (): Promise<StatusDocument | undefined> => {
      const { stdout } = await runGwmark(namespace, ['status', '--json', '--control-socket', file('two.sock')]);
      return stdout === '' ? undefined : readStatus(stdout);
    };
    try {
      const refused = await eventually(
        async () => {
          const now = await status();
          // At first it also waits for the kernel's side.
          return (
            now?.servers[0]?.state === 'ready' &&
            now.problems.length === 1 &&
            now.problems.some((problem) => /refused/.test(problem)) &&
            now
          );
        },
        { what: 'the first server ready, the second refused', timeoutMs: 15_000 },
      );
      assert.equal(refused.ready, false);
      assert.deepEqual(
        refused.servers.map(({ state }) => state),
        ['ready', 'connecting'],
      );
      assert.deepEqual(refused.problems, [
        `unix:${server.managementSocket}: connect to unix:${server.managementSocket}: the daemon refused the management password`,
      ]);

      await writeFile(file('second.password'), 'open barley\n');
      sidecar.kill('SIGHUP');

      await eventually(async () => (await status())?.ready, { what: 'both servers ready', timeoutMs: 15_000 });
      assert.equal(sidecar.exitStatus, undefined);
      assert.doesNotMatch(sidecar.log, /open (sesame|barley)/);
    } finally {
      await sidecar.stop();
      await server.stop();
    }
  });

  it('at a management interface that another program holds', async () => {
    const from = lab.server.process.lines.length;
    const holder = lab.topology.endpoint.spawn(['socat', '-', `UNIX-CONNECT:${lab.server.managementSocket}`], {
      stdin: 'pipe',
    });
    try {
      await lab.server.process.waitFor(/MANAGEMENT: Client connected/, { from });
      const passwordFile = path.join(lab.pki.directory, 'right.password');
      await writeFile(passwordFile, 'open sesame\n', { mode: 0o600 });
      await using sidecar = launch(
        lab.server.managementSocket,
        '--management-password-file',
        passwordFile,
        '--management-connect-timeout-ms',
        '500',
      );

      await sidecar.event('management.busy');
      await holder.stop();

      await sidecar.ready();
    } finally {
      await holder.stop();
    }
  });
});
