/**
 * What a row has to reach. `at-least` and `at-most` speak of the ratio, `under` of our own value in the row's unit.
 * `none`: a rival is shown beside the others.
 */
export type Bar =
  | { readonly kind: 'at-least'; readonly ratio: number }
  | { readonly kind: 'more-than'; readonly ratio: number }
  | { readonly kind: 'at-most'; readonly ratio: number }
  | { readonly kind: 'under'; readonly value: number }
  | { readonly kind: 'none' };

/** One line of the report, as `--json` prints it. */
export interface Row {
  readonly name: string;
  readonly ours: number;
  readonly rival: number;
  readonly unit: string;
  readonly rivalName: string;
  /**
   * How many times better we are: rival / ours for times and memory, ours / rival for a throughput. The one exception
   * are rows whose bar is `<=`, or who have none: there it is ours / rival, how many times worse.
   */
  readonly ratio: number;
  readonly bar: string;
  readonly met: boolean;
}

/** What the table says beside the row. */
export interface RowNotes {
  /** Spread of the samples of each side, in percent; null where there is one sample. */
  readonly oursSpreadPercent: number | null;
  readonly rivalSpreadPercent: number | null;
  /** Number of samples, of each side. */
  readonly samples: readonly [ours: number, rival: number];
  readonly note?: string;
}

export interface MeasuredRow {
  readonly row: Row;
  readonly notes: RowNotes;
}

export interface RowInput extends RowNotes {
  readonly name: string;
  readonly ours: number;
  readonly rival: number;
  readonly unit: string;
  readonly rivalName: string;
  /** Which way is better. */
  readonly better: 'less' | 'more';
  readonly bar: Bar;
}

/** Computes ratio and verdict of a row. */
export function makeRow(input: RowInput): MeasuredRow {
  const { name, ours, rival, unit, rivalName, better, bar, ...notes } = input;
  const isMultipleOfRival = better === 'more' || bar.kind === 'at-most' || bar.kind === 'none';
  const ratio = isMultipleOfRival ? ours / rival : rival / ours;
  return {
    row: {
      name,
      ours: round(ours),
      rival: round(rival),
      unit,
      rivalName,
      ratio: round(ratio),
      bar: formatBar(bar, unit),
      met: isMet(bar, ratio, ours),
    },
    notes,
  };
}

function isMet(bar: Bar, ratio: number, ours: number): boolean {
  switch (bar.kind) {
    case 'at-least':
      return ratio >= bar.ratio;
    case 'more-than':
      return ratio > bar.ratio;
    case 'at-most':
      return ratio <= bar.ratio;
    case 'under':
      return ours < bar.value;
    case 'none':
      return true;
    default:
      return bar satisfies never;
  }
}

function formatBar(bar: Bar, unit: string): string {
  switch (bar.kind) {
    case 'at-least':
      return `>= ${bar.ratio}x`;
    case 'more-than':
      return `> ${bar.ratio}x`;
    case 'at-most':
      return `<= ${bar.ratio}x`;
    case 'under':
      return `< ${bar.value} ${unit}`;
    case 'none':
      return 'none';
    default:
      return bar satisfies never;
  }
}

/** Four digits: more would pretend to a precision that no shared machine has. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}
