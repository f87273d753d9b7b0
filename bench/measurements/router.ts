import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeRow } from '../row.js';
import { quantile, spreadPercent } from '../statistics.js';
import type { Measurement } from './plan.js';

const SUBJECT = fileURLToPath(new URL('../lab/router-subject.js', import.meta.url));
const ROUNDS = 2;
/** What would be left of the ids otherwise: three quarters are for neighbours. */
const MOST_ROUTERS = 180;

/**
 * A new router becomes known: change of the neighbour table -> the kernel has its rules, routes and neighbour. Against
 * the same with a spawned `ip monitor` and `ip -batch`, the fallback; nftables is in process on either side. They take
 * turns.
 */
export const measureRouterRows: Measurement = async ({ isQuick, progress }) => {
  const routers = isQuick ? 40 : MOST_ROUTERS;
  const samples: Record<'netlink' | 'ip', number[]> = { netlink: [], ip: [] };
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const by of ['netlink', 'ip'] as const) {
      progress(`router: by ${by}, round ${round} of ${ROUNDS}, ${routers} routers`);
      samples[by].push(...(await timesUs(by, routers)));
    }
  }
  const { netlink, ip } = samples;
  return [
    ['p50', 0.5],
    ['p99', 0.99],
  ].map(([word, share]) =>
    makeRow({
      name: `new router, neighbour event to kernel, ${word}`,
      ours: quantile(netlink, Number(share)) / 1000,
      rival: quantile(ip, Number(share)) / 1000,
      unit: 'ms',
      rivalName: 'ip spawned for each event',
      better: 'less',
      bar: { kind: 'at-least', ratio: 10 },
      oursSpreadPercent: spreadPercent(netlink),
      rivalSpreadPercent: spreadPercent(ip),
      samples: [netlink.length, ip.length],
    }),
  );
};

async function timesUs(by: 'netlink' | 'ip', routers: number): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('unshare', ['--net', process.execPath, SUBJECT, by, String(routers)]);
  // The border between our own processes.
  return JSON.parse(stdout) as readonly number[];
}
