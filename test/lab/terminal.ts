import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

import xterm from '@xterm/headless';

import { exec } from './process.js';
import { eventually } from './wait.js';

/** How a terminal is opened. */
export interface TerminalOptions {
  /** Default 24. */
  readonly rows?: number;
  /** Default 80. */
  readonly columns?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Prints the name of the terminal and waits until it has its size. */
const PREPARE = 'stty rows "$ROWS" cols "$COLUMNS" && tty';

/**
 * A command in a pseudo-terminal of the kernel (`script` makes it), and the screen that a user sees: xterm.js draws it,
 * and answers what programs ask a terminal. The owner disposes of it.
 */
export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #xterm: InstanceType<typeof xterm.Terminal>;
  readonly #exited: Promise<unknown>;
  #device = '';
  #received = '';
  #written: Promise<void> = Promise.resolve();

  private constructor(child: ChildProcess, rows: number, columns: number) {
    this.#child = child;
    this.#xterm = new xterm.Terminal({ rows, cols: columns, allowProposedApi: true });
    this.#xterm.onData((text) => this.type(text));
    this.#exited = once(child, 'close');
    child.stdout?.setEncoding('utf8');
    child.stdout?.on('data', (text: string) => this.#take(text));
    // The command ended; what is typed then goes nowhere.
    child.stdin?.on('error', () => undefined);
  }

  /** Runs a shell command line in a terminal of its own; resolves once it was started. */
  static async open(command: string, options: TerminalOptions = {}): Promise<Terminal> {
    const { rows = 24, columns = 80, env = process.env, cwd } = options;
    const child = spawn('script', ['-qefc', `${PREPARE} && ${command}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...env, TERM: 'xterm-256color', SHELL: '/bin/sh', ROWS: String(rows), COLUMNS: String(columns) },
      ...(cwd === undefined ? {} : { cwd }),
    });
    const terminal = new Terminal(child, rows, columns);
    await eventually(() => terminal.#device !== '', { what: 'the name of the terminal' });
    return terminal;
  }

  /** Everything that programs wrote, with its control sequences. */
  get received(): string {
    return this.#received;
  }

  /** Resolves with how the command ended: its exit code, 128 + n where signal n ended it. */
  async exitCode(): Promise<number | null> {
    await this.#exited;
    return this.#child.exitCode;
  }

  /** What the user sees: one line per row, without blanks at its end. */
  async screen(): Promise<readonly string[]> {
    await this.#written;
    const { active } = this.#xterm.buffer;
    return Array.from({ length: this.#xterm.rows }, (_, row) => {
      return active.getLine(active.viewportY + row)?.translateToString(true) ?? '';
    });
  }

  /** Whether the second screen is shown, on which programs draw that take the whole terminal. */
  get isAlternate(): boolean {
    return this.#xterm.buffer.active.type === 'alternate';
  }

  /** Waits until the text of the screen satisfies the pattern, and resolves with the screen. */
  async shows(pattern: RegExp): Promise<readonly string[]> {
    let screen: readonly string[] = [];
    await eventually(
      async () => {
        screen = await this.screen();
        const text = screen.join('\n');
        if (!pattern.test(text)) throw new Error(text.trimEnd());
        return true;
      },
      { what: `${String(pattern)} on the screen` },
    );
    return screen;
  }

  /** Presses keys. */
  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Sends a signal to the program that has the terminal, of Node. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    const processes = await exec(['ps', '-t', this.#device.replace('/dev/', ''), '-o', 'pid=,comm=']);
    const [, pid] = /^ *(\d+) node$/m.exec(processes) ?? [];
    process.kill(Number(pid), signal);
  }

  /** Changes the size, as a window does: the kernel sends SIGWINCH. */
  async resize(rows: number, columns: number): Promise<void> {
    this.#xterm.resize(columns, rows);
    await exec(['stty', '-F', this.#device, 'rows', String(rows), 'cols', String(columns)]);
  }

  /** The modes of the terminal, as `stty -g` prints them. */
  async modes(): Promise<string> {
    return (await exec(['stty', '-F', this.#device, '-g'])).trim();
  }

  /** The terminal's device, `/dev/pts/3`. */
  get device(): string {
    return this.#device;
  }

  /** Hangs up: the command gets SIGHUP. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exited;
    this.#xterm.dispose();
  }

  #take(text: string): void {
    this.#received += text;
    if (this.#device === '') {
      // What `tty` printed is none of the command's.
      const found = /^(\/dev\/\S+)\r\n/.exec(this.#received);
      if (found === null) return;
      this.#device = found[1] ?? '';
      this.#received = this.#received.slice(found[0].length);
      text = this.#received;
    }
    this.#written = new Promise((resolve) => this.#xterm.write(text, resolve));
  }
}
