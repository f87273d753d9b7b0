import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { makeRow } from '../row.js';
import { median, spreadPercent } from '../statistics.js';
import type { Measurement } from './plan.js';

const GWMARK = fileURLToPath(new URL('../../../bin/gwmark', import.meta.url));
/** What is compared; the first is Node alone. No sidecar answers, so that `status` is its start and little else. */
const COMMANDS = {
  node: ['-e', '0'],
  help: [GWMARK, '--help'],
  status: [GWMARK, 'status', '--control-socket', '/nonexistent/control.sock'],
} as const;
/** The aim is 0.25 s, of which Node alone takes 0.03 to 0.05. */
const MOST = 5;

/** A command starts and ends, against Node that does nothing. They take turns. */
export const measureStartRows: Measurement = async ({ isQuick, progress }) => {
  const samples: Record<keyof typeof COMMANDS, number[]> = { node: [], help: [], status: [] };
  const rounds = isQuick ? 10 : 40;
  progress(`start: ${rounds} times each of node -e 0, gwmark --help, gwmark status`);
  for (let round = 0; round < rounds; round += 1)
    for (const [name, args] of Object.entries(COMMANDS)) samples[name as keyof typeof COMMANDS].push(timeMs(args));

  return (['help', 'status'] as const).map((name) =>
    makeRow({
      name: `start of gwmark ${name === 'help' ? '--help' : name}`,
      ours: median(samples[name]),
      rival: median(samples.node),
      unit: 'ms',
      rivalName: 'node -e 0',
      better: 'less',
      bar: { kind: 'at-most', ratio: MOST },
      oursSpreadPercent: spreadPercent(samples[name]),
      rivalSpreadPercent: spreadPercent(samples.node),
      samples: [rounds, rounds],
      note: 'the ratio is ours / rival',
    }),
  );
};

function timeMs(args: readonly string[]): number {
  const begin = performance.now();
  const { error } = spawnSync(process.execPath, args, { stdio: 'ignore', env: { PATH: process.env['PATH'] } });
  if (error !== undefined) throw error;
  return performance.now() - begin;
}
