import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';

import type { Place } from 'openvpn-management-client';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { Metrics, type WatchedDaemon } from '../../../sidecar/metrics/metrics.js';
import { MetricsServer } from '../../../sidecar/metrics/server.js';
import { eventually } from '../../lab/wait.js';
import { READY } from '../sidecar-control/status-document.js';
import { TemporaryDirectory } from '../sidecar-control/temporary-directory.js';
import { runPromtool } from './promtool.js';

interface Reply {
  readonly status: number;
  readonly type: unknown;
  readonly body: string;
}

async function ask(
  address: Place,
  path: string,
  options: { readonly method?: string; readonly headers?: Record<string, string> } = {},
): Promise<Reply> {
  const where = address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const outgoing = request({ ...where, path, agent: false, ...options });
  const responded = once(outgoing, 'response');
  outgoing.end();
  const [response] = (await responded) as [IncomingMessage];
  const chunks = (await response.toArray()) as Buffer[];
  return {
    status: response.statusCode ?? 0,
    type: response.headers['content-type'],
    body: Buffer.concat(chunks).toString(),
  };
}

/** A daemon in order whose counters are read when a scrape asks. */
class FakeDaemon implements WatchedDaemon {
  reads = 0;
  problems: readonly string[] = [];
  isBroken = false;

  status(): typeof READY {
    if (this.isBroken) throw new Error('invariant broken');
    return { ...READY, repairs: { firewall: this.reads, routing: 0 } };
  }

  settle(): Promise<void> {
    this.reads += 1;
    return Promise.resolve();
  }

  readiness(): Promise<readonly string[]> {
    return Promise.resolve(this.problems);
  }
}

interface Served extends AsyncDisposable {
  readonly metrics: Metrics;
  ask(path: string, options?: { readonly method?: string; readonly headers?: Record<string, string> }): Promise<Reply>;
}

