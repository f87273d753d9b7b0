import assert from 'node:assert/strict';

import * as v from 'valibot';
import { inspect } from 'node:util';

import { buildSettings, toPlainSettings } from '../../../sidecar/config/settings.js';
import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { formatEndpoint, parseEndpoint, Secret } from 'openvpn-management-client';
import { flagValues } from '../../../sidecar/config/sources.js';
import { SETTINGS } from '../../../sidecar/config/table.js';

describe('settings', () => {
  it('have a flag and a variable of their own each', () => {
    assert.equal(new Set(SETTINGS.map(({ flag }) => flag)).size, SETTINGS.length);
    assert.equal(new Set(SETTINGS.map(({ env }) => env)).size, SETTINGS.length);
  });

  it('take their names from the path', () => {
    const names = Object.fromEntries(SETTINGS.map(({ path, flag, env }) => [path, `${flag} ${env}`]));

    assert.equal(names['management.endpoints'], '--management GWMARK_MANAGEMENT');
    assert.equal(names['management.passwordFile'], '--management-password-file GWMARK_MANAGEMENT_PASSWORD_FILE');
    assert.equal(names['routing.nexthop4'], '--routing-nexthop4 GWMARK_ROUTING_NEXTHOP4');
    assert.equal(names['controlSocket'], '--control-socket GWMARK_CONTROL_SOCKET');
  });

  it('have defaults that pass their own checks', () => {
    const { flat, problems } = resolveSettings([], '/');

    assert.deepEqual(problems, []);
    for (const { path, schema } of SETTINGS.filter((setting) => setting.default !== null && !setting.isList)) {
      assert.ok(v.is(schema, flat[path]), path);
    }
  });

  it('carry every row of the table, nested by path', () => {
    const settings = buildSettings(resolveSettings([], '/').flat, new Map());

    for (const { path, default: value } of SETTINGS) {
      const [first = path, second] = path.split('.');
      const group: unknown = Reflect.get(settings, first);
      assert.deepEqual(second === undefined ? group : Reflect.get(Object(group), second), value, path);
    }
  });

  it('are frozen down to the last endpoint', () => {
    const { values } = flagValues(new Map([['management.endpoints', 'unix:/run/a']]));
    const settings = buildSettings(resolveSettings(values, '/').flat, new Map([['/x', new Secret('x')]]));
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      assert.ok(Object.isFrozen(value), inspect(value));
      Object.values(value).forEach(walk);
    };

    walk(settings);
    assert.throws(() => Reflect.apply(Array.prototype.push, settings.management.endpoints, ['x']), TypeError);
  });

  it('can be printed as a file that gives the same settings', () => {
    const { flat } = resolveSettings(flagValues(new Map([['management.endpoints', 'tcp:[::1]:7505']])).values, '/');

    assert.deepEqual(toPlainSettings(flat)['management'], {
      endpoints: ['tcp:[::1]:7505'],
      passwordFile: null,
      connectTimeoutMs: 5000,
      commandTimeoutMs: 5000,
      snapshotIntervalMs: 30_000,
      pollIntervalMs: 5000,
      backoffMinMs: 250,
      backoffMaxMs: 10_000,
      role: 'auto',
    });
    assert.deepEqual(toPlainSettings(flat)['mark'], { mask: '0xff000000' });
  });

  it('write an endpoint as it is read', () => {
    for (const text of [
      'unix:/run/openvpn/management.sock',
      'tcp:127.0.0.1:7505',
      'tcp:[fe80::1]:1',
      'tcp:vpn.example:7505',
    ]) {
      const endpoint = parseEndpoint(text);
      assert.ok(endpoint);
      assert.equal(formatEndpoint(endpoint), text);
    }
  });

  it('never show a secret', () => {
    const secret = new Secret('hunter2');

    assert.equal(secret.reveal(), 'hunter2');
    for (const shown of [
      String(secret),
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ deep: [secret] }, { showHidden: true }),
    ]) {
      assert.doesNotMatch(shown, /hunter2/);
    }
  });
});
