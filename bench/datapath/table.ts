import type { Facts } from '../facts.js';
import type { DatapathRow } from './rows.js';

/** The report for people: ratios in one table, a column for each engine and number of flows. */
export function formatDatapathReport(facts: Facts, command: string, rows: readonly DatapathRow[]): string {
  const columns = [...new Map(rows.map(({ engine, flows }) => [`${engine} ${flows}`, { engine, flows }])).values()];
  const find = (line: DatapathRow, column: (typeof columns)[number]): DatapathRow | undefined =>
    rows.find(
      ({ comparison, engine, flows }) =>
        comparison === line.comparison && engine === column.engine && flows === column.flows,
    );
  const lines = [...new Map(rows.map((row) => [row.comparison, row])).values()];
  const cells: string[][] = [
    ['', 'against', 'bar', ...columns.map(({ engine, flows }) => `${engine} ${flows.toLocaleString('en')}`)],
  ];
  for (const line of lines) {
    const { subject, label, againstLabel } = line.comparison;
    const ratios = columns.map((column) => {
      const found = find(line, column);
      return found === undefined ? '-' : `${formatRatio(found)}${found.row.met ? ' ' : '!'}`;
    });
    cells.push([`${subject}: ${label}`, againstLabel, line.row.bar, ...ratios]);
  }
  for (const [text, comparison] of [
    [
      'returned packet: static route',
      lines.find(({ comparison: { againstLabel } }) => againstLabel === 'static route'),
    ],
    ['not ours: without gwmark', lines.find(({ comparison: { againstLabel } }) => againstLabel === 'without gwmark')],
  ] as const) {
    if (comparison === undefined) continue;
    cells.push([text, '', '', ...columns.map((column) => formatCost(find(comparison, column)))]);
  }
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0))) ?? [];
  const table = cells.map((line) =>
    line
      .map((cell, column) => (column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return [
    `gwmark ${facts.commit}, Linux 6.1 in the guest; ${command}`,
    '',
    ...table,
    '',
    'Cost of a packet as a ratio, +- half the distance of the quartiles; "!" misses the bar. The last two lines are instructions (icount) or ns (uml).',
    '',
  ].join('\n');
}

function formatRatio({ row, notes }: DatapathRow): string {
  const spread = notes.oursSpreadPercent;
  return `${row.ratio.toFixed(3)}${spread === null ? '' : ` +-${((row.ratio * spread) / 100).toFixed(3)}`}`;
}

function formatCost(row: DatapathRow | undefined): string {
  return row === undefined ? '-' : `${Math.round(row.row.rival)} `;
}
