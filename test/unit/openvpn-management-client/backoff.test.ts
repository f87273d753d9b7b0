import assert from 'node:assert/strict';
import {
  ENDPOINT_EXPECTED,
  formatEndpoint,
  ManagementClient,
  parseEndpoint,
  parsePlace,
} from 'openvpn-management-client';
import { ManualClock } from 'openvpn-management-client/testing';

describe('Endpoints', () => {
  it('are unix paths or TCP addresses', () => {
    assert.deepEqual(parseEndpoint('unix:/run/openvpn/management.sock'), {
      kind: 'unix',
      path: '/run/openvpn/management.sock',
    });
    assert.deepEqual(parseEndpoint('unix:///run/x'), { kind: 'unix', path: '/run/x' });
    assert.deepEqual(parseEndpoint('tcp:127.0.0.1:7505'), { kind: 'tcp', host: '127.0.0.1', port: 7505 });
    assert.deepEqual(parseEndpoint('tcp://[::1]:7505'), { kind: 'tcp', host: '::1', port: 7505 });
  });

  it('say that the client listens, and are written as they are read', () => {
    assert.deepEqual(parseEndpoint('listen:unix:/run/x'), { kind: 'unix', path: '/run/x', listen: true });
    for (const text of ['listen:unix:/run/x', 'listen:tcp:[::1]:7505', 'tcp:127.0.0.1:7505']) {
      const endpoint = parseEndpoint(text);
      assert.equal(endpoint === undefined ? undefined : formatEndpoint(endpoint), text);
    }
    assert.equal(parsePlace('listen:unix:/run/x'), undefined, 'a place alone');
  });

  it('are refused with what was expected', () => {
    for (const text of [
      '',
      '/run/x',
      'tcp:7505',
      'tcp:localhost:0',
      'tcp:::1:7505',
      'tcp://[1.2.3.4]:1',
      'udp:127.0.0.1:5',
      'unix:',
      'unix:run/x',
      'unix://',
      'unix:/run/',
      `unix:/${'x'.repeat(107)}`,
      'listen:',
      'listen:/run/x',
      'listen:listen:unix:/run/x',
    ]) {
      assert.equal(parseEndpoint(text), undefined, text);
      assert.throws(
        () => new ManagementClient({ endpoint: text }),
        { code: 'MGMT_ARGUMENT', message: `endpoint ${JSON.stringify(text)}: expected ${ENDPOINT_EXPECTED}` },
        text,
      );
    }
    assert.throws(() => new ManagementClient({ endpoint: { kind: 'unix', path: 'run/x' } }), {
      code: 'MGMT_ARGUMENT',
    });
  });
});

/** The waits of the first ten attempts of a client that finds no socket. */
async function waits(random: () => number): Promise<number[]> {
  const clock = new ManualClock();
  const client = new ManagementClient({
    endpoint: 'unix:/nonexistent/management.sock',
    backoff: { baseMs: 100, maxMs: 5000 },
    clock,
    random,
  });
  const seen: number[] = [];
  await new Promise<void>((resolve) => {
    client.onDisconnected(({ retryInMs = -1 }) => {
      seen.push(retryInMs);
      if (seen.length === 10) resolve();
      // The timer is started right after this listener.
      else setImmediate(() => clock.advance(retryInMs));
    });
    void client.run();
  });
  await client.close();
  return seen;
}

describe('Backoff', () => {
  it('doubles its bound up to the limit', async () => {
    assert.deepEqual(await waits(() => 0.999999), [99, 199, 399, 799, 1599, 3199, 4999, 4999, 4999, 4999]);
  });

  it('spreads over the whole range, from no wait at all', async () => {
    assert.deepEqual(
      await waits(() => 0),
      Array.from({ length: 10 }, () => 0),
    );
    assert.deepEqual((await waits(() => 0.5)).slice(0, 3), [50, 100, 200]);
  });
});
