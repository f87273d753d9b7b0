import assert from 'node:assert/strict';
import path from 'node:path';
import { Writable } from 'node:stream';

import type { Commands } from '../../sidecar/cli/commands.js';
import { runCli } from '../../sidecar/cli/program.js';

/** What a command line printed, and its exit code. */
export interface Typed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Commands that do nothing: a command line that gets this far was understood. */
export const NO_COMMANDS: Commands = {
  runDaemon: async () => undefined,
  bringDown: async () => ({ removed: [] }),
  diagnose: async () => [],
  serveWeb: async () => undefined,
  trace: async (_settings, query) => ({ query, goesByMac: true, steps: [], sentence: 'it does', instead: null }),
  openFlows: async () => ({ datapath: 'nexthop', isSidecarRunning: false, gateways: new Map(), flows: noFlows }),
};

/**
 * Runs a command line in this process, with no environment and as root. @param configFile in place of the one in /etc
 */
export async function typeCommand(
  argv: readonly string[],
  configFile: string,
  commands: Commands = NO_COMMANDS,
): Promise<Typed> {
  const [stdout, stderr] = [new Collector(), new Collector()];
  const code = await runCli(
    argv,
    {
      stdout,
      stderr,
      env: {},
      workingDirectory: path.dirname(configFile),
      defaultConfigFile: configFile,
      now: () => 0,
      readProcStatus: async () => undefined,
      onSignal: (signal, listener) => {
        // Whoever typed a command that stays leaves at once; no other command listens for this one.
        if (signal === 'SIGQUIT') setImmediate(listener);
        return { [Symbol.dispose]: () => undefined };
      },
      stdin: () => assert.fail('stdin'),
      onExit: () => ({ [Symbol.dispose]: () => undefined }),
      suspend: () => assert.fail('suspend'),
      exitNow: () => assert.fail('exitNow'),
    },
    commands,
  );
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

async function* noFlows(): AsyncGenerator<never, void> {}
