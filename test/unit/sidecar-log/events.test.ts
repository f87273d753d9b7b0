/** The table of log events holds what is logged, and nothing else. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

import { LOG_EVENTS } from '../../../sidecar/log/events.js';

// Compiled files lie in dist/test/unit/sidecar-log.
const SIDECAR = new URL('../../../../sidecar/', import.meta.url);

/** Events that some call of a logger names, each with the level of that call. The compiler refuses unknown ones. */
function loggedEvents(): ReadonlyMap<string, string> {
  const files = readdirSync(SIDECAR, { recursive: true, encoding: 'utf8' });
  const sources = files
    .filter((file) => file.endsWith('.ts') && !file.startsWith('log/'))
    .map((file) => readFileSync(new URL(file, SIDECAR), 'utf8'));
  const calls = sources.flatMap((source) => [...source.matchAll(/\.(error|warn|info|debug)\(\s*'([\w.]+)'/g)]);
  return new Map(calls.map(([, level = '', event = '']) => [event, level]));
}

describe('log events', () => {
  it('of the table are logged somewhere, each at its level', () => {
    const expected = Object.entries(LOG_EVENTS).map(([event, { level }]) => [event, level] as const);

    const logged = loggedEvents();

    assert.ok(expected.length > 50, 'the table was read');
    assert.deepEqual(
      expected.filter(([event, level]) => logged.get(event) !== level),
      [],
    );
  });
});
