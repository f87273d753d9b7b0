import { printable } from '../log/printable.js';

export type Colour = 'red' | 'green' | 'yellow' | 'bold' | 'none';

/** Text, coloured where colours are allowed. */
export interface Cell {
  readonly text: string;
  readonly colour: Colour;
}

const CODES: Readonly<Record<Exclude<Colour, 'none'>, readonly [number, number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  bold: [1, 22],
};
/** What {@link paint} puts around text, kept by a split. */
const CODE = new RegExp(`(${String.fromCodePoint(27)}${String.raw`\[\d+m`})`);
const GAP = '  ';
/** Characters that take two columns of a terminal. */
const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\uff01-\uff60]/u;

/** Puts SGR codes around the text, or not. */
export function paint(text: string, colour: Colour, hasColours: boolean): string {
  if (colour === 'none' || !hasColours) return text;
  const [on, off] = CODES[colour];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/**
 * Aligns rows under a header, two blanks apart, no blanks at line ends. Text is made printable here, so cells may come
 * from anywhere.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly (string | Cell)[])[],
  hasColours: boolean,
): string {
  return new GrowingTable(header, hasColours).format(rows);
}

/**
 * A table whose rows come block by block, so that a long one need not be in memory: the first block decides how wide the
 * columns are, and what is wider later shifts its own row.
 */
export class GrowingTable {
  readonly #header: readonly string[];
  readonly #hasColours: boolean;
  #widths: readonly number[] | null = null;

  constructor(header: readonly string[], hasColours: boolean) {
    this.#header = header;
    this.#hasColours = hasColours;
  }

  /** The text of the next rows, the first time with the header. */
  format(rows: readonly (readonly (string | Cell)[])[]): string {
    const cells = rows.map((row) => row.map((cell) => toCell(cell)));
    if (this.#widths !== null) return formatCells(cells, this.#widths, this.#hasColours);
    const all = [this.#header.map((text): Cell => ({ text, colour: 'bold' })), ...cells];
    this.#widths = this.#header.map((_, column) =>
      all.reduce((widest, row) => Math.max(widest, textWidth(row[column]?.text ?? '')), 0),
    );
    return formatCells(all, this.#widths, this.#hasColours);
  }
}

function formatCells(cells: readonly (readonly Cell[])[], widths: readonly number[], hasColours: boolean): string {
  return cells
    .map((row) => {
      const last = row.length - 1;
      return row.map(({ text, colour }, column) => {
        const padding = column === last ? '' : ' '.repeat(Math.max(0, (widths[column] ?? 0) - textWidth(text)));
        return `${paint(text, colour, hasColours)}${padding}`;
      });
    })
    .map((row) => `${row.join(GAP).trimEnd()}\n`)
    .join('');
}

function toCell(cell: string | Cell): Cell {
  const { text, colour } = typeof cell === 'string' ? { text: cell, colour: 'none' as const } : cell;
  return { text: text === '' ? '-' : printable(text), colour };
}

/** Cuts off what does not fit into the columns; colours go on where they were, and end. */
export function cutLine(line: string, columns: number): string {
  const parts = line.split(CODE);
  let room = columns;
  return parts
    .map((part) => {
      if (part.startsWith('\u001b[')) return part;
      const kept = cutText(part, room);
      room -= textWidth(kept);
      return kept;
    })
    .join('');
}

function cutText(text: string, columns: number): string {
  if (/^[ -~]*$/.test(text)) return text.slice(0, Math.max(0, columns));
  let width = 0;
  let kept = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    width += textWidth(segment);
    if (width > columns) break;
    kept += segment;
  }
  return kept;
}

function textWidth(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  return [...new Intl.Segmenter().segment(text)].reduce(
    (width, { segment }) => width + (WIDE.test(segment) ? 2 : 1),
    0,
  );
}
