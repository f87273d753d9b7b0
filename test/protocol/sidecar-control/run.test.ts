import assert from 'node:assert/strict';

import { type Ended, ended, run, start } from './fake-process.js';

const MANAGEMENT = ['--management', 'unix:/run/openvpn/management.sock'];

/** Sends the signals one after the other, each once the log has the event before it. */
async function runWithSignals(
  daemon: string,
  steps: readonly (readonly [awaited: string, signal: NodeJS.Signals])[],
): Promise<Ended> {
  const child = start(['run', ...MANAGEMENT], { daemon });
  const rest = [...steps];
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
    const [next] = rest;
    if (next === undefined || !log.includes(`"event":"${next[0]}"`)) return;
    rest.shift();
    child.kill(next[1]);
  });
  const result = await ended(child);
  assert.deepEqual(rest, [], log);
  return result;
}

function eventsOf(stderr: string): readonly string[] {
  return stderr
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { readonly event: string }).event);
}

describe('gwmark run', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`drains at the first ${signal} and exits 0`, async () => {
      const { code, stdout, stderr } = await runWithSignals('drain', [['daemon.started', signal]]);

      assert.equal(code, 0, stderr);
      assert.equal(stdout, '');
      assert.deepEqual(eventsOf(stderr), ['daemon.started', 'daemon.stopping', 'daemon.stopped']);
      assert.match(stderr, new RegExp(`"event":"daemon.stopping","signal":"${signal}"`));
    });
  }

  it('takes the AbortError of what was under way for the stop that was asked for', async () => {
    const { code, stderr } = await runWithSignals('abort-error', [['daemon.started', 'SIGTERM']]);

    assert.equal(code, 0, stderr);
    assert.deepEqual(eventsOf(stderr), ['daemon.started', 'daemon.stopping', 'daemon.stopped']);
  });

  it('exits 1 at the second signal when the daemon does not end', async () => {
    const { code, stderr } = await runWithSignals('hang', [
      ['daemon.started', 'SIGTERM'],
      ['daemon.stopping', 'SIGINT'],
    ]);

    assert.equal(code, 1, stderr);
    assert.deepEqual(eventsOf(stderr), ['daemon.started', 'daemon.stopping']);
  });

  it('reads its configuration again on SIGHUP, also in a daemon that takes no settings', async () => {
    const { code, stderr } = await runWithSignals('drain', [
      ['daemon.started', 'SIGHUP'],
      ['config.reloaded', 'SIGTERM'],
    ]);

    assert.equal(code, 0, stderr);
    assert.deepEqual(eventsOf(stderr), ['daemon.started', 'config.reloaded', 'daemon.stopping', 'daemon.stopped']);
  });

  it('logs why it cannot start and exits by the error', async () => {
    const { code, stderr } = await run(['run', ...MANAGEMENT], { daemon: 'refuse' });

    assert.equal(code, 1);
    const { time: _, ...entry } = JSON.parse(stderr) as Record<string, unknown>;
    assert.deepEqual(entry, {
      level: 'error',
      event: 'daemon.failed',
      code: 'FIREWALL_UNAVAILABLE',
      reason: 'cannot find nft',
      tried: ['library', 'process'],
    });
  });

  it('logs the stack of a fault of its own alone', async () => {
    const { code, stderr } = await run(['run', ...MANAGEMENT], { daemon: 'throw' });

    assert.equal(code, 1);
    assert.match(stderr, /"code":"INTERNAL","reason":"invariant broken","stack":"Error: invariant broken\\n/);
  });

  it('has written its whole log when it ends', async () => {
    const { code, stderr } = await run(['run', ...MANAGEMENT], { daemon: 'flood' });

    assert.equal(code, 0);
    assert.equal(stderr.split('\n').length, 20_002);
    assert.match(stderr, /"index":19999}\n.*"event":"daemon.stopped"}\n$/);
  });

  it('has written what led to a fault that nobody catches', async () => {
    const { code, stderr } = await run(['run', ...MANAGEMENT], { daemon: 'crash' });

    assert.notEqual(code, 0);
    assert.match(stderr, /"event":"client.gone","index":1}\n/);
    assert.match(stderr, /a fault in a callback/);
  });

  it('logs JSON under --json, and pretty lines when asked to', async () => {
    const json = await run(['run', '--json', ...MANAGEMENT], {
      daemon: 'refuse',
      env: { GWMARK_LOG_FORMAT: 'pretty' },
    });
    const pretty = await run(['run', '--log-format', 'pretty', ...MANAGEMENT], { daemon: 'refuse' });

    assert.equal((JSON.parse(json.stderr) as { event: string }).event, 'daemon.failed');
    assert.match(
      pretty.stderr,
      /^\S+Z error daemon\.failed code=FIREWALL_UNAVAILABLE reason="cannot find nft" tried=library,process\n$/,
    );
  });

  it('names the missing capability in one line and exits 1', async () => {
    // Other users lack it anyway.
    const prefix = process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-net_admin'] : [];
    for (const command of [['run', ...MANAGEMENT], ['down']]) {
      const { code, stderr } = await run(command, { prefix });

      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`^gwmark: "gwmark ${command[0]}" needs CAP_NET_ADMIN [^\n]+\n$`));
    }
  });

  it('says what is wrong with the configuration before it asks for privileges, and exits 2', async () => {
    const { code, stdout, stderr } = await run(['run', '--authorize', 'maybe', '--table', '7']);

    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.equal(
      stderr,
      [
        'gwmark: invalid configuration: 3 errors',
        '  authorize (--authorize): maybe; expected "none" or "accept"',
        '  table (--table): 7; expected a name of 1..64 letters, digits, "_" and ".", starting with a letter',
        '  management.endpoints (default): expected at least one endpoint, such as --management unix:/run/openvpn/management.sock (or GWMARK_MANAGEMENT, or the file)',
        '',
      ].join('\n'),
    );
  });
});
