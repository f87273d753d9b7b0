/** `npm run bench`: see options.ts for its help. The only file of the bench that writes to standard output. */
import { runCommand } from './command.js';
import { readFacts } from './facts.js';
import { measureChangeRows } from './measurements/change.js';
import { measureConnectRows } from './measurements/connect.js';
import { measureDecodeRows } from './measurements/decode.js';
import type { Measurement } from './measurements/plan.js';
import { measureRouterRows } from './measurements/router.js';
import { measureStartRows } from './measurements/start.js';
import { measureStormRows } from './measurements/storm.js';
import { measureWatchRows } from './measurements/watch.js';
import type { MeasurementName, Options } from './options.js';
import { HELP, parseOptions } from './options.js';
import type { MeasuredRow } from './row.js';
import { formatReport } from './table.js';

const BY_NAME: Readonly<Record<MeasurementName, Measurement>> = {
  connect: measureConnectRows,
  storm: measureStormRows,
  change: measureChangeRows,
  decode: measureDecodeRows,
  start: measureStartRows,
  router: measureRouterRows,
  watch: measureWatchRows,
};

const progress = (text: string): void => void process.stderr.write(`${text}\n`);

process.exitCode = await runCommand({ help: HELP, parse: parseOptions, run }, process.argv.slice(2));

async function run(options: Options): Promise<number> {
  const needsRoot = options.measurements.filter((name) => name !== 'decode' && name !== 'start');
  if (needsRoot.length > 0 && process.geteuid?.() !== 0) {
    process.stderr.write(
      `bench: ${needsRoot.join(', ')} make network namespaces and need root: sudo npm run bench, or --only decode --only start\n`,
    );
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
  const report = options.asJson
    ? `${JSON.stringify({ ...facts, rows: rows.map(({ row }) => row) })}\n`
    : `\n${formatReport(facts, rows)}`;
  process.stdout.write(report);
  return 0;
}
