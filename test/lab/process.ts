import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { patient } from './wait.js';

/** What a finished command left behind. */
export interface ExecResult {
  /** Exit status; 128 + n when signal n ended it, 127 when it could not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Bounds of one command. */
export interface ExecOptions {
  /** The command is killed after this many milliseconds. Default 20000. */
  readonly timeoutMs?: number;
  /** Text for the command's standard input. */
  readonly input?: string;
  /** Environment, instead of this process's own. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a command to its end and resolves with its outcome, whatever that is. */
export async function tryExec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error('exec: empty command');
  return await new Promise<ExecResult>((resolve) => {
    const child = execFile(
      file,
      args,
      {
        timeout: patient(options.timeoutMs ?? 20_000),
        maxBuffer: 64 << 20,
        killSignal: 'SIGKILL',
        env: options.env ?? process.env,
      },
      (error, stdout, stderr) => {
        resolve({ code: exitCodeOf(child, error), stdout, stderr: error && !stderr ? error.message : stderr });
      },
    );
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

/**
 * Runs a command to its end and resolves with its standard output.
 *
 * @throws Error with the command, its status and its error output when it does not exit with 0.
 */
export async function exec(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
  const result = await tryExec(argv, options);
  if (result.code !== 0) {
    throw new Error(`"${argv.join(' ')}" exited with ${result.code}: ${(result.stderr || result.stdout).trim()}`);
  }
  return result.stdout;
}

/** Whether a process exists and has not ended; one that only waits for its parent to notice its end is gone. */
export function isRunning(pid: number): boolean {
  try {
    // proc(5): the state follows the command's name, which is in parentheses and may hold anything.
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function exitCodeOf(child: ChildProcess, error: Error | null): number {
  if (error === null) return 0;
  if (child.exitCode !== null) return child.exitCode;
  return child.signalCode === null ? 127 : 137;
}

/** How a {@link LabProcess} is started. */
export interface SpawnOptions {
  /** Name in error messages. */
  readonly name: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Receives raw standard output, which is then not logged. */
  readonly onStdout?: (chunk: Buffer) => void;
  /** A file whose text becomes standard input; the default is an empty one. */
  readonly stdinFile?: string;
  /** Keep standard input open as a pipe for {@link LabProcess.write}. */
  readonly stdin?: 'pipe';
}

/** How a process ended. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A long-running child whose output lines are kept in order and can be waited for.
 * The owner ends it with {@link stop} or by disposal: SIGTERM, and SIGKILL after a deadline.
 */
export class LabProcess implements AsyncDisposable {
  /** Every line of standard output and standard error, in order of arrival. */
  readonly lines: string[] = [];
  /** Settles when the process is gone and its output was read. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #watchers = new Set<() => void>();
  #exit: ExitStatus | undefined;

  private constructor(child: ChildProcess, options: SpawnOptions) {
    this.#child = child;
    this.#name = options.name;
    if (options.onStdout === undefined) this.#collect(child.stdout);
    else child.stdout?.on('data', options.onStdout);
    this.#collect(child.stderr);
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.lines.push(`cannot start: ${error.message}`);
        this.#end({ code: 127, signal: null }, resolve);
      });
      child.once('close', (code, signal) => this.#end({ code, signal }, resolve));
    });
  }

  /** Starts a command; its first element is found on PATH. */
  static spawn(argv: readonly string[], options: SpawnOptions): LabProcess {
    const [file, ...args] = argv;
    if (file === undefined) throw new Error('spawn: empty command');
    const stdin = options.stdin ?? openSync(options.stdinFile ?? '/dev/null', 'r');
    try {
      const child = spawn(file, args, {
        stdio: [stdin, 'pipe', 'pipe'],
        ...(options.env === undefined ? {} : { env: options.env }),
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      });
      return new LabProcess(child, options);
    } finally {
      if (typeof stdin === 'number') closeSync(stdin);
    }
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.#name} was not started: ${this.lines.join(' ')}`);
    return pid;
  }

  get exitStatus(): ExitStatus | undefined {
    return this.#exit;
  }

  /** The whole log as one text, for error messages. */
  get log(): string {
    return this.lines.join('\n');
  }

  /** Sends text to standard input (only with `stdin: 'pipe'`). */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Sends a signal; does nothing once the process is gone. */
  kill(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#child.kill(signal);
  }

  /**
   * Resolves with the first log line at index `from` or later that matches.
   *
   * @throws Error with the end of the log, when the process ends or `timeoutMs` (default 15000) passes first.
   */
  async waitFor(pattern: RegExp, options: { timeoutMs?: number; from?: number } = {}): Promise<RegExpMatchArray> {
    const timeoutMs = patient(options.timeoutMs ?? 15_000);
    let next = options.from ?? 0;
    return await new Promise((resolve, reject) => {
      const finish = (action: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        action();
      };
      const fail = (why: string): void => {
        const tail = this.lines.slice(-40).join('\n  ');
        finish(() =>
          reject(new Error(`${this.#name}: ${why} while waiting for ${String(pattern)}; its log ends:\n  ${tail}`)),
        );
      };
      const look = (): void => {
        for (; next < this.lines.length; next += 1) {
          const match = this.lines[next]?.match(pattern);
          if (match) return finish(() => resolve(match));
        }
        if (this.#exit !== undefined) fail(`ended (${this.#exit.signal ?? this.#exit.code})`);
      };
      const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Ends the process: SIGTERM, then SIGKILL after `graceMs` (default 5000). Idempotent. */
  async stop(graceMs = patient(5_000)): Promise<ExitStatus> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #end(status: ExitStatus, resolve: (status: ExitStatus) => void): void {
    this.#exit ??= status;
    resolve(this.#exit);
    this.#notify();
  }

  #collect(stream: NodeJS.ReadableStream | null): void {
    let rest = '';
    stream?.setEncoding('utf8');
    stream?.on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      this.lines.push(...parts.map((line) => line.replace(/\r$/, '')));
      if (parts.length > 0) this.#notify();
    });
    stream?.on('end', () => {
      if (rest !== '') this.lines.push(rest);
      this.#notify();
    });
  }

  #notify(): void {
    for (const look of this.#watchers) look();
  }
}
