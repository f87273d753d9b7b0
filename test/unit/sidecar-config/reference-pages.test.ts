import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { IPTABLES_ERROR_CODES } from 'iptables-wrapper';
import { NFT_ERROR_CODES } from 'nftables-json';
import { MANAGEMENT_ERROR_CODES } from 'openvpn-management-client';

import { COMMAND_EXIT_CODES, EXIT_CODES } from '../../../sidecar/cli/exit-codes.js';
import { referencePages } from '../../../sidecar/cli/reference-pages.js';
import { COMMON_SETTINGS } from '../../../sidecar/cli/setting-flags.js';
import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { yamlValues } from '../../../sidecar/config/yaml-source.js';
import { SETTINGS } from '../../../sidecar/config/table.js';
import { CHECKS } from '../../../sidecar/doctor/checks.js';
import { ERROR_CODES } from '../../../sidecar/errors.js';
import { LOG_EVENTS } from '../../../sidecar/log/events.js';
import { METRICS } from '../../../sidecar/metrics/table.js';
import { TRACE_STEPS } from '../../../sidecar/trace/trace.js';

// Compiled files lie in dist/test/unit/sidecar-config.
const ROOT = new URL('../../../../', import.meta.url);
const DIRECTORY = new URL('docs/reference/', ROOT);
const PACKAGES = {
  'openvpn-management-client': MANAGEMENT_ERROR_CODES,
  'nftables-json': NFT_ERROR_CODES,
  'iptables-wrapper': IPTABLES_ERROR_CODES,
};

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

  it('name every setting, error, exit code, event, metric, check and step', () => {
    const settings = storedPage('settings.md');
    for (const { path, flag, env } of SETTINGS)
      assert.ok(
        [path, flag, env].every((name) => settings.includes(`\`${name}\``)),
        path,
      );
    for (const code of Object.keys(ERROR_CODES)) assert.ok(storedPage('errors.md').includes(`\`${code}\``), code);
    for (const [code, meaning] of Object.entries(EXIT_CODES))
      assert.ok(storedPage('exit-codes.md').includes(`| ${code} | ${meaning} |`), code);
    const exitCodes = storedPage('exit-codes.md').split('\n');
    for (const [name, codes] of Object.entries(COMMAND_EXIT_CODES)) {
      const row = exitCodes.find((line) => line.startsWith(`| \`${name}\` |`)) ?? '';
      for (const meaning of Object.values(codes)) assert.ok(row.includes(`| ${meaning} |`), `${name}: ${meaning}`);
    }
    for (const { exitCode } of Object.values(ERROR_CODES)) assert.ok(exitCode in EXIT_CODES, String(exitCode));
    for (const { name } of CHECKS) assert.ok(storedPage('doctor.md').includes(`\`${name}\``), name);
    for (const event of Object.keys(LOG_EVENTS))
      assert.ok(storedPage('log-events.md').includes(`\`${event}\``), event);
    for (const name of Object.keys(METRICS)) assert.ok(storedPage('metrics.md').includes(`\`${name}\``), name);
    for (const step of Object.keys(TRACE_STEPS)) assert.ok(storedPage('trace.md').includes(`\`${step}\``), step);
  });

  it('have each setting once, those that the help shows first', () => {
    const rows = [...storedPage('settings.md').matchAll(/^\| `([a-zA-Z.]+[0-9]?)` \|/gm)].map(([, path = '']) => path);

    assert.deepEqual(rows.toSorted(), SETTINGS.map(({ path }) => path).toSorted());
    assert.deepEqual(rows.slice(0, COMMON_SETTINGS.length), [...COMMON_SETTINGS]);
  });

  for (const [name, codes] of Object.entries(PACKAGES)) {
    it(`and the README of ${name} name every code of its errors`, () => {
      const readme = readFileSync(new URL(`packages/${name}/README.md`, ROOT), 'utf8');
      const section = readme.slice(readme.indexOf('\n## Errors\n'));

      for (const [code, meaning] of Object.entries(codes)) {
        assert.ok(storedPage('errors.md').includes(`| \`${code}\` | ${meaning.replaceAll('|', '\\|')} |`), code);
        assert.match(section, new RegExp(`^\\|[^|]*\\b${code}\\b[^|]*\\|`, 'm'), code);
      }
    });
  }

  it('show a complete file that the sidecar takes, and that holds the defaults', () => {
    const example = /```yaml\n([^`]+)```/.exec(storedPage('settings.md'))?.[1] ?? '';

    const { values, problems } = yamlValues(example, 'example');
    const resolved = resolveSettings(values, '/');

    assert.deepEqual([...problems, ...resolved.problems], []);
    for (const { path, default: value } of SETTINGS.filter((setting) => setting.path !== 'management.endpoints')) {
      assert.deepEqual(resolved.flat[path], value, path);
    }
    const named = new Set(values.map(({ path }) => path));
    assert.deepEqual(
      SETTINGS.map(({ path }) => path).filter((path) => !named.has(path)),
      ['management.passwordFile', 'uplink'],
    );
  });
});
