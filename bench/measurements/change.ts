import { runTask } from '../lab/run-task.js';
import { makeRow } from '../row.js';
import { median, spreadPercent } from '../statistics.js';
import type { Measurement } from './plan.js';
import { SPAWNED_NFT } from './plan.js';

const FEW = 100;

/** A client comes and goes while few and while many addresses are installed. */
export const measureChangeRows: Measurement = async ({ isQuick, profileDirectory, progress }) => {
  const many = isQuick ? 10_000 : 100_000;
  const label = many.toLocaleString('en');
  const samples = isQuick ? 50 : 200;
  const rivalSamples = isQuick ? 20 : 50;
  progress(`change: gwmark, ${samples} clients come and go, at ${FEW} and at ${label} addresses`);
  const ours = await runTask(
    { kind: 'change', side: 'gwmark', sizes: [FEW, many], samples, paceMs: 50 },
    profileDirectory,
  );
  progress(`change: spawned-nft, ${rivalSamples} clients come and go, at ${label} addresses`);
  const rival = await runTask(
    { kind: 'change', side: 'spawned-nft', sizes: [many], samples: rivalSamples, paceMs: 50 },
    null,
  );

  const [atFew = [], atMany = []] = ours.latenciesUs;
  const [rivalAtMany = []] = rival.latenciesUs;
  return [
    makeRow({
      name: `one client comes and goes at ${label} addresses, against ${FEW}`,
      ours: median(atMany) / 1000,
      rival: median(atFew) / 1000,
      unit: 'ms',
      rivalName: `gwmark at ${FEW} addresses`,
      better: 'less',
      bar: { kind: 'at-most', ratio: 2 },
      oursSpreadPercent: spreadPercent(atMany),
      rivalSpreadPercent: spreadPercent(atFew),
      samples: [atMany.length, atFew.length],
      note: 'the ratio is ours / rival',
    }),
    makeRow({
      name: `one client comes and goes at ${label} addresses`,
      ours: median(atMany) / 1000,
      rival: median(rivalAtMany) / 1000,
      unit: 'ms',
      rivalName: SPAWNED_NFT,
      better: 'less',
      bar: { kind: 'at-least', ratio: 10 },
      oursSpreadPercent: spreadPercent(atMany),
      rivalSpreadPercent: spreadPercent(rivalAtMany),
      samples: [atMany.length, rivalAtMany.length],
    }),
  ];
};
