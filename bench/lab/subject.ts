import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { fetchStatus } from '../../sidecar/control/client.js';
import type { AppliedChange, Side, SubjectMessage } from './messages.js';
import { LAN_DEVICE, TRANSPORT_SETTING } from './network.js';

export interface SubjectOptions {
  readonly side: Side;
  /** Path of the management socket. */
  readonly socketPath: string;
  /** For its log and its sockets. */
  readonly directory: string;
  readonly profileDirectory: string | null;
  /** The longest turn of its event loop is asked for: see {@link Subject.measureTurns}. */
  readonly hasProbe?: boolean;
}

const LOOP_FILE = 'loop.txt';

/** Where a subject keeps its addresses in the kernel. */
export const SET_OF: Readonly<
  Record<Side, { readonly family: 'inet'; readonly table: string; readonly name: string }>
> = {
  gwmark: { family: 'inet', table: 'gwmark', name: 'client4' },
  'spawned-nft': { family: 'inet', table: 'rival', name: 'clients' },
};

/** A process under measurement, in the network namespace of this one. */
export class Subject implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #logPath: string;
  readonly #loopPath: string;
  #onApplied: (changes: readonly AppliedChange[]) => void = () => undefined;
  readonly #ready: Promise<void>;
  readonly #failed: Promise<never>;

  private constructor(child: ChildProcess, logPath: string, loopPath: string) {
    this.#child = child;
    this.#logPath = logPath;
    this.#loopPath = loopPath;
    // The border between our own processes: subject-process.ts sends nothing else.
    this.#ready = new Promise((resolve) => {
      child.on('message', (message: SubjectMessage) => {
        if (message.kind === 'ready') resolve();
        else this.#onApplied(message.changes);
      });
    });
    this.#failed = new Promise((_resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) =>
        reject(new Error(`the process under measurement ended (${signal ?? code}): ${this.#lastLine()}`)),
      );
    });
    this.#failed.catch(() => undefined);
    process.once('exit', () => child.kill('SIGKILL'));
  }

  /** Starts a subject that tells of each change, see `onApplied`; resolves when it listens to the server. */
  static async openTelling(options: SubjectOptions): Promise<Subject> {
    const script = options.side === 'gwmark' ? './timed-daemon.js' : '../rivals/spawning-sidecar.js';
    const address = options.side === 'gwmark' ? `unix:${options.socketPath}` : options.socketPath;
    const subject = Subject.#spawn(
      options,
      [fileURLToPath(new URL(script, import.meta.url)), address, options.directory],
      true,
    );
    await Promise.race([subject.#ready, subject.#failed]);
    return subject;
  }

  /**
   * Starts the product itself, `gwmark run`, with flags that keep it inside of the bench.
   *
   * @param more further flags
   */
  static openProduct(options: SubjectOptions, controlSocket: string, ...more: readonly string[]): Subject {
    const program = fileURLToPath(new URL('../../../bin/gwmark', import.meta.url));
    const flags = [
      '--management',
      `unix:${options.socketPath}`,
      '--control-socket',
      controlSocket,
      '--devices',
      LAN_DEVICE,
      '--datapath',
      'nexthop',
      '--transport',
      TRANSPORT_SETTING,
    ];
    return Subject.#spawn(options, [program, 'run', ...flags, ...more], false);
  }

  static #spawn(options: SubjectOptions, args: readonly string[], hasChannel: boolean): Subject {
    const logPath = join(options.directory, 'subject.log');
    const log = openSync(logPath, 'w');
    const isProfiled = options.profileDirectory !== null && options.side === 'gwmark';
    const probe = options.hasProbe === true ? ['--import', new URL('./loop-probe.js', import.meta.url).href] : [];
    const flags = isProfiled ? ['--cpu-prof', `--cpu-prof-dir=${options.profileDirectory}`] : [];
    // The log goes to a file, as with a service manager: what it costs is counted.
    const child = spawn(process.execPath, [...probe, ...flags, ...args], {
      env: { ...process.env, BENCH_LOOP_FILE: join(options.directory, LOOP_FILE) },
      stdio: hasChannel ? ['ignore', 'ignore', log, 'ipc'] : ['ignore', 'ignore', log],
    });
    closeSync(log);
    return new Subject(child, logPath, join(options.directory, LOOP_FILE));
  }

  /** Calls back for each batch of addresses that reached the kernel. */
  onApplied(listener: (changes: readonly AppliedChange[]) => void): void {
    this.#onApplied = listener;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Rejects when the subject ends before it was told to; never resolves. */
  get failed(): Promise<never> {
    return this.#failed;
  }

  /** Resolves when the product says by its control socket that it is ready. */
  async ready(controlSocket: string): Promise<void> {
    const isReady = async (): Promise<boolean> =>
      await fetchStatus(controlSocket).then(
        ({ ready }) => ready,
        () => false,
      );
    const becomeReady = async (): Promise<void> => {
      while (!(await isReady())) await delay(50);
    };
    await Promise.race([becomeReady(), this.failed]);
  }

  /** The most memory that was ever resident, MB of 1024 * 1024 bytes. */
  peakMemoryMb(): number {
    return (
      Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024
    );
  }

  /** Begins to measure the turns of its event loop; the result ends that, and gives the longest in milliseconds. */
  measureTurns(): () => Promise<number> {
    this.#child.kill('SIGUSR2');
    return async () => {
      this.#child.kill('SIGUSR2');
      while (!existsSync(this.#loopPath)) await delay(5);
      return Number(readFileSync(this.#loopPath, 'utf8'));
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    this.#child.kill('SIGTERM');
    await exit;
    clearTimeout(timer);
  }

  #lastLine(): string {
    try {
      return readFileSync(this.#logPath, 'utf8').trimEnd().split('\n').at(-1) ?? '';
    } catch {
      return '';
    }
  }
}
