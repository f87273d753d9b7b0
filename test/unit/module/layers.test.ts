import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What `npm run lint` says of the layers of the module in the directory. */
function check(directory: string): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, ['scripts/module-layers.mjs', directory], { encoding: 'utf8' });
}

describe('scripts/module-layers.mjs', () => {
  let copy: string;

  beforeEach(() => {
    copy = mkdtempSync(join(tmpdir(), 'gwmark-layers-'));
    cpSync('module', copy, { recursive: true });
  });

  afterEach(() => {
    rmSync(copy, { recursive: true });
  });

  it('finds no call upward in the module', () => {
    assert.deepEqual(check('module').stderr, '');
    assert.equal(check('module').status, 0);
  });

  it('refuses a call upward', () => {
    appendFileSync(join(copy, 'stats.c'), 'static int up(struct gwmark_net *gn)\n{\n\treturn gwmark_attach(gn);\n}\n');

    assert.equal(check(copy).status, 1);
    assert.match(check(copy).stderr, /stats\.c uses gwmark_attach\(\) of attach\.c/);
  });

  it('refuses a call within a row, but for what a semicolon puts below', () => {
    appendFileSync(join(copy, 'learn.c'), 'static void *aside = gwmark_hear_arp;\n');

    assert.match(check(copy).stderr, /learn\.c uses gwmark_hear_arp\(\) of hear\.c/);
    assert.doesNotMatch(check(copy).stderr, /send4\.c uses gwmark_send_frame/);
  });

  it('refuses a file that has no layer', () => {
    writeFileSync(join(copy, 'other.c'), 'int gwmark_other(void)\n{\n\treturn 0;\n}\n');

    assert.match(check(copy).stderr, /other\.c is in no layer/);
  });
});
