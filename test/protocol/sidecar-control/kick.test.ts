/** `gwmark kick` from the command line through the socket to a fake OpenVPN. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

import { commandSocketOf } from '../../../sidecar/control/command-socket.js';
import { ControlServer } from '../../../sidecar/control/server.js';
import type { KickReport } from '../../../sidecar/control/kick-order.js';
import { Kicker } from '../../../sidecar/daemon/kicker.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { ClientNetworks } from '../../../sidecar/sessions/client-networks.js';
import { type Typed, typeCommand } from '../../lab/typed-command.js';
import { InstanceRig } from '../openvpn/instance-rig.js';
import { READY } from './status-document.js';
import { TemporaryDirectory } from './temporary-directory.js';

/** A sidecar with two OpenVPNs as far as kicks go, and a kernel that takes everything at once unless a test says else. */
class KickRig implements AsyncDisposable {
  readonly office: InstanceRig;
  readonly branch: InstanceRig;
  readonly log = captureLog();
  applied: () => Promise<void> = () => Promise.resolve();
  /** What was done, in order. */
  readonly steps: string[] = [];
  readonly #directory: TemporaryDirectory;
  #server: ControlServer | undefined;

  private constructor(office: InstanceRig, branch: InstanceRig, directory: TemporaryDirectory) {
    this.office = office;
    this.branch = branch;
    this.#directory = directory;
  }

