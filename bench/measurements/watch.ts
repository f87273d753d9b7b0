import { runTask } from '../lab/run-task.js';
import { makeRow } from '../row.js';
import type { Measurement } from './plan.js';

const CLIENTS = 1000;
const VIEWERS = 10;

/** People look at 1,000 connected clients while nothing happens: what that takes of a processor, in the sidecar. */
export const measureWatchRows: Measurement = async ({ isQuick, profileDirectory, progress }) => {
  const seconds = isQuick ? 5 : 30;
  const label = CLIENTS.toLocaleString('en');
  progress(`watch: ${label} clients, nobody looks, then ${VIEWERS} viewers, then ${VIEWERS} programs that poll`);
  const { unwatchedPercent, watchedPercent, polledPercent } = await runTask(
    { kind: 'watch', side: 'gwmark', clients: CLIENTS, viewers: VIEWERS, seconds },
    profileDirectory,
  );
  return [
    makeRow({
      name: `${VIEWERS} viewers of ${label} clients, processor time of the sidecar`,
      ours: watchedPercent,
      rival: polledPercent,
      unit: '%',
      rivalName: `${VIEWERS} programs that ask for /status every second`,
      better: 'less',
      bar: { kind: 'under', value: 5 },
      oursSpreadPercent: null,
      rivalSpreadPercent: null,
      samples: [1, 1],
      note: `${unwatchedPercent.toFixed(2)} % while nobody looks; 100 % is one core`,
    }),
  ];
};
