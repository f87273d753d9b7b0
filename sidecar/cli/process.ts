import { readFile } from 'node:fs/promises';

import type { Commands } from './commands.js';
import type { CliIo, TextOutput } from './io.js';
import { runCli } from './program.js';

/**
 * Runs the command line of this process with its real streams and signals, then ends the process. Called once, by
 * `main.ts`.
 */
export async function runProcess(commands: Commands): Promise<never> {
  let outputFault: Error | undefined;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader (`head`, a pager) closed the pipe.
    if (error.code !== 'EPIPE') outputFault = error;
  });
  // Standard error is closed, so this cannot be reported; the daemon continues.
  process.stderr.on('error', () => undefined);

  let exitCode: number;
  try {
    exitCode = await runCli(process.argv.slice(2), processIo(), commands);
  } catch (error) {
    exitCode = 1;
    process.stderr.write(`gwmark: internal fault: ${error instanceof Error ? error.stack : String(error)}\n`);
  }

  await flushed(process.stdout);
  if (outputFault !== undefined) {
    exitCode = 1;
    process.stderr.write(`gwmark: cannot write to standard output: ${outputFault.message}\n`);
  }
  await flushed(process.stderr);
  // Not left to the event loop: a handle that was forgotten must not keep a stopped service alive.
  process.exit(exitCode);
}

function processIo(): CliIo {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    workingDirectory: workingDirectory(),
    now: () => Date.now(),
    readProcStatus: () => readFile('/proc/self/status', 'utf8').catch(() => undefined),
    onSignal: (signal, listener) => {
      process.on(signal, listener);
      return { [Symbol.dispose]: () => void process.off(signal, listener) };
    },
    stdin: () => process.stdin,
    onExit: (listener) => {
      process.on('exit', listener);
      return { [Symbol.dispose]: () => void process.off('exit', listener) };
    },
    // SIGSTOP and not SIGTSTP, for which there is a listener.
    suspend: () => void process.kill(process.pid, 'SIGSTOP'),
    exitNow: (code) => process.exit(code),
  };
}

/**
 * Where relative paths begin. A directory that was removed, or is out of reach, is no reason to refuse a command that
 * names none.
 */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return '/';
  }
}

/** Resolves when everything written so far has left the process, or never can. */
function flushed(output: TextOutput): Promise<void> {
  return new Promise((resolve) => {
    output.write('', () => resolve());
  });
}
