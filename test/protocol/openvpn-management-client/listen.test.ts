/** OpenVPN connects to its management client (`--management-client`), which listens. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Disconnect, ManagementClient, type ManagementClientOptions, Secret } from 'openvpn-management-client';
import { FakeManagementServer, type FakeManagementServerOptions } from 'openvpn-management-client/testing';
import { eventually } from '../../lab/wait.js';

/** A client that listens, and the OpenVPNs that connect to it. */
class Rig implements AsyncDisposable {
  readonly client: ManagementClient;
  readonly endpoint: string;
  readonly disconnects: Disconnect[] = [];
  refused = 0;
  readonly #directory: string;
  readonly #daemons: FakeManagementServer[] = [];

  private constructor(directory: string, endpoint: string, options: Partial<ManagementClientOptions>) {
    this.#directory = directory;
    this.endpoint = endpoint;
    this.client = new ManagementClient({ endpoint, backoff: { baseMs: 10, maxMs: 20 }, ...options });
    this.client.onDisconnected((disconnect) => this.disconnects.push(disconnect));
    this.client.onRefused(() => {
      this.refused += 1;
    });
  }

  static async create(options: Partial<ManagementClientOptions> = {}, place?: string): Promise<Rig> {
    const directory = await mkdtemp(path.join(tmpdir(), 'listen-'));
    return new Rig(directory, `listen:${place ?? `unix:${path.join(directory, 'management.sock')}`}`, options);
  }

  get socket(): string {
    return path.join(this.#directory, 'management.sock');
  }

  /** Starts the client, and resolves when it listens. */
  async start(): Promise<this> {
    void this.client.run();
    await eventually(
      async () =>
        await stat(this.socket).then(
          (file) => file.isSocket(),
          () => false,
        ),
      { what: 'the socket', timeoutMs: 3000, intervalMs: 5 },
    );
    return this;
  }

  /** An OpenVPN that connects. */
  async openvpn(
    options: FakeManagementServerOptions = {},
  ): Promise<{ fake: FakeManagementServer; closed: Promise<void> }> {
    const fake = await FakeManagementServer.listen(options);
    this.#daemons.push(fake);
    return { fake, closed: (await fake.dial(this.endpoint.slice('listen:'.length))).closed };
  }

  async failed(code: string): Promise<void> {
    await eventually(() => this.disconnects.some(({ cause }) => cause.code === code), {
      what: code,
      timeoutMs: 3000,
      intervalMs: 5,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await Promise.all(this.#daemons.map(async (fake) => await fake.close()));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

describe('ManagementClient that listens', () => {
  it('follows the OpenVPN that connects, and the next one when it is gone', async () => {
    await using rig = await Rig.create();
    await rig.start();
    const messages: string[] = [];
    rig.client.onMessage((message, { epoch }) => messages.push(`${epoch} ${message.kind}`));

    const first = await rig.openvpn();
    const session = await rig.client.ready();
    assert.match(session.daemon.title, /OpenVPN 2\.6/);
    assert.equal(await rig.client.pid(), 1000);
    assert.ok((session.descriptor ?? -1) >= 0, 'a descriptor for SO_PEERCRED');
    await first.fake.close();
    await rig.failed('MGMT_LOST');

    await rig.openvpn();
    await rig.client.ready();
    assert.deepEqual(
      messages.filter((text) => text.endsWith('info')),
      ['1 info', '2 info'],
    );
    assert.equal(rig.disconnects[0]?.retryInMs, 0, 'an OpenVPN that finds nobody ends');
  });

  it('serves one OpenVPN: another that connects meanwhile is refused, and the first does not notice', async () => {
    await using rig = await Rig.create();
    await rig.start();
    await rig.openvpn();
    await rig.client.ready();

    const second = await rig.openvpn();
    await second.closed;

    assert.equal(rig.refused, 1);
    assert.equal(await rig.client.pid(), 1000);
    assert.deepEqual(rig.disconnects, []);
  });

  it('answers the password that OpenVPN asks for', async () => {
    await using rig = await Rig.create({ password: new Secret('open sesame') });
    await rig.start();

    await rig.openvpn({ password: 'open sesame' });

    await rig.client.ready();
  });

  it('hangs up on an OpenVPN whose password it does not have, and listens on', async () => {
    await using rig = await Rig.create({ password: new Secret('wrong'), authRetryMs: 10 });
    await rig.start();

    const { closed } = await rig.openvpn({ password: 'open sesame' });
    await closed;
    await rig.failed('MGMT_AUTH');

    await rig.openvpn({ password: 'wrong' });
    await rig.client.ready();
  });

  it('says that nobody has connected, and goes on listening', async () => {
    await using rig = await Rig.create({ connectTimeoutMs: 20 });
    await rig.start();
    await rig.failed('MGMT_NOBODY');

    await rig.openvpn();

    await rig.client.ready();
  });

  it('makes a socket that only its owner may use, or of the mode that is asked for, and removes it', async () => {
    for (const [mode, expected] of [
      [undefined, 0o600],
      [0o666, 0o666],
    ] as const) {
      let seen = '';
      await using rig = await Rig.create({
        listenFile: {
          ...(mode === undefined ? {} : { mode }),
          onListening: async (file) => {
            seen = file;
          },
        },
      });
      await rig.start();
      assert.equal((await stat(rig.socket)).mode & 0o777, expected);
      await eventually(() => seen === rig.socket, { what: 'onListening', timeoutMs: 1000, intervalMs: 5 });

      await rig.client.close();
      await assert.rejects(stat(rig.socket), { code: 'ENOENT' });
    }
  });

  it('replaces the file of a socket that nobody serves', async () => {
    await using rig = await Rig.create();
    const script = `require('node:net').createServer().listen(${JSON.stringify(rig.socket)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await assert.rejects(promisify(execFile)(process.execPath, ['-e', script]), { signal: 'SIGKILL' });
    assert.ok((await stat(rig.socket)).isSocket(), 'a file that a killed process left');
    void rig.client.run();

    await eventually(
      async () =>
        await rig.openvpn().then(
          () => true,
          () => false,
        ),
      { what: 'a client that listens', timeoutMs: 3000, intervalMs: 10 },
    );

    await rig.client.ready();
  });

  it('does not take the place of another program, says so, and takes it when it is free', async () => {
    await using rig = await Rig.create();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(rig.socket, resolve));
    void rig.client.run();
    await rig.failed('MGMT_LISTEN');
    assert.match(rig.disconnects[0]?.cause.message ?? '', /another program answers there/);

    await new Promise<void>((resolve) => other.close(() => resolve()));

    await rig.start();
    await rig.openvpn();
    await rig.client.ready();
  });

  it('listens on TCP as well', async () => {
    const free = createServer();
    const port = await new Promise<number>((resolve) =>
      free.listen(0, '127.0.0.1', () => resolve((free.address() as { readonly port: number }).port)),
    );
    await new Promise<void>((resolve) => free.close(() => resolve()));
    await using rig = await Rig.create({ connectTimeoutMs: 20 }, `tcp:127.0.0.1:${port}`);
    void rig.client.run();
    // It listens before it waits.
    await rig.failed('MGMT_NOBODY');

    await rig.openvpn();

    await rig.client.ready();
  });

  it('closes while nobody is there', async () => {
    const rig = await Rig.create();
    await rig.start();

    await rig[Symbol.asyncDispose]();

    assert.equal(rig.client.phase, 'closed');
  });
});
