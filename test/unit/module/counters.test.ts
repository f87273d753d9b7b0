import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';

const HEADER = readFileSync('module/include/uapi/gwmark.h', 'utf8');
const NAMES = [...HEADER.matchAll(/\bX\(([a-z_]+)\)/g)].map((match) => match[1] ?? '');
/** The counters that, according to the manual, no test can increment. */
const EXCUSED =
  /The tests of test\/vm increment each of these[^:]*, except what does not happen there:([\s\S]*?)\*\//.exec(
    HEADER,
  )?.[1] ?? '';
const SCRIPTS = readdirSync('test/vm')
  .filter((name) => /\.(sh|mjs)$/.test(name))
  .map((name) => readFileSync(`test/vm/${name}`, 'utf8'))
  .join('\n');

describe('counters of the kernel module', () => {
  it('has names', () => {
    assert.ok(NAMES.length > 60);
  });

  for (const name of NAMES)
    it(`${name} is incremented by a test of test/vm, or the manual says why not`, () => {
      const isMoved = new RegExp(`\\b${name}\\b`).test(SCRIPTS);
      const isExcused = new RegExp(`\\b${name}\\b`).test(EXCUSED);

      assert.notEqual(isMoved, isExcused, `moved: ${isMoved}, excused: ${isExcused}`);
    });
});
