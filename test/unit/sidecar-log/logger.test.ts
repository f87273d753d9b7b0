import assert from 'node:assert/strict';
import { Writable } from 'node:stream';

import { createLogger, type LoggerOptions, type RootLogger } from '../../../sidecar/log/logger.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';

class TextSink extends Writable {
  isTTY = false;
  text = '';
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    // A slow reader: close() must wait for it.
    setImmediate(done);
  }
}

function open(options: Partial<LoggerOptions> & { readonly isTTY?: boolean } = {}): {
  readonly logger: RootLogger;
  readonly sink: TextSink;
} {
  const sink = new TextSink();
  sink.isTTY = options.isTTY ?? false;
  const logger = createLogger({ level: 'info', format: 'auto', output: sink, now: () => new Date(0), ...options });
  return { logger, sink };
}

describe('logger', () => {
  it('writes one JSON object a line where the output is no terminal', async () => {
    const { logger, sink } = open();

    logger.info('client.connected', { cid: '3', commonName: 'alice\nbob' });
    logger.warn('management.lost', { delayMs: 250 });
    await logger.close();

    assert.deepEqual(
      sink.text
        .trimEnd()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
      [
        {
          time: '1970-01-01T00:00:00.000Z',
          level: 'info',
          event: 'client.connected',
          cid: '3',
          commonName: 'alice\nbob',
        },
        { time: '1970-01-01T00:00:00.000Z', level: 'warn', event: 'management.lost', delayMs: 250 },
      ],
    );
  });

  it('writes one line for eyes on a terminal, in colours unless refused', async () => {
    const plain = open({ isTTY: true, allowColours: false });
    const coloured = open({ isTTY: true });

    for (const { logger } of [plain, coloured]) {
      logger.info('client.connected', {
        cid: '3',
        commonName: 'a b\u001b[31m\u009b',
        addresses: ['10.8.0.2', 'fd00::2'],
      });
      await logger.close();
    }

    assert.equal(
      plain.sink.text,
      '1970-01-01T00:00:00.000Z info  client.connected cid=3 commonName="a b\\u001b[31m\\u009b" addresses=10.8.0.2,fd00::2\n',
    );
    assert.ok(coloured.sink.text.includes('\u001b[32minfo \u001b[39m client.connected'));
  });

  it('uses no colours in a pretty file', async () => {
    const { logger, sink } = open({ format: 'pretty' });

    logger.error('firewall.failed');
    await logger.close();

    assert.equal(sink.text, '1970-01-01T00:00:00.000Z error firewall.failed\n');
  });

  it('keeps events below its level from the output', async () => {
    const { logger, sink } = open({ level: 'warn' });

    logger.debug('firewall.applied');
    logger.info('client.gone');
    logger.warn('firewall.repaired');
    logger.error('firewall.failed');
    await logger.close();

    assert.deepEqual(
      sink.text
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { event: string }).event),
      ['firewall.repaired', 'firewall.failed'],
    );
  });

  it('gives the fields of a child to all its events, those of the event winning', () => {
    const { logger, of } = captureLog();

    logger.child({ server: 'a', cid: '1' }).child({ epoch: 2 }).info('client.gone', { cid: '3' });

    assert.deepEqual(of('client.gone')[0]?.fields, { server: 'a', cid: '3', epoch: 2 });
  });

  it('does not let a field take the place of time, level or event', async () => {
    const { logger, sink } = open();

    logger.info('client.gone', { time: 'x', level: 'y', event: 'z', message: 'm' });
    await logger.close();

    assert.deepEqual(JSON.parse(sink.text), {
      time: '1970-01-01T00:00:00.000Z',
      level: 'info',
      event: 'client.gone',
      time_: 'x',
      level_: 'y',
      event_: 'z',
      message: 'm',
    });
  });

  it('redacts before anything is kept or written', async () => {
    const { logger, entries, text } = captureLog();

    logger.debug('config.loaded', { password: 'hunter2', env: { auth_token: 'hunter2' } });

    assert.doesNotMatch(JSON.stringify(entries) + text(), /hunter2/);
  });

  it('has handed over every event when close resolves, and drops later ones', async () => {
    const { logger, sink } = open();

    for (let index = 0; index < 5000; index += 1) logger.info('client.gone', { index });
    await Promise.all([logger.close(), logger[Symbol.asyncDispose]()]);
    logger.info('client.gone', { index: 'late' });

    const lines = sink.text.trimEnd().split('\n');
    assert.equal(lines.length, 5000);
    assert.match(lines[4999] ?? '', /"index":4999/);
  });

  it('writes the events of one turn together, after it, with the time and the fields of the call', async () => {
    const chunks: string[] = [];
    const output = new Writable({
      decodeStrings: false,
      write: (chunk: string, _encoding, done) => {
        chunks.push(chunk);
        done();
      },
    });
    let ms = 0;
    const logger = createLogger({ level: 'info', format: 'json', output, now: () => new Date(ms++) });

    logger.info('client.connected', { cid: '3' });
    logger.info('client.address', { cid: '3' });
    assert.deepEqual(chunks, []);
    await logger.close();

    assert.equal(
      chunks.join(''),
      '{"time":"1970-01-01T00:00:00.000Z","level":"info","event":"client.connected","cid":"3"}\n' +
        '{"time":"1970-01-01T00:00:00.001Z","level":"info","event":"client.address","cid":"3"}\n',
    );
  });

  it('survives an output that fails', async () => {
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
    broken.on('error', () => undefined);
    const logger = createLogger({ level: 'info', format: 'json', output: broken });

    logger.info('client.gone');
    logger.info('client.gone');
    await logger.close();

    assert.ok(broken.destroyed);
  });
});
