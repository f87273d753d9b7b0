import assert from 'node:assert/strict';

import { Secret } from 'openvpn-management-client';
import { GwmarkError } from '../../../sidecar/errors.js';
import { printable } from '../../../sidecar/log/printable.js';
import { isSecretKey, toLogData } from '../../../sidecar/log/redact.js';

describe('log data', () => {
  it('hides what is under the key of a secret, at every depth', () => {
    const data = {
      password: 'hunter2',
      env: { session_id: 'hunter2', 'auth-token': 'hunter2', common_name: 'alice' },
      list: [{ CR_RESPONSE: 'hunter2' }, new Map([['auth_control_file_password', 'hunter2']])],
      userPassword: { nested: 'hunter2' },
      typed: new Secret('hunter2'),
    };

    const shown = toLogData(data);

    assert.doesNotMatch(JSON.stringify(shown), /hunter2/);
    assert.deepEqual(Reflect.get(Object(shown), 'env'), {
      session_id: '***',
      'auth-token': '***',
      common_name: 'alice',
    });
  });

  it('hides assignments of secrets inside a text', () => {
    assert.equal(toLogData('env password=hunter2 common_name=alice'), 'env password=*** common_name=alice');
    assert.equal(toLogData('>CLIENT:ENV,session_id=hunter2'), '>CLIENT:ENV,session_id=***');
  });

  it('knows a secret from the place where one is kept', () => {
    for (const key of [
      'password',
      'Password',
      'auth_token',
      'auth-token',
      'sessionId',
      'private_key',
      'auth_file',
      'CR_RESPONSE',
    ]) {
      assert.ok(isSecretKey(key), key);
    }
    for (const key of [
      'passwordFile',
      'management.passwordFile'.split('.')[1] ?? '',
      'commonName',
      'cid',
      'key',
      'mac',
    ]) {
      assert.ok(!isSecretKey(key), key);
    }
  });

  it('gives errors as code, message and causes, without stacks', () => {
    const error = new GwmarkError('ROUTING_FAILED', 'cannot add a rule', { cause: new Error('netlink: busy') });

    assert.deepEqual(toLogData({ error }), {
      error: {
        code: 'ROUTING_FAILED',
        message: 'cannot add a rule',
        cause: { name: 'Error', message: 'netlink: busy' },
      },
    });
  });

  it('makes JSON of everything', () => {
    const data = {
      big: 2n ** 64n,
      when: new Date(0),
      never: new Date(Number.NaN),
      map: new Map([[1, 'a']]),
      set: new Set(['b']),
      bytes: new Uint8Array(3),
      run: () => 0,
      not: Number.NaN,
      absent: undefined,
      nothing: null,
    };

    assert.deepEqual(toLogData(data), {
      big: '18446744073709551616',
      when: '1970-01-01T00:00:00.000Z',
      never: 'Invalid Date',
      map: { 1: 'a' },
      set: ['b'],
      bytes: '[3 bytes]',
      run: '[function]',
      not: 'NaN',
      nothing: null,
    });
  });

  it('ends on cycles and stays small', () => {
    const cycle: Record<string, unknown> = {
      text: 'x'.repeat(100_000),
      list: Array.from({ length: 10_000 }, (_, index) => index),
    };
    cycle['self'] = cycle;
    const error = new Error('loop');
    error.cause = error;

    const shown = JSON.stringify(toLogData({ cycle, error }));

    assert.ok(shown.length < 30_000, String(shown.length));
    assert.match(shown, /too deep/);
  });
});

describe('printable', () => {
  it('replaces what would move the cursor, colour, hide or reorder text', () => {
    assert.equal(
      printable('a\u001b[31mb\rc\nd\u202ee\u0085f\u200bg'),
      'a\\u001b[31mb\\u000dc\\u000ad\\u202ee\\u0085f\\u200bg',
    );
  });

  it('leaves names of every script alone', () => {
    assert.equal(printable('Jürgen 山田 Ольга 🔑'), 'Jürgen 山田 Ольга 🔑');
  });
});
