import { spawn } from 'node:child_process';

export interface ExecOptions {
  /** Text for standard input. */
  readonly input?: string;
  /** Milliseconds until the program is killed; default 30000. */
  readonly timeoutMs?: number;
  /** Most bytes that the program may print, standard output and error together; default 64 MiB. */
  readonly maxOutputBytes?: number;
}

export interface ExecResult {
  /** Null when a signal ended the program. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What may be longer is read line by line instead, by `programLines`. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Runs a program to its end, in the C locale so that messages can be recognised.
 *
 * Rejects only when the program cannot be started (`ENOENT` and the like), takes too long or prints too much: a part
 * of a listing is never taken for the whole. A bad exit code is a result.
 */
export function exec(command: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const { input, timeoutMs = 30_000, maxOutputBytes = MAX_OUTPUT_BYTES } = options;
  return new Promise((resolve, reject) => {
    // A group of its own: Ctrl-C in a terminal must not end what is under way.
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
      detached: true,
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let size = 0;
    let stopped: string | null = null;
    const stop = (reason: string): void => {
      stopped ??= reason;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => stop(`no end within ${timeoutMs} ms`), timeoutMs);
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxOutputBytes) into.push(chunk);
      else stop(`more than ${maxOutputBytes} bytes of output`);
    };
    child.stdout.on('data', collect(stdout));
    child.stderr.on('data', collect(stderr));
    // A program may end without reading its input; its exit code matters.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      if (stopped !== null) reject(new Error(`${command} ${args.join(' ')}: ${stopped}`));
      else
        resolve({
          exitCode,
          stdout: Buffer.concat(stdout).toString('utf8'),
          stderr: Buffer.concat(stderr).toString('utf8'),
        });
    });
    child.stdin.end(input ?? '');
  });
}
