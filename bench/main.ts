/** `npm run bench`: see options.ts for its help. The only file of the bench that writes to standard output. */
import { readFacts } from './facts.js';
import { measureChangeRows } from './measurements/change.js';
import { measureConnectRows } from './measurements/connect.js';
import { measureDecodeRows } from './measurements/decode.js';
import type { Measurement } from './measurements/plan.js';
import { measureStormRows } from './measurements/storm.js';
import type { MeasurementName, Options } from './options.js';
import { HELP, parseOptions } from './options.js';
import type { MeasuredRow } from './row.js';
import { formatReport } from './table.js';

const BY_NAME: Readonly<Record<MeasurementName, Measurement>> = {
  connect: measureConnectRows,
  storm: measureStormRows,
  change: measureChangeRows,
  decode: measureDecodeRows,
};

const progress = (text: string): void => void process.stderr.write(`${text}\n`);

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseOptions(args);
  switch (parsed.kind) {
    case 'help':
      process.stdout.write(HELP);
      return 0;
    case 'mistake':
      process.stderr.write(`bench: ${parsed.message}\n`);
      return 2;
    case 'options':
      return run(parsed.options);
    default:
      return parsed satisfies never;
  }
}

async function run(options: Options): Promise<number> {
  const needsRoot = options.measurements.filter((name) => name !== 'decode');
  if (needsRoot.length > 0 && process.geteuid?.() !== 0) {
    process.stderr.write(`bench: ${needsRoot.join(', ')} make network namespaces and need root: sudo npm run bench, or --only decode\n`);
    return 1;
  }
  const rows: MeasuredRow[] = [];
  try {
    for (const name of options.measurements) rows.push(...(await BY_NAME[name]({ ...options, progress })));
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`);
    return 1;
  }
  const facts = await readFacts();
  const report = options.asJson ? `${JSON.stringify({ ...facts, rows: rows.map(({ row }) => row) })}\n` : `\n${formatReport(facts, rows)}`;
  process.stdout.write(report);
  return 0;
}
