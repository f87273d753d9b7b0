/** What is found of the machine's processes. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MODULE = new URL('../../../sidecar/discovery/processes.js', import.meta.url).href;

describe('readProcesses', () => {
  const others: ChildProcess[] = [];
  after(() => others.map((other) => other.kill()));

  it('misses none where more processes run than it may have files open', async () => {
    const started = Array.from({ length: 150 }, () => spawn('sleep', ['1000'], { stdio: 'ignore' }));
    others.push(...started);
    const script = `const { readProcesses } = await import(${JSON.stringify(MODULE)});
      console.log(JSON.stringify((await readProcesses()).map(({ pid }) => pid)));`;

    // Node itself has some twenty open.
    const { stdout } = await run('prlimit', [
      '--nofile=90:90',
      process.execPath,
      '--input-type=module',
      '--eval',
      script,
    ]);

    const found = new Set(JSON.parse(stdout) as number[]);
    assert.deepEqual(
      started.map(({ pid }) => pid).filter((pid) => pid === undefined || !found.has(pid)),
      [],
    );
  });
});
