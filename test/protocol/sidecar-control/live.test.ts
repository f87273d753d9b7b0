import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';

import { followStatus } from '../../../sidecar/control/follow.js';
import { ControlServer } from '../../../sidecar/control/server.js';
import { EventStream } from '../../../sidecar/live/event-stream.js';
import { LiveFeed, MAX_VIEWERS } from '../../../sidecar/live/live-feed.js';
import { afterMessage, type Look } from '../../../sidecar/live/message.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import type { ClientStatus, StatusDocument } from '../../../sidecar/status.js';
import { eventually } from '../../lab/wait.js';
import { READY } from './status-document.js';
import { TemporaryDirectory } from './temporary-directory.js';

/** A status with this number of reconnects, and as many clients as are asked for. */
function statusOf(reconnects: number, clients: readonly ClientStatus[] = READY.clients): StatusDocument {
  return { ...READY, clients, repairs: { firewall: reconnects, routing: 0 } };
}

/** Ten thousand clients: about a megabyte of status. */
const MANY = Array.from({ length: 10_000 }, (_, cid): ClientStatus => {
  return { ...(READY.clients[0] ?? assert.fail('no client')), cid: String(cid) };
});

/** A sidecar whose status the test sets. */
class Served implements AsyncDisposable {
  readonly path: string;
  status = statusOf(0);
  /** How often the feed looked. */
  looks = 0;
  readonly #directory: TemporaryDirectory;
  readonly #server: ControlServer;
  readonly #feed: LiveFeed;

  private constructor(directory: TemporaryDirectory, server: ControlServer, feed: LiveFeed) {
    this.#directory = directory;
    this.#server = server;
    this.#feed = feed;
    this.path = server.path;
  }

  static async open(): Promise<Served> {
    const directory = await TemporaryDirectory.open();
    const feed = new LiveFeed({
      status: () => served.status,
      refresh: async () => undefined,
      onLook: () => void (served.looks += 1),
      onFault: (error) => assert.fail(String(error)),
    });
    const server = await ControlServer.open({
      path: directory.file('s'),
      status: () => served.status,
      readiness: async () => [],
      feed,
      logger: captureLog().logger,
    });
    const served: Served = new Served(directory, server, feed);
    return served;
  }

