/** What a guide tells to type is understood, and what it tells to write into a file is taken. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { yamlValues } from '../../../sidecar/config/yaml-source.js';
import { fencedBlocks, guideFiles, gwmarkCommands, isInProject, readGuide, shellWords } from '../../lab/guide.js';
import { type Typed, typeCommand } from '../../lab/typed-command.js';

/** Files that a command line names, as the test has them. */
interface Files {
  readonly config: string;
  readonly password: string;
  /** Of `gwmark web`. */
  readonly token: string;
}

// Of the project itself.
const PACKAGE = JSON.parse(readGuide('package.json')) as { readonly scripts: Readonly<Record<string, string>> };

/** What stands for something that the reader knows. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  SRC: '198.51.100.2',
  DST: '10.8.0.2',
  DEVICE: 'lan0',
  OLD: '02:00:00:00:00:01',
  NEW: '02:00:00:00:00:02',
};

/** Types the line, with the files of the test in place of those that it names. */
async function typed(line: string, files: Files): Promise<Typed> {
  const [, ...argv] = shellWords(line).map((word, index, words) => {
    if (words[index - 1] === '--config' || words[index - 1] === '-c') return files.config;
    if (words[index - 1] === '--management-password-file') return files.password;
    if (words[index - 1] === '--token-file') return files.token;
    return PLACEHOLDERS[word] ?? word;
  });
  return typeCommand(argv, files.config);
}

describe('guides', () => {
  let directory: string;
  let files: Files;
  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'gwmark-guides-'));
    files = {
      config: path.join(directory, 'gwmark.yaml'),
      password: path.join(directory, 'password'),
      token: path.join(directory, 'token'),
    };
    await writeFile(
      files.config,
      'management: unix:/nonexistent/management.sock\ncontrolSocket: /nonexistent/gwmark.sock\n',
    );
    await writeFile(files.password, 'open sesame\n');
    await writeFile(files.token, '0123456789abcdef\n', { mode: 0o600 });
  });
  after(async () => await rm(directory, { recursive: true }));

  for (const file of guideFiles()) {
    it(`name commands that gwmark understands: ${file}`, async () => {
      const lines = [...new Set(gwmarkCommands(readGuide(file)))];

      for (const line of lines) {
        const { code, stderr } = await typed(line, files);

        // What is named in passing lacks arguments, and only that.
        const isNamed = /missing required argument/.test(stderr);
        assert.ok(code !== 2 || isNamed, `${line}: ${stderr}`);
      }
      if (file.endsWith('one-arm.md'))
        assert.ok(lines.length >= 6, 'the guide has its commands where this test finds them');
    });

    it(`show YAML that gwmark takes: ${file}`, () => {
      for (const { language, text } of fencedBlocks(readGuide(file)).filter(({ language: name }) => name === 'yaml')) {
        // A file of docker compose, or of anything else, says so by another word.
        const { values, problems } = yamlValues(text, file);

        assert.deepEqual([...problems, ...resolveSettings(values, '/').problems], [], `${language}: ${text}`);
        assert.ok(values.length > 0, text);
      }
    });
  }

  for (const file of guideFiles()) {
    it(`lead to pages and scripts that there are: ${file}`, () => {
      const page = readGuide(file);
      const links = [...page.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !target.includes(':'));
      const scripts = [...page.matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g)].map(([, name = '']) => name);

      assert.deepEqual(
        links.filter((target) => !isInProject(path.join(path.dirname(file), target))),
        [],
      );
      assert.deepEqual(
        scripts.filter((name) => !(name in PACKAGE.scripts)),
        [],
      );
    });
  }

  it('are all in the README', () => {
    const readme = readGuide('README.md');

    for (const file of guideFiles().filter((name) => name !== 'README.md'))
      assert.ok(readme.includes(`](${file})`), file);
  });

  it('count every page of a decision', async () => {
    const index = readGuide('docs/decisions/README.md');
    const pages = (await readdir(new URL('../../../../docs/decisions/', import.meta.url))).filter(
      (name) => name !== 'README.md',
    );

    assert.deepEqual(
      pages.filter((name) => !index.includes(`](${name})`)),
      [],
    );
  });

  it('show a flag of several words with its blanks', async () => {
    assert.match((await typed('gwmark run --help', files)).stdout, /--uplink <DEVICE MAC\|DEVICE ADDRESS>/);
  });

  it('and the help of each command have examples that gwmark understands', async () => {
    const { stdout } = await typed('gwmark --help', files);
    const names = [...stdout.matchAll(/^ {2}([a-z]+)\b.*$/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'help' && name !== 'gwmark');
    assert.ok(names.includes('doctor') && names.includes('trace'), names.join(' '));
    for (const name of names) {
      const help = (await typed(`gwmark ${name} --help`, files)).stdout;
      const examples = help
        .slice(help.indexOf('Examples:'))
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line.startsWith('gwmark '));
      assert.ok(examples.length > 0, `${name} has examples`);
      for (const example of examples) {
        const { code, stderr } = await typed(example, files);

        assert.notEqual(code, 2, `${example}: ${stderr}`);
      }
    }
  });
});
