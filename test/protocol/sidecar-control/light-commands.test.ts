/**
 * What a command loads decides how soon it starts. V8's coverage names every file that a process ran, on each version
 * of Node.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { serveStatus } from './serve-status.js';
import { TemporaryDirectory } from './temporary-directory.js';

// Compiled files lie in dist/test/protocol/sidecar-control.
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
/** Libraries that no light command needs, and what each is for. */
const COMMANDER = 'node_modules/commander';
const PLAIN = new Set([
  'bin',
  'dist/sidecar',
  'dist/sidecar/cli',
  'dist/sidecar/config',
  'dist/sidecar/log',
  COMMANDER,
]);
/** With the settings, and the client of the control socket. */
const READING = new Set([
  ...PLAIN,
  'dist/sidecar/control',
  'dist/rules',
  'packages/openvpn-management-client/dist',
  'node_modules/ipaddr.js',
  'node_modules/valibot',
]);
/** Files of ours: 20 of them take about 10 ms. */
const MOST_FILES = 48;

interface Coverage {
  readonly result: readonly { readonly url: string }[];
}

describe('a light command', () => {
  for (const argv of [['--help'], ['--version'], ['nonsense']])
    it(`loads the list of commands and no command: gwmark ${argv.join(' ')}`, async () => {
      const files = await filesLoadedBy(argv);

      assert.deepEqual(strangersAmong(files, PLAIN), []);
      assert.deepEqual(
        files.filter((file) => /-commands?\.js$/.test(file)),
        [],
      );
    });

  for (const argv of [
    ['status'],
    ['status', '--json'],
    ['clients'],
    ['gateways'],
    ['status', '--help'],
    ['move', '--help'],
  ])
    it(`loads no daemon, no firewall, no log and no parser of files: gwmark ${argv.join(' ')}`, async () => {
      const files = await filesLoadedBy(argv);

      assert.deepEqual(strangersAmong(files, READING), []);
      const ours = files.filter((file) => !file.startsWith('node_modules/'));
      assert.ok(ours.length <= MOST_FILES, `${ours.length} files:\n${ours.join('\n')}`);
    });

  it('loads the interface of OpenVPN for its addresses only', async () => {
    const files = await filesLoadedBy(['status']);

    assert.deepEqual(
      files.filter((file) => file.startsWith('packages/')),
      ['packages/openvpn-management-client/dist/endpoint.js'],
    );
  });
});

/** Files that are in none of these folders; of a library, the folder is that of its package. */
function strangersAmong(files: readonly string[], folders: ReadonlySet<string>): readonly string[] {
  return files.filter((file) => {
    const parts = file.split('/');
    return !folders.has(parts.slice(0, parts[0] === 'node_modules' ? 2 : -1).join('/'));
  });
}

/** The files of this project, and of libraries, that a command loads; relative to the project. A sidecar answers it. */
async function filesLoadedBy(argv: readonly string[]): Promise<readonly string[]> {
  await using directory = await TemporaryDirectory.open();
  await using server = await serveStatus(directory.file('control.sock'));
  const child = spawn(process.execPath, [`${ROOT}bin/gwmark`, ...argv], {
    env: {
      PATH: process.env['PATH'],
      GWMARK_CONFIG: '/dev/null',
      GWMARK_CONTROL_SOCKET: server.path,
      NODE_V8_COVERAGE: directory.file('coverage'),
    },
    stdio: 'ignore',
  });
  await once(child, 'exit');
  const [name = 'none'] = await readdir(directory.file('coverage'));
  // The format is that of the inspector's Profiler.takePreciseCoverage.
  const { result } = JSON.parse(await readFile(directory.file(`coverage/${name}`), 'utf8')) as Coverage;
  return result
    .filter(({ url }) => url.startsWith('file:'))
    .map(({ url }) => fileURLToPath(url).replace(ROOT, ''))
    .toSorted();
}
