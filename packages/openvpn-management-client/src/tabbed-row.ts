import { readCounter, readDigits } from './digits.js';
import { detach } from './text.js';

const TAB = '\t';

/**
 * One row of columns between tabs, cut in place: a column becomes a string only when it is read. Made to be used
 * repeatedly.
 */
export class TabbedRow {
  #line = '';
  #count = 0;
  /** Where each column begins, and past the last one where another would. */
  readonly #starts: number[] = [];

  /** Takes the place of the row before. */
  cut(line: string): void {
    this.#line = line;
    this.#count = 0;
    let at = 0;
    while (at !== 0 || this.#count === 0) {
      this.#starts[this.#count] = at;
      this.#count += 1;
      at = line.indexOf(TAB, at) + 1;
    }
    this.#starts[this.#count] = line.length + 1;
  }

  /** How many columns there are, 1 at least. */
  get count(): number {
    return this.#count;
  }

  /** A column that may share the row's memory; empty if there is none. */
  text(column: number): string {
    return this.#line.slice(this.#start(column), this.#end(column));
  }

  is(column: number, text: string): boolean {
    const start = this.#start(column);
    return this.#end(column) - start === text.length && this.#line.startsWith(text, start);
  }

  /** A column to keep. If it is the same as `known`, that is given back, and nothing is copied. */
  keep(column: number, known?: string): string {
    return known !== undefined && this.is(column, known) ? known : detach(this.text(column));
  }

  /** Up to fifteen decimal digits, or undefined. */
  number(column: number): number | undefined {
    const value = readDigits(this.#line, this.#start(column), this.#end(column));
    return value === -1 ? undefined : value;
  }

  /** A counter of 64 bits, or undefined. */
  counter(column: number): bigint | undefined {
    return readCounter(this.#line, this.#start(column), this.#end(column));
  }

  #start(column: number): number {
    return column >= 0 && column < this.#count ? (this.#starts[column] ?? 0) : 0;
  }

  /** Before the tab. */
  #end(column: number): number {
    return column >= 0 && column < this.#count ? (this.#starts[column + 1] ?? 1) - 1 : 0;
  }
}
