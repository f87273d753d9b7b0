// cspell:ignore metricz
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, stat, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer } from 'node:net';

import { fetchStatus } from '../../../sidecar/control/client.js';
import { ControlServer } from '../../../sidecar/control/server.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { MetricsServer } from '../../../sidecar/metrics/server.js';
import type { StatusDocument } from '../../../sidecar/status.js';
import { serveStatus } from './serve-status.js';
import { NOT_READY, READY } from './status-document.js';
import { TemporaryDirectory } from './temporary-directory.js';

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

async function ask(socketPath: string, path: string, method = 'GET'): Promise<Reply> {
  const outgoing = request({ socketPath, path, method, agent: false });
  const responded = once(outgoing, 'response');
  outgoing.end();
  const [response] = (await responded) as [IncomingMessage];
  const chunks = (await response.toArray()) as Buffer[];
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString(), headers: response.headers };
}

/** Leaves the socket file of a process that was killed. */
async function leaveStaleSocket(path: string): Promise<void> {
  const child = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`,
  ]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok((await lstat(path)).isSocket());
}

describe('control socket', () => {
  it('serves the status document to fetchStatus', async () => {
    await using directory = await TemporaryDirectory.open();
    await using server = await serveStatus(directory.file('s'));

    assert.deepEqual(await fetchStatus(server.path), READY);
  });

  it('makes its directory, and is open for owner and group alone', async () => {
    await using directory = await TemporaryDirectory.open();
    const path = directory.file('deep/er/s');

    await using server = await serveStatus(path);

    assert.equal((await stat(server.path)).mode & 0o777, 0o660);
    assert.equal((await stat(directory.file('deep'))).mode & 0o777, 0o755);
  });

  it('logs where it listens', async () => {
    await using directory = await TemporaryDirectory.open();
    const log = captureLog();

    await using server = await serveStatus(directory.file('s'), undefined, log.logger);

    assert.deepEqual(log.of('control.listening')[0]?.fields, { path: server.path });
  });

  it('answers /livez always, /readyz by a look of its own, in the words of the metrics server', async () => {
    await using directory = await TemporaryDirectory.open();
    let problems: readonly string[] = [];
    const readiness = async (): Promise<readonly string[]> => problems;
    const { logger } = captureLog();
    await using control = await ControlServer.open({
      path: directory.file('s'),
      // As it was before the look.
      status: () => NOT_READY,
      readiness,
      logger,
    });
    const address = { kind: 'unix', path: directory.file('m') } as const;
    const pages = { metrics: async () => assert.fail('not asked for'), readiness };
    await using monitoring = new MetricsServer({ address, pages, logger });
    await monitoring.tried;

    for (const socket of [control.path, address.path]) {
      problems = [];
      const ready = await ask(socket, '/readyz');
      problems = ['no nft', 'no uplink'];
      const notReady = await ask(socket, '/readyz?verbose');
      const live = await ask(socket, '/livez');

      assert.deepEqual([ready.status, ready.body], [200, 'ready\n']);
      assert.deepEqual([notReady.status, notReady.body], [503, 'no nft\nno uplink\n']);
      assert.deepEqual([live.status, live.body], [200, 'ok\n']);
    }
  });

  it('answers HEAD without a body, refuses other methods and unknown pages', async () => {
    await using directory = await TemporaryDirectory.open();
    await using server = await serveStatus(directory.file('s'));

    const head = await ask(server.path, '/status', 'HEAD');
    const post = await ask(server.path, '/status', 'POST');
    const unknown = await ask(server.path, '/metricz');

    assert.deepEqual([head.status, head.body], [200, '']);
    assert.ok(Number(head.headers['content-length']) > 100);
    assert.deepEqual([post.status, post.headers['allow']], [405, 'GET, HEAD']);
    assert.equal(unknown.status, 404);
  });

  it('answers 500 and logs when the status itself fails, and goes on', async () => {
    await using directory = await TemporaryDirectory.open();
    const log = captureLog();
    let isBroken = true;
    const status = (): StatusDocument => {
      if (isBroken) throw new Error('invariant broken');
      return READY;
    };
    await using server = await serveStatus(directory.file('s'), status, log.logger);

    await assert.rejects(fetchStatus(server.path), { code: 'CONTROL_PROTOCOL', message: /answered with HTTP 500/ });
    isBroken = false;

    assert.deepEqual(await fetchStatus(server.path), READY);
    assert.match(JSON.stringify(log.of('control.failed')), /invariant broken/);
  });

  it('survives garbage and clients that leave', async () => {
    await using directory = await TemporaryDirectory.open();
    await using server = await serveStatus(directory.file('s'));

    const garbage = connect(server.path, () => garbage.write(Buffer.alloc(100_000, 0xff)));
    garbage.on('error', () => undefined);
    garbage.resume();
    await once(garbage, 'close');
    const silent = connect(server.path);
    await once(silent, 'connect');
    silent.destroy();

    assert.deepEqual(await fetchStatus(server.path), READY);
  });

  it('refuses a path where another sidecar answers, and leaves that one alone', async () => {
    await using directory = await TemporaryDirectory.open();
    await using first = await serveStatus(directory.file('s'));

    await assert.rejects(serveStatus(first.path), {
      code: 'CONTROL_IN_USE',
      exitCode: 1,
      message: `another gwmark already runs on ${first.path}`,
    });

    assert.deepEqual(await fetchStatus(first.path), READY);
  });

  it('takes the place of a sidecar that was killed', async () => {
    await using directory = await TemporaryDirectory.open();
    await leaveStaleSocket(directory.file('s'));

    await using server = await serveStatus(directory.file('s'));

    assert.deepEqual(await fetchStatus(server.path), READY);
  });

  it('does not remove a file that is no socket', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(directory.file('s'), 'precious');

    await assert.rejects(serveStatus(directory.file('s')), {
      code: 'CONTROL_UNAVAILABLE',
      message: /a file that is not a socket exists there$/,
    });

    assert.ok((await lstat(directory.file('s'))).isFile());
  });

  it('says why it cannot be made', async () => {
    await using directory = await TemporaryDirectory.open();
    await writeFile(directory.file('file'), '');

    await assert.rejects(serveStatus(directory.file('file/s')), {
      code: 'CONTROL_UNAVAILABLE',
      message: /^cannot create the control socket .*\/file\/s: /,
    });
  });

  it('removes its file on dispose, twice if asked, even under an idle connection', async () => {
    await using directory = await TemporaryDirectory.open();
    const server = await serveStatus(directory.file('s'));
    const idle = connect(server.path);
    await once(idle, 'connect');
    idle.on('error', () => undefined).resume();

    await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);

    await assert.rejects(lstat(server.path), { code: 'ENOENT' });
  });
});

describe('fetchStatus', () => {
  it('asks whether the sidecar runs where there is no socket, and where its process is gone', async () => {
    await using directory = await TemporaryDirectory.open();
    const path = directory.file('s');
    const expected = {
      code: 'CONTROL_UNREACHABLE',
      exitCode: 1,
      message: `cannot reach the sidecar at ${path}: is "gwmark run" running?`,
    };

    await assert.rejects(fetchStatus(path), expected);
    await leaveStaleSocket(path);

    await assert.rejects(fetchStatus(path), expected);
  });

  it('says that permission is missing', async () => {
    await using directory = await TemporaryDirectory.open();
    await mkdir(directory.file('closed'), { mode: 0o700 });
    await using server = await serveStatus(directory.file('closed/s'));
    await chmod(directory.file('closed'), 0);
    // Root may open every socket, so another user asks.
    const user = process.geteuid?.() ?? 0;
    if (user === 0) process.seteuid?.(65_534);
    try {
      await assert.rejects(fetchStatus(server.path), {
        code: 'CONTROL_DENIED',
        message: /permission denied; run as root/,
      });
    } finally {
      process.seteuid?.(user);
      await chmod(directory.file('closed'), 0o700);
    }
  });

  it('gives up after its time', async () => {
    await using directory = await TemporaryDirectory.open();
    const silent = createServer(() => undefined).listen(directory.file('s'));
    await once(silent, 'listening');

    try {
      await assert.rejects(fetchStatus(directory.file('s'), { timeoutMs: 50 }), {
        code: 'CONTROL_UNREACHABLE',
        message: `the sidecar at ${directory.file('s')} did not answer within 50 ms`,
      });
    } finally {
      silent.close();
    }
  });

  for (const [what, answer] of [
    ['something that is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['no JSON', 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello'],
    ['another JSON', 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"version":1}'],
  ] as const) {
    it(`refuses an answer that is ${what}`, async () => {
      await using directory = await TemporaryDirectory.open();
      const other = createServer((socket) => socket.end(answer)).listen(directory.file('s'));
      await once(other, 'listening');

      try {
        await assert.rejects(fetchStatus(directory.file('s')), { code: 'CONTROL_PROTOCOL' });
      } finally {
        other.close();
      }
    });
  }

  it('names the first field that is not as it should be, one that was added later as well', async () => {
    await using directory = await TemporaryDirectory.open();
    const [server] = READY.servers;
    const wrong = { ...READY, servers: [{ ...server, transportSource: 5 }] } as unknown as StatusDocument;
    await using served = await serveStatus(directory.file('s'), () => wrong);

    await assert.rejects(fetchStatus(served.path), {
      code: 'CONTROL_PROTOCOL',
      message: /not a gwmark status: servers\.0\.transportSource: /,
    });
  });

  it('lets fields of newer versions pass', async () => {
    await using directory = await TemporaryDirectory.open();
    const newer = {
      ...READY,
      clients: [{ ...READY.clients[0], country: 'AQ' }],
      extra: 1,
    } as unknown as StatusDocument;
    await using server = await serveStatus(directory.file('s'), () => newer);

    assert.deepEqual(await fetchStatus(server.path), newer);
  });
});
