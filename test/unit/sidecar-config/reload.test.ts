import assert from 'node:assert/strict';

import { buildSettings } from '../../../sidecar/config/settings.js';
import type { LoadedConfig } from '../../../sidecar/config/load.js';
import { planReload, RELOADABLE } from '../../../sidecar/config/reload.js';
import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { flagValues } from '../../../sidecar/config/sources.js';
import type { SettingPath } from '../../../sidecar/config/table.js';
import { Secret } from 'openvpn-management-client';

function loaded(values: Partial<Record<SettingPath, string>>, password?: string): LoadedConfig {
  const { flat, origins } = resolveSettings(
    flagValues(new Map(Object.entries(values)) as Map<SettingPath, string>).values,
    '/',
  );
  return {
    ok: true,
    settings: buildSettings(flat, password === undefined ? new Map() : new Map([['/password', new Secret(password)]])),
    flat,
    origins,
    configFile: null,
  };
}

describe('planReload', () => {
  it('finds nothing in a configuration that says the same', () => {
    const plan = planReload(
      loaded({ 'management.endpoints': 'unix:/run/a' }),
      loaded({ 'management.endpoints': 'unix:/run/a' }),
    );

    assert.deepEqual([plan.applied, plan.pending], [[], []]);
  });

  it('takes over what can change, and keeps the rest until a restart', () => {
    const before = loaded({ 'management.endpoints': 'unix:/run/a', table: 'one' });
    const after = loaded({
      'management.endpoints': 'unix:/run/a,unix:/run/b',
      table: 'two',
      'log.level': 'debug',
      'log.format': 'json',
    });

    const plan = planReload(before, after);

    assert.deepEqual(plan.applied, ['management.endpoints', 'log.level']);
    assert.deepEqual(plan.pending, ['table', 'log.format']);
    assert.equal(plan.settings.management.endpoints.length, 2);
    assert.deepEqual(
      [plan.settings.table, plan.settings.log.level, plan.settings.log.format],
      ['one', 'debug', 'auto'],
    );
  });

  it('compares the next time with what is in force, so that a setting that waits is named again', () => {
    const after = loaded({ table: 'two', hold: 'leave' });

    const second = planReload(planReload(loaded({}), after), after);

    assert.deepEqual([second.applied, second.pending], [[], ['table']]);
  });

  it('takes another password from the same file', () => {
    const plan = planReload(loaded({}, 'old'), loaded({}, 'new'));

    assert.deepEqual(plan.pending, []);
    assert.equal(plan.settings.management.passwords.get('/password')?.reveal(), 'new');
  });

  it('never changes a setting that rules, marks, routes or sockets were made by', () => {
    for (const path of [
      'table',
      'mark.mask',
      'routing.tableBase',
      'gateways.max',
      'controlSocket',
      'datapath',
    ] as const)
      assert.ok(!RELOADABLE.has(path), path);
  });
});
