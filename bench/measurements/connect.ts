import { runTask } from '../lab/run-task.js';
import type { Side, Task } from '../lab/messages.js';
import { makeRow } from '../row.js';
import { quantile, spreadPercent } from '../statistics.js';
import type { Measurement } from './plan.js';
import { SPAWNED_NFT } from './plan.js';

const ROUNDS = 2;

/**
 * One client connects: event written -> address in the kernel. The sides take turns, so that both see the same
 * weather.
 */
export const measureConnectRows: Measurement = async ({ isQuick, profileDirectory, progress }) => {
  const samples: Record<Side, number[]> = { gwmark: [], 'spawned-nft': [] };
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const side of ['gwmark', 'spawned-nft'] as const) {
      const task = {
        kind: 'connect',
        side,
        connects: isQuick ? 150 : 1000,
        warmUp: isQuick ? 50 : 200,
        paceMs: 20,
      } as const satisfies Task;
      progress(`connect: ${side}, round ${round} of ${ROUNDS}, ${task.connects} clients, one each ${task.paceMs} ms`);
      samples[side].push(...(await runTask(task, profileDirectory)).latenciesUs);
    }
  }
  const { gwmark, 'spawned-nft': rival } = samples;
  return [
    ['p50', 0.5],
    ['p99', 0.99],
  ].map(([word, share]) =>
    makeRow({
      name: `connect, event to rule in the kernel, ${word}`,
      ours: quantile(gwmark, Number(share)) / 1000,
      rival: quantile(rival, Number(share)) / 1000,
      unit: 'ms',
      rivalName: SPAWNED_NFT,
      better: 'less',
      bar: { kind: 'at-least', ratio: 10 },
      oursSpreadPercent: spreadPercent(gwmark),
      rivalSpreadPercent: spreadPercent(rival),
      samples: [gwmark.length, rival.length],
    }),
  );
};
