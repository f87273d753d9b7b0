import type { CliIo, KeyInput, TextOutput } from './io.js';
import { type Key, onKeys } from './keys.js';

/** Control sequences of ECMA-48 and xterm. @see console_codes(4) */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const CLEAR = '\u001b[2J';
const CLEAR_ROW = '\u001b[K';

/** Used if the terminal does not say. */
const ROWS = 24;
const COLUMNS = 80;

export interface ScreenListeners {
  /** Everything has to be drawn again: another size, or after ^Z. */
  readonly onChanged: () => void;
  /** A key was pressed. Never called if standard input is no terminal. */
  readonly onKey: (key: Key) => void;
}

/**
 * A terminal that a command draws on: its second screen, without cursor, and its keys one by one. What was there before
 * comes back when this is disposed of, when the process ends in any other way, and while it is stopped with ^Z.
 */
export class Screen implements Disposable {
  readonly #io: CliIo;
  readonly #output: TextOutput;
  readonly #input: KeyInput | null;
  readonly #onChanged: () => void;
  readonly #listeners: Disposable[] = [];
  /** What is on the terminal; null for a row that may show anything. */
  #shown: (string | null)[] = [];
  #isOpen = false;

  constructor(io: CliIo, { onChanged, onKey }: ScreenListeners) {
    this.#io = io;
    this.#output = io.stdout;
    this.#onChanged = onChanged;
    const input = io.stdin();
    this.#input = input.isTTY === true ? input : null;
    const changed = (): void => this.redraw();
    this.#output.on('resize', changed);
    this.#listeners.push(
      { [Symbol.dispose]: () => void this.#output.off('resize', changed) },
      io.onExit(() => this.#leave()),
      io.onSignal('SIGTSTP', () => this.suspend()),
      io.onSignal('SIGCONT', () => {
        if (!this.#isOpen) this.#enter();
        this.redraw();
      }),
    );
    if (this.#input !== null) this.#listeners.push(onKeys(this.#input, onKey));
    this.#enter();
  }

  get rows(): number {
    return this.#output.rows ?? ROWS;
  }

  get columns(): number {
    return this.#output.columns ?? COLUMNS;
  }

  /**
   * Shows these lines from the top. Writes only the rows that differ, so that a slow line shows a change at once; a line
   * must fit into the columns.
   */
  draw(lines: readonly string[]): void {
    let text = '';
    for (let row = 0; row < this.rows; row += 1) {
      const line = lines[row] ?? '';
      if (this.#shown[row] === line) continue;
      this.#shown[row] = line;
      // Cleared first: behind a character in the last column, the cursor is still on it.
      text += `\u001b[${row + 1};1H${CLEAR_ROW}${line}`;
    }
    if (text !== '' && this.#isOpen) this.#output.write(text);
  }

  /** Forgets what is shown, and asks for all of it. */
  redraw(): void {
    if (!this.#isOpen) return;
    this.#shown = [];
    this.#output.write(CLEAR);
    this.#onChanged();
  }

  /** Restores the terminal and stops the process, until SIGCONT. */
  suspend(): void {
    this.#leave();
    this.#io.suspend();
  }

  /** Restores the terminal. Idempotent. */
  [Symbol.dispose](): void {
    this.#leave();
    for (const listener of this.#listeners.splice(0)) listener[Symbol.dispose]();
  }

  #enter(): void {
    this.#isOpen = true;
    this.#shown = [];
    this.#input?.setRawMode?.(true);
    this.#output.write(ENTER);
  }

  #leave(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#input?.setRawMode?.(false);
    this.#output.write(LEAVE);
  }
}
