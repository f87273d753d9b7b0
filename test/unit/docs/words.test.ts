import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { readGuide } from '../../lab/guide.js';

const SCRIPT = fileURLToPath(new URL('../../../../scripts/check-words.mjs', import.meta.url));

/** The rows of the table in docs/STYLE.md, without its head. */
const ROWS = [...readGuide('docs/STYLE.md').matchAll(/^\| (?!not |-)([^|]+) \| ([^|]+) \|$/gm)].map(
  ([, not = '', instead = '']) => ({ not, instead }),
);

describe('scripts/check-words.mjs', () => {
  let directory: string;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'gwmark-words-'));
  });
  after(async () => await rm(directory, { recursive: true }));

  async function check(text: string): Promise<{ readonly code: number; readonly stdout: string }> {
    const file = path.join(directory, 'text.md');
    await writeFile(file, text);
    return await new Promise((resolve) => {
      execFile(process.execPath, [SCRIPT, file], (error, stdout) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout }),
      );
    });
  }

  it('finds each word of the table in docs/STYLE.md, and says what to write', async () => {
    const words = ROWS.flatMap(({ not, instead }) => not.split(', ').map((word) => ({ word, instead })));
    assert.ok(words.length >= 15);

    const { code, stdout } = await check(words.map(({ word }) => `the rules ${word} x\n`).join(''));

    assert.equal(code, 1);
    words.forEach(({ word, instead }, index) => {
      const found = stdout.split('\n').filter((line) => line.includes(`text.md:${index + 1}: `));
      assert.ok(
        found.some((line) => line.includes(instead.split(',')[0] ?? '')),
        `${word}: ${stdout}`,
      );
    });
  });

  it('finds inflected forms, and no other words that contain them', async () => {
    assert.equal((await check('it mended the table and was healing it')).code, 1);
    assert.deepEqual(await check('amend the standard; a health check; stands for; bearable'), { code: 0, stdout: '' });
  });

  it('leaves out a line that says that its word is right', async () => {
    assert.equal((await check('prints "somebody" <!-- style: right -->')).code, 0);
  });
});
