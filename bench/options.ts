import { type Parsed, parseValues, select } from './command.js';

/** The measurements by the names that `--only` takes, in the order of the report. */
export const MEASUREMENTS = ['connect', 'storm', 'change', 'decode', 'start', 'router', 'watch'] as const;

export type MeasurementName = (typeof MEASUREMENTS)[number];

export interface Options {
  readonly measurements: readonly MeasurementName[];
  readonly isQuick: boolean;
  readonly asJson: boolean;
  /** Absolute or relative to the working directory; null: no profiles. */
  readonly profileDirectory: string | null;
}

export const HELP = `Usage: npm run bench -- [--only NAME]... [--quick] [--profile DIR]
       npm run --silent bench -- --json

Measures gwmark against what one would do without it: a sidecar that reads the management socket with split and
regular expressions and spawns nft for each event. Both run side by side on real nftables, in network namespaces
that exist only for the time of a measurement. Needs root, ip, nft and unshare; some ten minutes in full.

  connect   one client connects: from OpenVPN's event to the element in the kernel, p50 and p99
  storm     10,000 clients arrive at once: seconds until the kernel has all, and the peak memory of the process
  change    one client comes and goes while 100,000 addresses are installed, against 100, and against the rival
  decode    decoder of the management stream: megabytes a second, and growth of the heap
  start     a command that only reads starts and ends, against Node that does nothing
  router    a new router becomes known: from the neighbour's event to its rules and routes, against a spawned ip
  watch     10 viewers look at 1,000 clients: processor time of the sidecar, against programs that poll the status

Options:
  --only NAME    one of these; may be given several times. Default: all
  --quick        fewer samples, smaller sizes: to try things out, not to judge by
  --json         one JSON object on standard output, progress on standard error
  --profile DIR  write V8 CPU profiles of gwmark's process into DIR; times are worse then
  --help         this text

Both sides run before other programs of the machine: connect, change, router and the watched storms by the real-time
scheduler, the others at nice -10.
Judge by the ratios of one run; absolute times are this machine's at this moment. "bar" is the project's
target. A row that misses its bar says so and does not change the exit code. Exit codes: 0 measured, 1 could not
measure, 2 wrong usage.
`;

/** Reads the command line. */
export function parseOptions(args: readonly string[]): Parsed<Options> {
  const parsed = parseValues(args, {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    profile: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  });
  if (parsed.kind === 'mistake') return parsed;
  const { values } = parsed;
  if (values.help === true) return { kind: 'help' };
  const measurements = select('--only', MEASUREMENTS, values.only ?? []);
  if (measurements.kind === 'mistake') return measurements;
  return {
    kind: 'options',
    options: {
      measurements: measurements.names,
      isQuick: values.quick === true,
      asJson: values.json === true,
      profileDirectory: values.profile ?? null,
    },
  };
}