  static async start(): Promise<KickRig> {
    const clients = new ClientNetworks();
    const office = await (await InstanceRig.start({}, {}, clients)).ready();
    const branch = await (await InstanceRig.start({}, { isClientAuth: false }, clients)).ready();
    const rig = new KickRig(office, branch, await TemporaryDirectory.open());
    const kicker = new Kicker({
      servers: { list: [office.instance, branch.instance] },
      kernel: {
        reconciler: {
          applied: async () => {
            rig.steps.push(`applied without ${office.networks.join(' ') || 'anybody'}`);
            await rig.applied();
          },
        },
        connections: {
          flushed: async () => {
            rig.steps.push('flushed');
          },
        },
      },
      holds: office.holds,
      logger: rig.log.logger,
    });
    rig.#server = await ControlServer.open({
      path: rig.#directory.file('s'),
      status: () => READY,
      readiness: async () => [],
      orders: {
        move: async () => false,
        forget: async () => false,
        kick: (order) => kicker.kick(order),
        release: (order) => kicker.release(order),
      },
      logger: rig.log.logger,
    });
    return rig;
  }

  get path(): string {
    return this.#server?.path ?? '';
  }

  async kick(...args: readonly string[]): Promise<Typed> {
    return await typeCommand(['kick', ...args, '--control-socket', this.path], '/nonexistent/gwmark.yaml');
  }

  /** Adds a client and waits until it is served. */
  async connect(rig: InstanceRig, commonName: string, address: string): Promise<void> {
    await rig.fake.connectClient({
      commonName,
      addresses: [address],
      realAddress: `192.0.2.7:${40_000 + rig.fake.clients.size}`,
    });
    await rig.until(() => rig.networks.includes(address), commonName);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.office[Symbol.asyncDispose]();
    await this.branch[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** Sends a POST to the socket of orders; resolves with status and body. */
async function post(path: string, page: string, body: string): Promise<readonly [number, string]> {
  const outgoing = request({ socketPath: commandSocketOf(path), path: page, method: 'POST', agent: false });
  const responded = once(outgoing, 'response');
  outgoing.end(body);
  const [response] = (await responded) as [IncomingMessage];
  return [response.statusCode ?? 0, await text(response)];
}

describe('gwmark kick', () => {
  let rig: KickRig;
  beforeEach(async () => {
    rig = await KickRig.start();
    await rig.connect(rig.office, 'alice', '10.64.0.9');
    await rig.connect(rig.office, 'bob', '10.64.0.10');
    await rig.connect(rig.branch, 'alice', '10.64.0.11');
  });
  afterEach(async () => await rig[Symbol.asyncDispose]());

  it('waits for the kernel before it tells OpenVPN, and says what was done', async () => {
    rig.office.fake.on('client-kill', () => {
      rig.steps.push('told');
      return ['SUCCESS: client-kill command succeeded'];
    });

    const { code, stdout, stderr } = await rig.kick('bob');

    assert.deepEqual(
      [code, stdout, stderr],
      [0, `kicked bob (10.64.0.10), CID 1 at ${rig.office.instance.name}\n`, ''],
    );
    assert.deepEqual(rig.steps, ['applied without 10.64.0.11 10.64.0.9', 'flushed', 'told']);
  });

  it('prints its report as JSON, and sends message, halt and hold', async () => {
    const { code, stdout } = await rig.kick('10.64.0.10', '--message', 'so long', '--halt', '--hold', '10m', '--json');

    assert.equal(code, 0);
    // Printed by kick.
    const { heldUntil, ...report } = JSON.parse(stdout) as KickReport;
    assert.deepEqual(report, {
      clients: [
        {
          management: rig.office.instance.name,
          cid: '1',
          epoch: 1,
          commonName: 'bob',
          realAddress: '192.0.2.7:40001',
          addresses: ['10.64.0.10'],
          openvpn: 'told',
          reason: null,
        },
      ],
      areRulesRemoved: true,
    });
    assert.ok(rig.office.fake.commands.includes('client-kill 1 "HALT,so long"'));
    assert.deepEqual(
      rig.office.holds.list().map(({ name, server, message, untilMs }) => [name, server, message, untilMs]),
      [['bob', null, 'so long', Date.parse(heldUntil ?? '')]],
    );
    assert.equal(rig.log.of('client.kicked')[0]?.fields['heldUntil'], heldUntil);
  });

  it('refuses a word that means several, lists them, and changes nothing', async () => {
    const { code, stderr } = await rig.kick('alice', '--hold', '1h');

    assert.equal(code, 1);
    assert.equal(
      stderr,
      [
        'gwmark: 2 clients are meant by alice:',
        `  alice (10.64.0.9) from 192.0.2.7:40000, CID 0 at ${rig.office.instance.name}`,
        `  alice (10.64.0.11) from 192.0.2.7:40000, CID 0 at ${rig.branch.instance.name}`,
        'name one by cid:N, with --server if several OpenVPNs have that CID; or give --all',
        '',
      ].join('\n'),
    );
    assert.deepEqual(rig.office.networks, ['10.64.0.10', '10.64.0.11', '10.64.0.9']);
    assert.deepEqual(rig.office.holds.list(), []);
  });

  it('takes one of several with --server, whose hold is there alone, and all with --all', async () => {
    const { name } = rig.branch.instance;
    const one = await rig.kick('alice', '--server', name.replace('unix:', ''), '--hold', '1m');
    assert.deepEqual([one.code, rig.office.networks], [0, ['10.64.0.10', '10.64.0.9']], one.stderr);
    assert.deepEqual(
      rig.office.holds.list().map(({ name: held, server }) => [held, server]),
      [['alice', name]],
    );

    const all = await rig.kick('192.0.2.7', '--all');

    assert.equal(all.code, 0, all.stderr);
    assert.deepEqual(rig.office.networks, []);
  });

  it('means the session that is served, not one of the same name that was kicked before', async () => {
    const { name } = rig.branch.instance;
    await rig.kick('alice', '--server', name);
    // Without --management-client-auth, only the next snapshot tells that the first one is gone.
    await rig.connect(rig.branch, 'alice', '10.64.0.12');

    const { code, stdout, stderr } = await rig.kick('alice', '--server', name);

    assert.deepEqual([code, stdout], [0, `kicked alice (10.64.0.12), CID 1 at ${name}\n`], stderr);
  });

  it('kicks one again that OpenVPN has not ended yet', async () => {
    await rig.kick('bob');
    const { code } = await rig.kick('bob', '--halt');

    assert.equal(code, 0);
    assert.deepEqual(
      rig.office.fake.commands.filter((line) => line.startsWith('client-kill')),
      ['client-kill 1', 'client-kill 1 "HALT"'],
    );
  });

  it('lists who there is where nobody is meant, and which OpenVPNs where none is', async () => {
    const nobody = await rig.kick('carol');
    const nowhere = await rig.kick('alice', '--server', 'tun9');

    assert.equal(nobody.code, 1);
    assert.match(
      nobody.stderr,
      /^gwmark: no client carol is connected:\n {2}alice \(10\.64\.0\.9\).*\n {2}bob .*\n {2}alice /,
    );
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /^gwmark: no OpenVPN is at tun9:\n {2}unix:.*\n {2}unix:/);
  });

  it('lists ten clients at most', async () => {
    for (let number = 0; number < 12; number += 1) await rig.connect(rig.office, `c${number}`, `10.64.1.${number}`);

    const { stderr } = await rig.kick('carol');

    assert.equal(stderr.trim().split('\n').length, 12);
    assert.match(stderr, /\n {2}and 5 more\n$/);
  });

  it('does not keep out a client that has no name, and does not kick it then', async () => {
    await rig.connect(rig.office, 'UNDEF', '10.64.0.20');

    const { code, stderr } = await rig.kick('10.64.0.20', '--hold', '1m');

    assert.equal(code, 1);
    assert.match(stderr, /UNDEF \(10\.64\.0\.20\) .*: it has no common name/);
    assert.ok(rig.office.networks.includes('10.64.0.20'));
    assert.equal((await rig.kick('10.64.0.20')).code, 0);
  });

  it('exits with 3 and says what is missing where the kernel or OpenVPN does not answer', async () => {
    rig.applied = () => new Promise(() => undefined);
    rig.office.fake.hang('client-kill');

    const { code, stdout, stderr } = await rig.kick('bob');

    assert.equal(code, 3);
    assert.match(stdout, /^kicked bob/);
    assert.match(
      stderr,
      /^gwmark: the kernel has not removed the rules yet.*\ngwmark: OpenVPN has not ended bob, CID 1: /,
    );
  });

  it('says that a client left by itself meanwhile', async () => {
    rig.applied = async () => {
      await rig.office.fake.disconnectClient(1);
      await rig.office.until(() => rig.office.sessions.length === 1, 'bob gone');
    };

    const { code, stdout } = await rig.kick('bob');

    assert.deepEqual([code, stdout.endsWith('; it had just left\n')], [0, true]);
  });

  it('releases a hold, and names those that there are where there is none of that name', async () => {
    await rig.kick('bob', '--hold', '1m');

    const other = await rig.kick('alice', '--release');
    const released = await rig.kick('bob', '--release', '--json');
    const again = await rig.kick('bob', '--release');

    assert.deepEqual([other.code, other.stderr], [1, 'gwmark: no client alice is kept out:\n  bob\n']);
    assert.deepEqual([released.code, JSON.parse(released.stdout)], [0, { released: 'bob' }]);
    assert.equal(again.code, 1);
    assert.deepEqual(rig.office.holds.list(), []);
  });

  for (const [args, message] of [
    [['bob', '--hold', 'soon'], /--hold soon: expected a number and a unit, such as 60s/],
    [['bob', '--hold', '0s'], /--hold 0s: expected .* from 1s to 1d/],
    [['bob', '--hold', '25h'], /--hold 25h: expected .* from 1s to 1d/],
    [['bob', '--message', 'a\nb'], /expected a message of at most 200 bytes/],
    [['bob', '--message', ''], /expected a message/],
    [['bob', '--message', 'ä'.repeat(101)], /expected a message/],
    [['bob', '--release', '--halt'], /--release disconnects nobody/],
    [[''], /CLIENT is empty/],
  ] as const)
    it(`refuses ${JSON.stringify(args).slice(0, 60)} with 2, and asks nobody`, async () => {
      const { code, stderr } = await rig.kick(...args);

      assert.equal(code, 2);
      assert.match(stderr, message);
      assert.match(stderr, /see "gwmark kick --help"/);
      assert.deepEqual(rig.steps, []);
    });

  it('answers 400 to what is no order, and 404 to a page that there is not', async () => {
    for (const body of ['', '{', '{}', '{"client":"bob"}', '{"client":""}', '[]'])
      assert.equal((await post(rig.path, '/kick', body))[0], 400, body);
    assert.equal((await post(rig.path, '/release', '{"client":1}'))[0], 400);
    assert.deepEqual(await post(rig.path, '/kiss', '{}'), [
      404,
      'no such page; expected POST /move, /forget, /kick or /release\n',
    ]);
  });
});
