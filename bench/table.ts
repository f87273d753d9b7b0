import type { Facts } from './facts.js';
import type { MeasuredRow } from './row.js';

const HEADINGS = ['', 'gwmark', '+-', 'rival', '+-', 'unit', 'ratio', 'bar', 'met', 'samples'] as const;
/** These are words, the others numbers. */
const LEFT = new Set([0, 5, 7, 8]);

/** The report for people. */
export function formatReport(facts: Facts, rows: readonly MeasuredRow[]): string {
  const cells = rows.map(({ row, notes }) => [
    row.name,
    String(row.ours),
    formatSpread(notes.oursSpreadPercent),
    String(row.rival),
    formatSpread(notes.rivalSpreadPercent),
    row.unit,
    `${row.ratio}x`,
    row.bar,
    row.met ? 'yes' : 'NO',
    notes.samples.join(' / '),
  ]);
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...cells.map((line) => line[column]?.length ?? 0)),
  );
  const lines = [HEADINGS, ...cells].map((line) =>
    line
      .map((cell, column) =>
        LEFT.has(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  const rivals = [
    ...new Set(
      rows.map(
        ({ row, notes }) =>
          `  ${row.name}: against ${row.rivalName}${notes.note === undefined ? '' : `; ${notes.note}`}`,
      ),
    ),
  ];
  return [
    `gwmark ${facts.commit}, Node ${facts.node}, nft ${facts.nft}, Linux ${facts.kernel}`,
    '',
    ...lines,
    '',
    ...rivals,
    '',
    '"+-" is half the distance of the quartiles, in percent of the median. Ratios above 1 are in our favour, but for a bar with "<=".',
    '',
  ].join('\n');
}

function formatSpread(percent: number | null): string {
  return percent === null ? '-' : `${percent.toFixed(percent < 10 ? 1 : 0)}%`;
}
