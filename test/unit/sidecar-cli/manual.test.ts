import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

import { COMMAND_EXIT_CODES, EXIT_CODES } from '../../../sidecar/cli/exit-codes.js';
import { manPages } from '../../../sidecar/cli/manual/man-pages.js';
import { describeCommandLine } from '../../../sidecar/cli/manual/write-man-pages.js';
import { SETTINGS } from '../../../sidecar/config/table.js';

// Compiled files lie in dist/test/unit/sidecar-cli.
const ROOT = new URL('../../../../', import.meta.url);
const DIRECTORY = new URL('docs/man/', ROOT);
const PROGRAM = await describeCommandLine();
const PAGES = manPages(PROGRAM);

/** As man(1) shows it, but for the line breaks. */
function plain(file: string): string {
  const text = PAGES.find((page) => page.file === file)?.text ?? assert.fail(file);
  return text.replaceAll(/\\f[BIR]|\\&/g, '').replaceAll(String.raw`\-`, '-');
}

describe('manual pages', () => {
  it('are as the command line has them (npm run docs)', () => {
    assert.deepEqual(
      readdirSync(DIRECTORY).toSorted(),
      PAGES.map(({ file }) => file).toSorted(),
      'docs/man has these files',
    );
    for (const { file, text } of PAGES) assert.equal(readFileSync(new URL(file, DIRECTORY), 'utf8'), text, file);
  });

  it('are those that package.json names, so that npm installs them', () => {
    const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { readonly man: string[] };

    assert.deepEqual(manifest.man, PAGES.map(({ file }) => `docs/man/${file}`).toSorted());
  });

  for (const command of Object.keys(COMMAND_EXIT_CODES))
    it(`gwmark-${command}(8) has its options and exit codes, and gwmark(8) names it`, () => {
      const { options } = PROGRAM.commands.find(({ name }) => name === command) ?? assert.fail(command);
      const page = plain(`gwmark-${command}.8`);

      for (const { long } of options.filter(({ isHidden }) => !isHidden))
        assert.match(page, new RegExp(String.raw`^(-\w, )?${long}\b`, 'm'));
      assert.match(page, /^\.SH "EXIT STATUS"$/m);
      assert.match(page, /^\.SH EXAMPLES$/m);
      assert.match(plain('gwmark.8'), new RegExp(String.raw`^gwmark-${command}\(8\)$`, 'm'));
    });

  it('gwmark(8) has every exit code', () => {
    for (const [code, meaning] of Object.entries(EXIT_CODES))
      assert.ok(plain('gwmark.8').includes(`.TP\n${code}\n${meaning}\n`), code);
  });

  it('gwmark.yaml(5) has every setting, with its flag and its variable', () => {
    const page = plain('gwmark.yaml.5');

    for (const { path, flag, env } of SETTINGS) {
      const at = page.indexOf(`\n.TP\n${path}: `);
      assert.ok(at >= 0, path);
      assert.match(page.slice(at + 1, page.indexOf('\n.TP', at + 1)), new RegExp(`Flag: ${flag}. Variable: ${env}.`));
    }
  });

  it('show a text that begins with a dot or a quote, or has a backslash, as it is', () => {
    const [page] = manPages({
      name: 'gwmark',
      summary: '',
      text: String.raw`.TH is \fB or \e`,
      arguments: [],
      options: [],
      sections: [{ title: 'Environment', lines: ["'quoted' is text"] }],
      commands: [],
    });

    assert.match(page?.text ?? '', /^\\fBgwmark\\fR \\&\.TH is \\efB or \\ee$/m);
    assert.match(page?.text ?? '', /^\\&'quoted' is text$/m);
  });
});
