import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { commands, Secret, type ManagementClientOptions, type ManagementError } from 'openvpn-management-client';
import { FakeManagementServer } from 'openvpn-management-client/testing';
import { code, Observed } from './wait.js';

/** The first failure of a client with these options. */
async function firstFailure(options: ManagementClientOptions): Promise<ManagementError> {
  await using observed = Observed.run(options);
  const { cause } = await observed.until('a failure', ({ disconnects }) => disconnects[0]);
  return cause;
}

describe('Connecting', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'management-client-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  /** A listener that is no OpenVPN: says `text` to everyone, and hangs up or not. */
  async function listen(
    text: string,
    { hangsUp }: { readonly hangsUp: boolean },
  ): Promise<{ endpoint: string; server: Server; sockets: readonly Socket[] } & AsyncDisposable> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(text);
      if (hangsUp) socket.end();
      else server.once('close', () => socket.destroy());
      sockets.push(socket);
    });
    const sockets: Socket[] = [];
    server.listen(path.join(directory, 'x.sock'));
    await once(server, 'listening');
    return {
      endpoint: `unix:${path.join(directory, 'x.sock')}`,
      server,
      sockets,
      async [Symbol.asyncDispose]() {
        for (const socket of sockets) socket.destroy();
        server.close();
        await once(server, 'close');
      },
    };
  }

  it('is ready after the banner and version', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint });

    const session = await observed.client.ready();

    assert.equal(session.daemon.managementVersion, 5);
    assert.deepEqual([session.daemon.major, session.daemon.minor, session.daemon.patch], [2, 6, 14]);
    assert.equal(session.capabilities.pendingAuth, 'cid-kid-extra-timeout');
    assert.equal(observed.client.phase, 'ready');
    assert.equal(await session.pid(), 1000);
  });

  it('logs in with a password, and with one that is asked for at each attempt', async () => {
    await using server = await FakeManagementServer.listen({ password: 'open sesame' });
    for (const password of [new Secret('open sesame'), async () => new Secret('open sesame')]) {
      await using observed = Observed.run({ endpoint: server.endpoint, password });
      await observed.client.ready();
    }
  });

  it('does not mind a password that nobody asks for', async () => {
    await using server = await FakeManagementServer.listen();
    await using observed = Observed.run({ endpoint: server.endpoint, password: new Secret('unused') });

    await observed.client.ready();
  });

  it('ends with MGMT_AUTH at the second prompt, without the password in the error', async () => {
    await using server = await FakeManagementServer.listen({ password: 'open sesame' });
    await using observed = Observed.run({ endpoint: server.endpoint, password: new Secret('hunter2') });

    const error = await observed.ended;

    assert.ok(error instanceof Error && 'code' in error && error.code === 'MGMT_AUTH');
    assert.equal(JSON.stringify(error).includes('hunter2') || error.message.includes('hunter2'), false);
    assert.equal(observed.client.phase, 'closed');
    assert.equal(observed.disconnects[0]?.retryInMs, undefined);
    await assert.rejects(observed.client.ready(), /closed/);
  });

  it('goes on after MGMT_AUTH where that was asked for', async () => {
    await using server = await FakeManagementServer.listen({ password: 'open sesame' });
    const passwords = ['wrong', 'wrong', 'open sesame'];
    await using observed = Observed.run({
      endpoint: server.endpoint,
      authRetryMs: 10,
      password: async () => new Secret(passwords.shift() ?? ''),
    });

    await observed.client.ready();

    assert.deepEqual(
      observed.disconnects.map(({ cause }) => cause.code),
      ['MGMT_AUTH', 'MGMT_AUTH'],
    );
  });

  it('ends with MGMT_PASSWORD_REQUIRED where none is configured', async () => {
    await using server = await FakeManagementServer.listen({ password: 'open sesame' });

    assert.equal((await firstFailure({ endpoint: server.endpoint })).code, 'MGMT_PASSWORD_REQUIRED');
  });

  it('takes a hang-up on the password for MGMT_AUTH', async () => {
    await using server = await listen('', { hangsUp: false });
    server.server.on('connection', (socket) => {
      socket.write('ENTER PASSWORD:');
      socket.once('data', () => socket.end());
    });

    assert.equal((await firstFailure({ endpoint: server.endpoint, password: new Secret('x') })).code, 'MGMT_AUTH');
  });

  it('calls silence a busy slot, and connects when it is free', async () => {
    await using server = await FakeManagementServer.listen();
    await using first = Observed.run({ endpoint: server.endpoint });
    await first.client.ready();
    await using second = Observed.run({ endpoint: server.endpoint, connectTimeoutMs: 100 });

    const { cause } = await second.until('a failure', ({ disconnects }) => disconnects[0]);
    await first.client.close();
    await second.client.ready();

    assert.equal(cause.code, 'MGMT_BUSY');
  });

  it('names what is wrong with the socket', async () => {
    const stale = path.join(directory, 'stale.sock');
    const maker = spawn(process.execPath, [
      '-e',
      `require('node:net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ]);
    await once(maker, 'close');

    assert.equal((await firstFailure({ endpoint: `unix:${directory}/nothing` })).code, 'MGMT_NOT_FOUND');
    assert.equal((await firstFailure({ endpoint: `unix:${stale}` })).code, 'MGMT_REFUSED');
    assert.equal((await firstFailure({ endpoint: `unix:${directory}` })).code, 'MGMT_REFUSED');
  });

  it('calls a full backlog a busy slot', async () => {
    // Node cannot listen with a backlog of one; Python can, and accepts nobody.
    const socketPath = path.join(directory, 'full.sock');
    const listener = spawn('python3', [
      '-c',
      `import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.bind(${JSON.stringify(socketPath)})\ns.listen(0)\nprint("up",flush=True)\nsys.stdin.read()`,
    ]);
    await once(listener.stdout, 'data');
    const first = connect({ path: socketPath });
    await once(first, 'connect');
    try {
      assert.equal((await firstFailure({ endpoint: `unix:${socketPath}`, connectTimeoutMs: 1000 })).code, 'MGMT_BUSY');
    } finally {
      first.destroy();
      listener.stdin.end();
      await once(listener, 'close');
    }
  });

  it('calls a hang-up without a byte a rejection', async () => {
    await using server = await listen('', { hangsUp: true });

    assert.equal((await firstFailure({ endpoint: server.endpoint })).code, 'MGMT_REJECTED');
  });

  it('gets what OpenVPN said last, if it hangs up while a command is sent to it', async () => {
    const log = '>LOG:1700000000,I,so it goes\r\n'.repeat(4000);
    for (const lastWords of ['>STATE:1700000000,EXITING,SIGTERM,,,,,\r\n', log]) {
      const banner = ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n";
      await using daemon = await listen(banner, { hangsUp: false });
      daemon.server.on('connection', (socket) =>
        socket.once('data', () =>
          socket.write('OpenVPN Version: OpenVPN 2.6.14\r\nManagement Version: 5\r\nEND\r\nSUCCESS: pid=1\r\n'),
        ),
      );
      await using observed = Observed.run({ endpoint: daemon.endpoint });
      await observed.client.ready();
      const before = observed.seen.length;

      // All in one turn of the event loop: the command is sent before the client reads.
      daemon.sockets[0]?.write(lastWords);
      daemon.sockets[0]?.destroy();
      await assert.rejects(observed.client.execute(commands.pid()), code('MGMT_LOST'));

      assert.equal(observed.seen.length - before, lastWords.split('\n').length - 1);
    }
  });

  it('refuses what is no management interface', async () => {
    await using server = await listen('HTTP/1.1 400 Bad Request\r\n', { hangsUp: false });

    assert.equal((await firstFailure({ endpoint: server.endpoint })).code, 'MGMT_PROTOCOL');
  });

  it('refuses binary without line ends when the time is up, and an endless line before', async () => {
    {
      await using server = await listen('\u0000\u0001\u0002', { hangsUp: false });
      assert.equal((await firstFailure({ endpoint: server.endpoint, connectTimeoutMs: 100 })).code, 'MGMT_PROTOCOL');
    }
    await using server = await listen('x'.repeat(100_000), { hangsUp: false });
    assert.equal((await firstFailure({ endpoint: server.endpoint })).code, 'MGMT_OVERFLOW');
  });

  it('works over TCP, in a network namespace of its own', async () => {
    const script = `
      import { ManagementClient } from 'openvpn-management-client';
      import { FakeManagementServer } from 'openvpn-management-client/testing';
      for (const host of ['127.0.0.1', '::1']) {
        const server = await FakeManagementServer.listen({ listen: { host } });
        const client = new ManagementClient({ endpoint: server.endpoint });
        const running = client.run();
        await client.ready();
        console.log(server.endpoint.replace(/\\d+$/, 'N'), await client.pid());
        await client.close();
        await running;
        await server.close();
      }
      const failing = new ManagementClient({ endpoint: 'tcp:127.0.0.1:1' });
      failing.onDisconnected(({ cause }) => { console.log(cause.code); void failing.close(); });
      await failing.run();`;
    const child = spawn(
      'unshare',
      ['-n', 'sh', '-c', 'ip link set lo up && exec "$0" --input-type=module -e "$1"', process.execPath, script],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });

    const [exitCode] = await once(child, 'close');

    assert.equal(output, 'tcp:127.0.0.1:N 1000\ntcp:[::1]:N 1000\nMGMT_REFUSED\n');
    assert.equal(exitCode, 0);
  });
});