/** Resolves once the metrics are served; the caller disposes of it. */
async function served(address: Place, daemon: WatchedDaemon, log: ReturnType<typeof captureLog>): Promise<Served> {
  const metrics = new Metrics(address, daemon, log.logger);
  await eventually(() => log.of('metrics.listening').length === 1, { what: 'it listens' });
  return {
    metrics,
    ask: (path, options) => ask(address, path, options),
    [Symbol.asyncDispose]: () => metrics[Symbol.asyncDispose](),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is no string.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('metrics server', function () {
  this.timeout(30_000);

  for (const kind of ['unix', 'tcp'] as const) {
    it(`serves metrics, liveness and readiness on ${kind === 'unix' ? 'a unix socket' : 'a TCP port'}`, async () => {
      await using directory = await TemporaryDirectory.open();
      const address: Place =
        kind === 'unix' ? { kind, path: directory.file('m') } : { kind, host: '127.0.0.1', port: await freePort() };
      const daemon = new FakeDaemon();
      const log = captureLog();
      await using server = await served(address, daemon, log);

      const metrics = await server.ask('/metrics');
      const live = await server.ask('/livez');
      const ready = await server.ask('/readyz');
      daemon.problems = ['unix:/run/m: not connected yet', 'nftables table gwmark is missing; it is being restored'];
      const notReady = await server.ask('/readyz');

      assert.deepEqual([metrics.status, metrics.type], [200, 'text/plain; version=0.0.4; charset=utf-8']);
      assert.match(
        metrics.body,
        /^gwmark_repairs_total\{object="firewall"\} 1$/m,
        'counters are read before they are printed',
      );
      assert.deepEqual([live.status, live.body, ready.status, ready.body], [200, 'ok\n', 200, 'ready\n']);
      assert.deepEqual(
        [notReady.status, notReady.body],
        [503, 'unix:/run/m: not connected yet\nnftables table gwmark is missing; it is being restored\n'],
      );
      if (address.kind === 'unix') assert.equal((await stat(address.path)).mode & 0o777, 0o660);
    });
  }

  it('refuses other methods, unknown pages and large headers, and answers HEAD without a body', async () => {
    await using directory = await TemporaryDirectory.open();
    const address = { kind: 'unix', path: directory.file('m') } as const;
    const log = captureLog();
    await using server = await served(address, new FakeDaemon(), log);

    assert.equal((await server.ask('/metrics', { method: 'POST' })).status, 405);
    assert.equal((await server.ask('/status')).status, 404);
    assert.deepEqual(
      [
        (await server.ask('/metrics', { method: 'HEAD' })).status,
        (await server.ask('/metrics', { method: 'HEAD' })).body,
      ],
      [200, ''],
    );
    assert.equal((await server.ask('/metrics', { headers: { 'x-long': 'x'.repeat(10_000) } })).status, 431);
  });

  it('drops a client that sends nothing', async () => {
    await using directory = await TemporaryDirectory.open();
    const address = { kind: 'unix', path: directory.file('m') } as const;
    const log = captureLog();
    await using server = await served(address, new FakeDaemon(), log);

    const socket = connect(address.path);
    socket.write('GET /metrics HTTP/1.1\r\n');
    await once(socket.resume(), 'close');

    assert.equal((await server.ask('/livez')).status, 200);
  }).timeout(120_000);

  it('answers 500, logs it and goes on when the daemon has a fault', async () => {
    await using directory = await TemporaryDirectory.open();
    const address = { kind: 'unix', path: directory.file('m') } as const;
    const daemon = new FakeDaemon();
    const log = captureLog();
    await using server = await served(address, daemon, log);

    daemon.isBroken = true;
    const broken = await server.ask('/metrics');
    daemon.isBroken = false;

    assert.equal(broken.status, 500);
    assert.equal(log.of('metrics.failed').length, 1);
    assert.equal((await server.ask('/metrics')).status, 200);
  });

  it('says once that a port is taken, goes on, and takes the port when it is free', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
    const log = captureLog();
    const pages = {
      metrics: () => Promise.resolve({ type: 'text/plain', text: 'x 1\n' }),
      readiness: () => Promise.resolve([]),
    };
    await using server = new MetricsServer({ address, pages, logger: log.logger, retryMs: 20 });

    await server.tried;
    assert.match(
      String(log.of('metrics.unavailable')[0]?.fields['reason']),
      new RegExp(`^cannot serve metrics on tcp:127\\.0\\.0\\.1:${port}: .*EADDRINUSE`),
    );
    other.close();
    await eventually(() => log.of('metrics.listening').length === 1, { what: 'the port is taken over' });

    assert.equal((await ask(address, '/metrics')).body, 'x 1\n');
    assert.equal(log.of('metrics.unavailable').length, 1);
  });

  it('gives up trying when it is closed', async () => {
    await using directory = await TemporaryDirectory.open();
    const log = captureLog();
    const pages = { metrics: () => Promise.resolve({ type: '', text: '' }), readiness: () => Promise.resolve([]) };
    const server = new MetricsServer({
      address: { kind: 'unix', path: directory.path },
      pages,
      logger: log.logger,
      retryMs: 10,
    });
    await server.tried;

    await server[Symbol.asyncDispose]();

    assert.match(
      String(log.of('metrics.unavailable')[0]?.fields['reason']),
      /a file that is not a socket exists there$/,
    );
    assert.equal(log.of('metrics.listening').length, 0);
  });

  it('passes promtool check metrics', async () => {
    await using directory = await TemporaryDirectory.open();
    const address = { kind: 'unix', path: directory.file('m') } as const;
    const log = captureLog();
    await using server = await served(address, new FakeDaemon(), log);
    server.metrics.passed({ seconds: 0.001, hasFailed: false });

    const { body } = await server.ask('/metrics');

    assert.deepEqual(await runPromtool(['check', 'metrics'], body), { code: 0, output: '' });
  });
});

describe('alert rules', function () {
  this.timeout(120_000);
  // Compiled files lie in dist/test/protocol/metrics.
  const directory = new URL('../../../../deploy/prometheus/', import.meta.url);

  it('are valid', async () => {
    const { code, output } = await runPromtool(['check', 'rules', new URL('gwmark.rules.yaml', directory).pathname]);

    assert.equal(code, 0, output);
    assert.match(output, /SUCCESS: \d+ rules found/);
  });

  it('fire when they should, and not otherwise', async () => {
    const { code, output } = await runPromtool([
      'test',
      'rules',
      new URL('gwmark.rules.test.yaml', directory).pathname,
    ]);

    assert.equal(code, 0, output);
  });
});
