import { spawn } from 'node:child_process';

export interface ExecOptions {
  /** Text for standard input. */
  readonly input?: string;
  /** Milliseconds until the program is killed; default 10000. */
  readonly timeoutMs?: number;
}

export interface ExecResult {
  /** Null when a signal ended the program. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** More output than this is cut off: no program that we run prints as much unless something is wrong with it. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Runs a program to its end, in the C locale so that messages can be told apart.
 *
 * Rejects only when the program cannot be started (`ENOENT` and the like) or takes too long; a bad exit code is a result.
 */
export function exec(command: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const { input, timeoutMs = 10_000 } = options;
  return new Promise((resolve, reject) => {
    // A group of its own: Ctrl-C in a terminal must not end what is under way.
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' }, detached: true });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let size = 0;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_OUTPUT_BYTES) into.push(chunk);
    };
    child.stdout.on('data', collect(stdout));
    child.stderr.on('data', collect(stderr));
    // A program that ends without reading its input is no fault of ours; its exit code tells.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      if (isLate) reject(new Error(`${command} ${args.join(' ')}: no end within ${timeoutMs} ms`));
      else resolve({ exitCode, stdout: Buffer.concat(stdout).toString('utf8'), stderr: Buffer.concat(stderr).toString('utf8') });
    });
    child.stdin.end(input ?? '');
  });
}
