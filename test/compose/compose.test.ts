import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { readVersion } from '../../sidecar/config/version.js';
import { Capture } from '../lab/capture.js';
import type { LabProcess } from '../lab/process.js';
import { ADDRESS, MAC, OneArm } from '../lab/topology.js';
import { exchange, type Party, ping } from '../lab/traffic.js';
import { eventually, patient } from '../lab/wait.js';
import { DebianRoot } from '../packages/root.js';
import { BRIDGE_ADDRESS, ComposeProject, Engine } from './engine.js';
import { BuildProxy } from './proxy.js';
import { CHECKOUT } from './roots.js';
import { Stages } from './stages.js';

/** The first address of the server's pool. */
const CLIENT = '10.8.0.2';
const SERVICES = ['network', 'openvpn', 'gwmark'] as const;

describe('docker compose up', function () {
  this.timeout(patient(1_800_000));
  const stages = new Stages();
  let topology: OneArm;
  let directory: string;
  let engine: Engine;
  let project: ComposeProject;
  let client: LabProcess | undefined;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), `gwmark-compose-${process.pid}-`));
    topology = await stages.run('the LAN, its routers and hosts', async () => await OneArm.create());
    // The endpoint of the drawing is the host here, whose network card needs no address: the containers bring theirs.
    await topology.endpoint.ip('address flush dev lan0');
    engine = await stages.run('a docker engine', async () => await Engine.start(topology.endpoint));
    await stages.run('base images, in place of a pull', async () => await engine.makeBaseImages());
    project = new ComposeProject(engine, path.join(CHECKOUT, 'docker-compose.yml'), {
      GWMARK_PARENT: 'lan0',
      GWMARK_SUBNET: '192.0.2.0/24',
      GWMARK_ADDRESS: ADDRESS.endpoint.v4,
      OPENVPN_PUSH_ROUTES: '198.51.100.0 255.255.255.0',
    });
    await stages.run('docker compose build', async () => await build());
    await stages.run('docker compose up', async () => {
      await project.run('up', '--detach', '--no-build');
      await project.healthy(...SERVICES);
    });
    await stages.run('docker compose exec openvpn endpoint client alice', async () => {
      await writeFile(
        path.join(directory, 'alice.ovpn'),
        await project.run('exec', '-T', 'openvpn', 'endpoint', 'client', 'alice'),
        { mode: 0o600 },
      );
    });
    await stages.run('a client connects, a LAN host reaches it and back', async () => {
      await connectClient();
      await introduceRouters();
      await reaches();
    });
    stages.print();
  });

  after(async () => {
    await client?.stop();
    await project?.try('down', '--volumes', '--remove-orphans', '--timeout', '5');
    await engine?.[Symbol.asyncDispose]();
    await topology?.[Symbol.asyncDispose]();
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });

  const parties = (): { host: Party; vpn: Party } => ({
    host: { namespace: topology.hostA, address: ADDRESS.hostA.v4 },
    vpn: { namespace: topology.client1, address: CLIENT },
  });

  /** Builds images: those of `services`, or of every service without a profile. */
  async function build(...services: readonly string[]): Promise<void> {
    await using proxy = await BuildProxy.open(topology.endpoint, directory, BRIDGE_ADDRESS);
    await project.run(
      'build',
      '--build-arg',
      `http_proxy=${proxy.url}`,
      '--build-arg',
      `https_proxy=${proxy.url}`,
      ...services,
    );
  }

  async function connectClient(): Promise<void> {
    await client?.stop();
    client = topology.client1.spawn([
      'openvpn',
      '--config',
      path.join(directory, 'alice.ovpn'),
      '--disable-dco',
      '--connect-retry',
      '1',
      '1',
      '--pull-filter',
      'ignore',
      'ping-restart',
      '--ping-restart',
      '8',
    ]);
    await client.waitFor(/Initialization Sequence Completed/, { timeoutMs: 60_000 });
  }

  /** Routers talk to the endpoint every minute of a real day. */
  async function introduceRouters(): Promise<void> {
    for (const router of ['r1', 'u'] as const) {
      await eventually(
        async () =>
          (await topology[router].tryRun(['ping', '-n', '-c', '1', '-W', '1', ADDRESS.endpoint.v4])).code === 0,
        {
          what: `${router} reaches the endpoint`,
          timeoutMs: 60_000,
        },
      );
    }
  }

  /** Waits until a LAN host reaches the client, then proves bytes in both directions. */
  async function reaches(): Promise<void> {
    const { host, vpn } = parties();
    await eventually(async () => (await ping(host, vpn, { count: 1, waitSeconds: 1 })).received === 1, {
      what: 'the LAN host reaches the client',
      timeoutMs: 90_000,
    });
    assert.deepEqual((await exchange('tcp', host, vpn)).ok, true, 'a TCP exchange that the LAN host opens');
    assert.deepEqual(
      (await exchange('tcp', vpn, host, { port: 7778 })).ok,
      true,
      'a TCP exchange that the client opens',
    );
  }

  async function isolated(service: string): Promise<string> {
    return (await engine.docker('exec', await project.container(service), 'ip', 'route', 'show')).trim();
  }

  it('gives the endpoint its own networks and no other route', async () => {
    const routes = await isolated('network');

    assert.deepEqual(
      new Set(routes.split('\n').map((line) => line.split(' ')[0])),
      new Set(['10.8.0.0/24', '192.0.2.0/24']),
    );
  });

  it('sends every answer to the MAC address that its flow came from', async () => {
    await using capture = await Capture.start(topology.switch, 'to-endpoint', 'ip');
    const { host, vpn } = parties();

    assert.equal((await ping(host, vpn)).received, 3);
    const frames = await capture.frames();
    const macs = (address: string): readonly string[] => [
      ...new Set(
        frames
          .filter(
            ({ ip, sourceMac }) => ip?.destination === address && !Object.values<string>(MAC).includes(sourceMac),
          )
          .map(({ destinationMac }) => destinationMac),
      ),
    ];

    assert.deepEqual(
      { host: macs(ADDRESS.hostA.v4), client: macs(ADDRESS.client1.v4) },
      { host: [MAC.r1], client: [MAC.u] },
    );
  });

  it('needs NET_ADMIN alone, a root that cannot be written to, and no new privileges', async () => {
    for (const service of SERVICES) {
      const format =
        '{{json .HostConfig.CapDrop}} {{json .HostConfig.CapAdd}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Privileged}}';
      assert.equal(
        (await engine.docker('inspect', '--format', format, await project.container(service))).trim(),
        '["ALL"] ["NET_ADMIN"] true false',
        service,
      );
    }
  });

  it('answers gwmark status in its container', async () => {
    const status = JSON.parse(await project.run('exec', '-T', 'gwmark', 'gwmark', 'status', '--json')) as {
      ready: boolean;
      clients: { commonName: string; addresses: string[] }[];
    };

    assert.equal(status.ready, true);
    assert.deepEqual(
      status.clients.map(({ commonName }) => commonName),
      ['alice'],
    );
    assert.ok(status.clients[0]?.addresses.includes(CLIENT));
  });

  const disturbances: Readonly<Record<string, () => Promise<unknown>>> = {
    'gwmark restarted': async () => await project.run('restart', 'gwmark'),
    'openvpn restarted': async () => await project.run('restart', 'openvpn'),
    'openvpn, then gwmark restarted': async () =>
      await project.run('restart', 'openvpn').then(async () => await project.run('restart', 'gwmark')),
    'gwmark, then openvpn restarted': async () =>
      await project.run('restart', 'gwmark').then(async () => await project.run('restart', 'openvpn')),
    'gwmark killed': async () =>
      await engine
        .docker('kill', await project.container('gwmark'))
        .then(async () => await project.run('up', '--detach', '--no-build', 'gwmark')),
    'openvpn recreated': async () =>
      await project.run('up', '--detach', '--no-build', '--no-deps', '--force-recreate', 'openvpn'),
    'gwmark recreated': async () =>
      await project.run('up', '--detach', '--no-build', '--no-deps', '--force-recreate', 'gwmark'),
    'the namespace holder restarted, and nothing else touched': async () =>
      await project.run('restart', '--timeout', '2', 'network'),
    'everything recreated': async () => await project.run('up', '--detach', '--no-build', '--force-recreate'),
  };
  for (const [what, disturb] of Object.entries(disturbances)) {
    it(`works again by itself with ${what}`, async () => {
      await disturb();
      await introduceRouters();
      await project.healthy(...SERVICES);
      await eventually(
        async () =>
          (
            await ping(
              { namespace: topology.client1, address: CLIENT },
              { address: '10.8.0.1' },
              { count: 1, waitSeconds: 1 },
            )
          ).received === 1,
        {
          what: 'the client is connected again',
          timeoutMs: 120_000,
        },
      );
      await introduceRouters();

      await reaches();
    });
  }

  it('says in one line what a sidecar lacks, and ends', async () => {
    const image = `gwmark:${readVersion()}`;
    const unprivileged = await engine.try(
      'run',
      '--rm',
      '--network',
      'none',
      '--cap-drop',
      'ALL',
      image,
      'gwmark',
      'run',
      '--management',
      'unix:/run/openvpn/management.sock',
    );
    const unconfigured = await engine.try('run', '--rm', '--network', 'none', '--cap-add', 'NET_ADMIN', image);

    assert.deepEqual([unprivileged.code, unconfigured.code], [1, 2]);
    assert.match(unprivileged.stderr, /^gwmark: "gwmark run" needs CAP_NET_ADMIN/);
    assert.match(unconfigured.stderr, /management\.endpoints .*expected at least one endpoint/);
  });

  it('builds the kernel module for a host that has the headers of its kernel, and says so where it has none', async () => {
    await build('module');
    await using host = await DebianRoot.create('bookworm');
    await host.install('linux-headers-amd64');
    const release =
      (await readdir(path.join(host.directory, 'lib/modules'))).find((name) => name.endsWith('-amd64')) ?? '';
    const confined = ['--rm', '--network', 'none', '--cap-drop', 'ALL', '--read-only', '--tmpfs', '/build:exec'];

    const vermagic = await engine.docker(
      'run',
      ...confined,
      '--volume',
      `${host.directory}/usr:/host/usr:ro`,
      `gwmark-module:${readVersion()}`,
      release,
    );
    const without = await project.try('run', '--rm', 'module');

    assert.equal(vermagic.split(' ')[0], release);
    assert.equal(without.code, 1);
    assert.match(
      without.stderr,
      /^load-module: no headers of \S+ in the host's \/usr: install linux-headers-\S+ there$/m,
    );
  });

  it('is in a defined state while OpenVPN is absent, and recovers when it comes', async () => {
    await project.run('stop', 'openvpn');
    await eventually(async () => (await project.try('exec', '-T', 'gwmark', 'gwmark', 'status')).code === 1, {
      what: 'not ready',
      timeoutMs: 60_000,
    });
    const status = JSON.parse((await project.try('exec', '-T', 'gwmark', 'gwmark', 'status', '--json')).stdout) as {
      problems: string[];
    };

    assert.match(status.problems.join(), /management\.sock/);
    await project.run('start', 'openvpn');
    await project.healthy(...SERVICES);
  });

  it('leaves nothing after docker compose down', async () => {
    await client?.stop();
    await project.run('down', '--volumes', '--timeout', '5');

    assert.equal(await engine.docker('ps', '--all', '--quiet'), '');
    assert.equal(await engine.docker('volume', 'ls', '--quiet', '--filter', `name=${project.name}`), '');
    assert.equal(await engine.docker('network', 'ls', '--quiet', '--filter', `name=${project.name}`), '');
    assert.doesNotMatch(await topology.endpoint.run(['nft', 'list', 'tables']), /gwmark/);
    assert.doesNotMatch(await topology.endpoint.run(['ip', 'rule']), /lookup 77/);
    assert.doesNotMatch(await topology.endpoint.run(['ip', '-d', 'link']), /macvlan/);
  });
});
