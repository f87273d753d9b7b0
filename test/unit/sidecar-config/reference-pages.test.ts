import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { referencePages } from '../../../sidecar/cli/reference-pages.js';
import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { yamlValues } from '../../../sidecar/config/yaml-source.js';
import { SETTINGS } from '../../../sidecar/config/table.js';
import { ERROR_CODES } from '../../../sidecar/errors.js';
import { LOG_EVENTS } from '../../../sidecar/log/events.js';

// Compiled files lie in dist/test/unit/sidecar-config.
const DIRECTORY = new URL('../../../../docs/reference/', import.meta.url);

function storedPage(file: string): string {
  return readFileSync(new URL(file, DIRECTORY), 'utf8');
}

describe('reference pages', () => {
  for (const { file, text } of referencePages()) {
    it(`agree with the code: docs/reference/${file}`, () => {
      const isFresh = storedPage(file) === text;

      assert.ok(isFresh, `docs/reference/${file} is stale: npm run docs`);
    });
  }

  it('name every setting, error and event', () => {
    const settings = storedPage('settings.md');
    for (const { path, flag, env } of SETTINGS) assert.ok([path, flag, env].every((name) => settings.includes(`\`${name}\``)), path);
    for (const code of Object.keys(ERROR_CODES)) assert.ok(storedPage('errors.md').includes(`\`${code}\``), code);
    for (const event of Object.keys(LOG_EVENTS)) assert.ok(storedPage('log-events.md').includes(`\`${event}\``), event);
  });

  it('show a complete file that the sidecar takes, and that holds the defaults', () => {
    const example = /```yaml\n([^`]+)```/.exec(storedPage('settings.md'))?.[1] ?? '';

    const { values, problems } = yamlValues(example, 'example');
    const resolved = resolveSettings(values, '/');

    assert.deepEqual([...problems, ...resolved.problems], []);
    for (const { path, default: value } of SETTINGS.filter((setting) => setting.path !== 'management.endpoints')) {
      assert.deepEqual(resolved.flat[path], value, path);
    }
    const named = new Set(values.map(({ path }) => path));
    assert.deepEqual(SETTINGS.map(({ path }) => path).filter((path) => !named.has(path)), ['management.passwordFile', 'uplink']);
  });
});