  close(): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#feed[Symbol.dispose]();
    await this.close();
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** Opens the stream and reads nothing of it. */
async function openLive(path: string, method = 'GET'): Promise<IncomingMessage> {
  const outgoing = request({ socketPath: path, path: '/live', method, agent: false });
  // The server ends it.
  outgoing.on('error', () => undefined);
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  return response;
}

async function next(looks: AsyncGenerator<Look, void>): Promise<Look> {
  const { value } = await looks.next();
  return value ?? assert.fail('the stream ended');
}

describe('the live status', () => {
  it('is what it is now, and then what it is after each change', async () => {
    await using served = await Served.open();
    using ending = new Ending();
    const looks = followStatus(served.path, ending);

    assert.deepEqual((await next(looks)).document, served.status);
    served.status = statusOf(1, []);
    assert.deepEqual((await next(looks)).document, served.status);
    served.status = statusOf(1, MANY);
    assert.deepEqual((await next(looks)).document, served.status);
  });

  it('is not looked at while nobody watches', async () => {
    await using served = await Served.open();
    {
      using ending = new Ending();
      await next(followStatus(served.path, ending));
    }
    // Two looks later nobody would have left yet: the pause is over when this viewer has had one.
    await using other = await Served.open();
    using ending = new Ending();
    const looks = followStatus(other.path, ending);
    for (let count = 0; count < 3; count += 1) await next(looks);

    assert.ok(served.looks <= 2, `${served.looks} looks`);
    assert.ok(other.looks >= 3);
  });

  it('comes to a viewer every second, however little another one reads, which later sees what is', async () => {
    await using served = await Served.open();
    served.status = statusOf(0, MANY);
    const slow = await openLive(served.path);
    using ending = new Ending();
    const looks = followStatus(served.path, ending);
    for (let count = 1; count <= 4; count += 1) {
      await next(looks);
      served.status = statusOf(
        count,
        MANY.map((client) => ({ ...client, commonName: `in look ${count}` })),
      );
    }
    assert.equal((await next(looks)).document.repairs.firewall, 4);

    const stream = new EventStream();
    let look: Look | null = null;
    const kinds: string[] = [];
    slow.setEncoding('utf8');
    for await (const piece of slow as AsyncIterable<string>) {
      for (const message of stream.take(piece)) {
        kinds.push(message.kind);
        look = afterMessage(look, message);
      }
      if (look?.document.repairs.firewall === 4) break;
    }

    // What it missed was never kept for it: the first status, and then all of the last one.
    assert.deepEqual(kinds.slice(0, 2), ['snapshot', 'snapshot']);
    assert.equal(look?.document.clients[0]?.commonName, 'in look 4');
  });

  it(`is for ${MAX_VIEWERS} viewers, and says so to the next one; commands are answered beside them`, async () => {
    await using served = await Served.open();
    const viewers = await Promise.all(Array.from({ length: MAX_VIEWERS }, () => openLive(served.path)));
    assert.deepEqual(
      viewers.map(({ statusCode }) => statusCode),
      Array.from({ length: MAX_VIEWERS }, () => 200),
    );

    await assert.rejects(next(followStatus(served.path, new Ending())), {
      code: 'CONTROL_UNREACHABLE',
      message: `too many viewers watch the sidecar at ${served.path}`,
    });
    viewers[0]?.destroy();
    await eventually(async () => (await next(followStatus(served.path, new Ending()))).atMs > 0, {
      what: 'the place of a viewer that left',
    });
    for (const viewer of viewers) viewer.destroy();
  });

  it('ends with the sidecar, immediately', async () => {
    await using served = await Served.open();
    const looks = followStatus(served.path, new Ending());
    await next(looks);
    const over = assert.rejects(
      (async () => {
        for (;;) await next(looks);
      })(),
      { code: 'CONTROL_UNREACHABLE', message: `the sidecar at ${served.path} has ended` },
    );

    await served.close();

    await over;
  });

  it('ends without an error when the viewer leaves', async () => {
    await using served = await Served.open();
    const ending = new Ending();
    const looks = followStatus(served.path, ending);
    await next(looks);

    ending[Symbol.dispose]();

    assert.deepEqual(await looks.next(), { value: undefined, done: true });
  });

  it('has a header alone for HEAD', async () => {
    await using served = await Served.open();
    const response = await openLive(served.path, 'HEAD');

    assert.match(String(response.headers['content-type']), /^text\/event-stream/);
    assert.deepEqual(await response.toArray(), []);
  });

  for (const [what, answer, message] of [
    ['a sidecar that is older', { status: 404, body: 'no such page' }, /is older than this command: restart it$/],
    ['another program', { status: 200, body: 'hello\n\n' }, /is not a gwmark status: no event: "hello"$/],
    [
      'a sidecar with another document',
      { status: 200, body: 'event: snapshot\ndata: {"atMs":1,"document":{"version":1}}\n\n' },
      /is not a gwmark status: version: /,
    ],
  ] as const)
    it(`names ${what}`, async () => {
      await using other = await Other.listen((response) => response.writeHead(answer.status).end(answer.body));

      await assert.rejects(next(followStatus(other.path, new Ending())), { code: 'CONTROL_PROTOCOL', message });
    });

  it('names a sidecar that says nothing any more', async () => {
    await using other = await Other.listen((response) => response.writeHead(200).flushHeaders());
    const { path } = other;

    await assert.rejects(next(followStatus(path, { signal: new Ending().signal, silenceMs: 50 })), {
      code: 'CONTROL_UNREACHABLE',
      message: `the sidecar at ${path} did not answer within 50 ms`,
    });
  });
});

/** A program that answers every request alike. */
class Other implements AsyncDisposable {
  readonly path: string;
  readonly #directory: TemporaryDirectory;
  readonly #server: Server;

  private constructor(directory: TemporaryDirectory, server: Server) {
    this.#directory = directory;
    this.#server = server;
    this.path = directory.file('s');
  }

  static async listen(answer: (response: ServerResponse) => unknown): Promise<Other> {
    const server = createServer((_request, response) => answer(response));
    const other = new Other(await TemporaryDirectory.open(), server);
    server.listen(other.path);
    await once(server, 'listening');
    return other;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** Options of a viewer, who leaves with the scope. */
class Ending implements Disposable {
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;

  [Symbol.dispose](): void {
    this.#controller.abort();
  }
}
