import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

import { CHECKOUT, type Suite } from '../compose/roots.js';
import { type NetworkState, networkState } from '../lab/network-state.js';
import { NotifyReceiver } from '../lab/notify-receiver.js';
import { exec, LabProcess } from '../lab/process.js';
import { exchange, ping, reach } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { builtPackage, DebianRoot } from './root.js';
import { readUnit } from './unit.js';

/** The paths that are there now and were not before. */
async function added(root: DebianRoot, before: readonly string[]): Promise<readonly string[]> {
  const known = new Set(before);
  return (await root.paths()).filter((entry) => !known.has(entry));
}

describe('Debian packages', function () {
  this.timeout(patient(3_600_000));

  before(async () => {
    await exec([path.join(CHECKOUT, 'scripts/package-deb.sh')], { timeoutMs: 1_200_000 });
  });

  for (const suite of ['bookworm', 'trixie'] as const satisfies readonly Suite[]) {
    describe(`in a clean ${suite}`, () => {
      let root: DebianRoot;
      let lab: VpnLab;
      let untouched: readonly string[];
      let pristine: NetworkState;

      before(async () => {
        root = await DebianRoot.create(suite);
        if (suite === 'bookworm') await root.installNode();
        await root.install(
          ...(suite === 'bookworm' ? [] : ['nodejs']),
          'iproute2',
          'libnftables1',
          'nftables',
          'conntrack',
        );
        untouched = await root.paths();
        lab = await VpnLab.create({ transport: 'udp4' });
        pristine = await networkState(lab.topology.endpoint);
      });
      after(async () => {
        await lab?.[Symbol.asyncDispose]();
        await root?.[Symbol.asyncDispose]();
      });

      it('gwmark is installed, with nothing missing', async () => {
        await root.install(...(await root.bring(await builtPackage('gwmark'))));

        assert.equal(
          (await root.run('gwmark', '--version')).trim(),
          (await root.run('dpkg-query', '-W', '-f', '${Version}', 'gwmark')).trim(),
        );
        assert.equal(await root.run('dpkg', '--verify', 'gwmark'), '');
        for (const page of await readdir(path.join(CHECKOUT, 'docs/man')))
          await stat(path.join(root.directory, `usr/share/man/man${page.at(-1)}/${page}.gz`));
        assert.match(
          await root.run('bash', '-c', '. /usr/share/bash-completion/completions/gwmark; complete -p gwmark'),
          /^complete -F _gwmark gwmark$/m,
        );
        for (const file of ['zsh/vendor-completions/_gwmark', 'fish/vendor_completions.d/gwmark.fish'])
          assert.match(await readFile(path.join(root.directory, 'usr/share', file), 'utf8'), /completion/i);
      });

      it('gwmark starts as its unit says, is ready, and carries traffic', async () => {
        const unit = await readUnit(path.join(root.directory, 'usr/lib/systemd/system/gwmark@.service'), 'office');
        const shared = lab.pki.directory;
        await using receiver = await NotifyReceiver.open(lab.topology.endpoint, path.join(shared, 'notify'));
        const env = {
          ...unit.environment,
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          NOTIFY_SOCKET: receiver.name,
          GWMARK_MANAGEMENT: `unix:${lab.server.managementSocket}`,
          GWMARK_GATEWAYS_POLL_INTERVAL_MS: '200',
          GWMARK_MANAGEMENT_POLL_INTERVAL_MS: '500',
        };
        await using sidecar = LabProcess.spawn(lab.topology.endpoint.argv(root.argv(unit.execStart, shared)), {
          name: 'gwmark of the package',
          env,
        });
        const socket = unit.environment['GWMARK_CONTROL_SOCKET'] ?? '';

        await sidecar.waitFor(/"event":"server.ready"/, { timeoutMs: 60_000 });
        await receiver.waitFor(/^READY=1$/);
        await lab.connect('client1');
        for (const router of ['r1', 'u'] as const) await reach(lab.topology[router], '192.0.2.10');
        await eventually(
          async () => (await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 1 })).received === 1,
          { what: 'traffic', timeoutMs: 30_000 },
        );
        assert.equal((await exchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'))).ok, true);
        const status = await root.tryIn(
          lab.topology.endpoint,
          ['gwmark', 'status', '--control-socket', socket],
          shared,
        );

        assert.equal(status.code, 0, status.stdout + status.stderr);
        assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
      });

      it('gwmark leaves nothing when it is purged: no file, no rule, no route', async () => {
        await lab.client('client1').stop();
        const purge = await root.tryIn(lab.topology.endpoint, ['dpkg', '--purge', 'gwmark']);

        assert.equal(purge.code, 0, purge.stderr);
        assert.deepEqual(await added(root, untouched), []);
        assert.deepEqual(await networkState(lab.topology.endpoint), pristine);
      });

      it('gwmark-dkms builds against the headers of the release, and leaves nothing', async () => {
        await root.install('dkms', 'linux-headers-amd64');
        const before = await root.paths();
        const release = (await readdir(path.join(root.directory, 'lib/modules'))).find((name) =>
          name.endsWith('-amd64'),
        );
        assert.ok(release !== undefined);
        const [file = ''] = await root.bring(await builtPackage('gwmark-dkms'));
        await root.run('dpkg', '--install', file);
        const version = (await root.run('dpkg-query', '-W', '-f', '${Version}', 'gwmark-dkms')).trim();
        // By itself it builds for the kernel that runs, which in a root without one is another.
        await root.run('dkms', 'install', '-m', 'gwmark', '-v', version, '-k', release);

        assert.equal((await root.run('modinfo', '-k', release, '-F', 'vermagic', 'gwmark')).split(' ')[0], release);
        await root.run('dpkg', '--purge', 'gwmark-dkms');
        // depmod rewrites its indices.
        assert.deepEqual(
          (await added(root, before)).filter((entry) => !entry.includes('/modules.')),
          [],
        );
      });
    });
  }
});
