/** What a guide tells to type is understood, and what it tells to write into a file is taken. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';

import type { Commands } from '../../../sidecar/cli/commands.js';
import { runCli } from '../../../sidecar/cli/program.js';
import { resolveSettings } from '../../../sidecar/config/resolve.js';
import { yamlValues } from '../../../sidecar/config/yaml-source.js';
import { fencedBlocks, guideFiles, gwmarkCommands, readGuide, shellWords } from '../../lab/guide.js';

/** Nothing is done: a command line that gets this far was understood. */
const COMMANDS: Commands = {
  runDaemon: async () => undefined,
  bringDown: async () => ({ removed: [] }),
  diagnose: async () => [],
  trace: async (_settings, query) => ({ query, goesByMac: true, steps: [], sentence: '' }),
};

/** Files that a command line names, as the test has them. */
interface Files {
  readonly config: string;
  readonly password: string;
}

/** The exit code and what was printed. */
async function typed(line: string, files: Files): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const [, ...argv] = shellWords(line).map((word, index, words) => {
    if (words[index - 1] === '--config' || words[index - 1] === '-c') return files.config;
    return words[index - 1] === '--management-password-file' ? files.password : word;
  });
  const [stdout, stderr] = [new Collector(), new Collector()];
  const code = await runCli(argv, {
    stdout,
    stderr,
    env: {},
    workingDirectory: path.dirname(files.config),
    defaultConfigFile: files.config,
    now: () => 0,
    readProcStatus: async () => undefined,
    onSignal: () => ({ [Symbol.dispose]: () => undefined }),
    exitNow: () => assert.fail('exitNow'),
  }, COMMANDS);
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe('guides', () => {
  let directory: string;
  let files: Files;
  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'gwmark-guides-'));
    files = { config: path.join(directory, 'gwmark.yaml'), password: path.join(directory, 'password') };
    await writeFile(files.config, 'management: unix:/nonexistent/management.sock\ncontrolSocket: /nonexistent/gwmark.sock\n');
    await writeFile(files.password, 'open sesame\n');
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
      if (file.endsWith('one-arm.md')) assert.ok(lines.length >= 6, 'the guide has its commands where this test finds them');
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

  it('and the help of each command have examples that gwmark understands', async () => {
    const { stdout } = await typed('gwmark --help', files);
    const names = [...stdout.matchAll(/^ {2}([a-z]+)\b.*$/gm)].map(([, name = '']) => name).filter((name) => name !== 'help' && name !== 'gwmark');
    assert.ok(names.includes('doctor') && names.includes('trace'), names.join(' '));
    for (const name of names) {
      const help = (await typed(`gwmark ${name} --help`, files)).stdout;
      const examples = help.slice(help.indexOf('Examples:')).split('\n').map((line) => line.trim()).filter((line) => line.startsWith('gwmark '));
      assert.ok(examples.length > 0, `${name} has examples`);
      for (const example of examples) {
        const { code, stderr } = await typed(example, files);

        assert.notEqual(code, 2, `${example}: ${stderr}`);
      }
    }
  });
});
