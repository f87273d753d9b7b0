/** `gwmark doctor` on the real thing: every fault is made, and must be named; nothing is changed by looking. */
import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { serveStatus } from '../protocol/sidecar-control/serve-status.js';
import { READY } from '../protocol/sidecar-control/status-document.js';
import { assertClean, assertFound, type DoctorReport, runDoctor } from '../lab/doctor.js';
import { FAULT_GROUPS } from './doctor-faults.js';
import { networkState } from '../lab/network-state.js';
import { Sidecar } from '../lab/sidecar.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

describe('gwmark doctor', function () {
  this.timeout(patient(120_000));
  let lab: VpnLab;
  let flags: readonly string[];
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    flags = [
      '--management',
      `unix:${lab.server.managementSocket}`,
      '--control-socket',
      path.join(lab.pki.directory, 'gwmark.sock'),
    ];
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const shell = async (text: string): Promise<string> => await lab.topology.endpoint.run(['sh', '-ec', text]);
  /** A directory with links to these programs, and what a test puts into it. */
  const programs = async (name: string, links: readonly string[]): Promise<string> => {
    const directory = path.join(lab.pki.directory, name);
    await mkdir(directory);
    for (const link of links) await symlink((await shell(`command -v ${link}`)).trim(), path.join(directory, link));
    return directory;
  };

  it('finds nothing wrong with a healthy endpoint before the sidecar runs, and changes nothing', async () => {
    const before = await networkState(lab.topology.endpoint);

    const report = await runDoctor(lab.topology.endpoint, { flags });

    assertClean(report);
    assertFound(report, 'management', 'ok', /free; OpenVPN 2\./);
    assertFound(report, 'nftables', 'ok', /has every feature that the rules need/);
    assert.deepEqual(await networkState(lab.topology.endpoint), before);
  });

  for (const group of FAULT_GROUPS) {
    describe(`faults ${group.title}`, () => {
      let report: DoctorReport;
      before(async () => {
        for (const { make } of group.faults) await shell(make);
        report = await runDoctor(lab.topology.endpoint, { flags: [...flags, ...group.flags] });
      });
      after(async () => {
        for (const { unmake } of group.faults.toReversed()) await shell(unmake);
      });

      for (const { title, check, severity, found } of group.faults) {
        it(`names ${title}`, () => {
          assertFound(report, check, severity, found);
        });
      }
    });
  }

  it('names a connection table that is nearly full', async () => {
    const max = Number(await shell('cat /proc/sys/net/netfilter/nf_conntrack_max'));
    const lines = Array.from(
      { length: Math.ceil(max * 0.82) },
      (_, index) =>
        `-I -p udp -s 198.18.${(index >> 8) & 255}.${index & 255} -d 198.19.${index >> 16}.1 --sport 1024 --dport 53 -t 300`,
    );
    // conntrack opens its standard input by name, which must be a pipe.
    await lab.topology.endpoint.run(['sh', '-c', 'cat | conntrack --load-file - > /dev/null'], {
      input: `${lines.join('\n')}\n`,
      timeoutMs: 50_000,
    });
    try {
      assertFound(await runDoctor(lab.topology.endpoint, { flags }), 'conntrack', 'warn', /\d+ of \d+ entries/);
    } finally {
      await shell('conntrack -F');
    }
  });

  it('names programs that are missing, each once', async () => {
    const only = await programs('without', ['ss']);

    const report = await runDoctor(lab.topology.endpoint, {
      flags: [...flags, '--executor', 'process'],
      prefix: ['env', `PATH=${only}`],
    });

    assertFound(report, 'programs', 'error', /program ip: missing/);
    assertFound(report, 'programs', 'warn', /program conntrack: missing/);
    assertFound(report, 'nftables', 'error', /nft/);
    const texts = report.findings
      .map(({ found }) => found)
      .filter((found) => /cannot run the program ip|open nftables/.test(found));
    assert.deepEqual(texts, [...new Set(texts)]);
  });

  it('names a program that is too old', async () => {
    const old = await programs('old', ['ip', 'ss', 'nft']);
    await writeFile(path.join(old, 'conntrack'), '#!/bin/sh\necho "conntrack v1.4.5 (conntrack-tools)"\n');
    await chmod(path.join(old, 'conntrack'), 0o755);

    const report = await runDoctor(lab.topology.endpoint, { flags, prefix: ['env', `PATH=${old}:/bin`] });

    assertFound(report, 'programs', 'warn', /program conntrack: 1\.4\.5/);
  });

  it('names a module of another ABI', async () => {
    const net = path.join(lab.pki.directory, 'net');
    await mkdir(path.join(net, 'gwmark'), { recursive: true });
    await writeFile(path.join(net, 'gwmark', 'config'), 'gwmark 99\nenabled 1\n');
    // exec keeps the process, and with it the place in /proc that is covered.
    const covered = ['unshare', '-m', 'sh', '-c', `mount --bind ${net} /proc/$$/net && exec "$@"`, 'sh'];

    const report = await runDoctor(lab.topology.endpoint, { flags, prefix: covered });

    assertFound(report, 'module', 'error', /another version \("gwmark 99"\)/);
  });

  it('works without root, says what it leaves out, and exits with 0 where nothing is wrong', async () => {
    const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--inh-caps', '-all', '--'];

    const report = await runDoctor(lab.topology.endpoint, {
      flags: ['--control-socket', '/nonexistent/gwmark.sock'],
      prefix: nobody,
    });

    assertClean(report);
    for (const check of ['nftables', 'marks', 'conntrack-labels', 'nftables-table'])
      assertFound(report, check, 'info', /not checked: needs CAP_NET_ADMIN/);
    assertFound(report, 'devices', 'ok', /lan0: up, 192\.0\.2\.10/);
  });

  it('names a table that is missing although a sidecar runs', async () => {
    const controlSocket = path.join(lab.pki.directory, 'fake.sock');
    await using control = await serveStatus(controlSocket, () => ({ ...READY, servers: [] }));

    const report = await runDoctor(lab.topology.endpoint, { flags: ['--control-socket', control.path] });

    assertFound(report, 'nftables-table', 'error', /missing/);
  });
});

describe('gwmark doctor beside a running sidecar', function () {
  this.timeout(patient(120_000));

  it('is content with an endpoint at work, names a second sidecar, and what the sidecar itself complains of', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { controlSocket } = await lab.startSidecar();
    const flags = ['--management', `unix:${lab.server.managementSocket}`, '--control-socket', controlSocket];
    await lab.connect('client1');
    assertClean(await runDoctor(lab.topology.endpoint, { flags }));

    await using second = Sidecar.launch({
      namespace: lab.topology.endpoint,
      directory: path.join(lab.pki.directory, 'second'),
      managementSocket: lab.server.managementSocket,
    });
    await eventually(
      async () => (await lab.topology.endpoint.tryRun(['test', '-S', second.controlSocket])).code === 0,
      { what: 'the second sidecar is up' },
    );
    const report = await runDoctor(lab.topology.endpoint, { flags });

    assertFound(report, 'sidecar', 'warn', new RegExp(`2 run in this network namespace .*${second.process.pid}`));
    const ofSecond = await runDoctor(lab.topology.endpoint, { flags: ['--control-socket', second.controlSocket] });
    assertFound(ofSecond, 'sidecar', 'error', /management\.sock/);
  });
});
