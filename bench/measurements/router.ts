import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeRow, type MeasuredRow } from '../row.js';
import { quantile, spreadPercent } from '../statistics.js';
import type { Measurement } from './plan.js';

const SUBJECT = fileURLToPath(new URL('../lab/router-subject.js', import.meta.url));
const ROUNDS = 4;
/** As many as a large site has; each of them is in every plan that is compared. */
const MOST_ROUTERS = 60;

/** What is waited for, in the words of the report, and the aim. */
const STAGES = [
  ['routing', 'new router, neighbour event to its route in the kernel', { kind: 'at-least', ratio: 10 }],
  ['rules', 'new router, neighbour event to all rules in the kernel', { kind: 'under', value: 2 }],
] as const;

/**
 * A new router becomes known: change of the neighbour table -> the kernel has its rule, route and neighbour, and then
 * its rules of nftables. Against the same with a spawned `ip monitor` and `ip -batch`, the fallback; nftables is in
 * process on either side. They take turns.
 */
export const measureRouterRows: Measurement = async ({ isQuick, progress }) => {
  const routers = isQuick ? 20 : MOST_ROUTERS;
  const rows: MeasuredRow[] = [];
  for (const [until, name, bar] of STAGES) {
    const samples: Record<'netlink' | 'ip', number[]> = { netlink: [], ip: [] };
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const by of ['netlink', 'ip'] as const) {
        progress(`router: ${until} by ${by}, round ${round} of ${ROUNDS}, ${routers} routers`);
        samples[by].push(...(await timesUs(by, until, routers)));
      }
    }
    const { netlink, ip } = samples;
    rows.push(
      makeRow({
        name: `${name}, p50`,
        ours: quantile(netlink, 0.5) / 1000,
        rival: quantile(ip, 0.5) / 1000,
        unit: 'ms',
        rivalName: 'ip spawned for each event',
        better: 'less',
        bar,
        oursSpreadPercent: spreadPercent(netlink),
        rivalSpreadPercent: spreadPercent(ip),
        samples: [netlink.length, ip.length],
      }),
    );
  }
  return rows;
};

async function timesUs(by: 'netlink' | 'ip', until: string, routers: number): Promise<readonly number[]> {
  const subject = ['unshare', '--net', process.execPath, SUBJECT, by, until, String(routers)];
  // By the real-time scheduler, as connect and change.
  const { stdout } = await promisify(execFile)('chrt', ['--rr', '10', ...subject]);
  // The border between our own processes.
  return JSON.parse(stdout) as readonly number[];
}
