import type { StormResult } from '../lab/messages.js';
import { runTask } from '../lab/run-task.js';
import { makeRow } from '../row.js';
import { median, spreadPercent } from '../statistics.js';
import type { Measurement } from './plan.js';
import { SPAWNED_NFT } from './plan.js';

/**
 * All clients arrive at once: seconds until the kernel has them all, and the peak memory of the process that did it.
 */
export const measureStormRows: Measurement = async ({ isQuick, profileDirectory, progress }) => {
  const clients = isQuick ? 1000 : 10_000;
  const rounds = isQuick ? 1 : 3;
  const label = clients.toLocaleString('en');
  const ours: StormResult[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    progress(`storm: gwmark, round ${round} of ${rounds}, ${label} clients at once`);
    ours.push(await runTask({ kind: 'storm', side: 'gwmark', clients, isWatched: false }, profileDirectory));
  }
  progress(`storm: spawned-nft, ${label} clients at once, in full: a minute or more`);
  const rival = await runTask({ kind: 'storm', side: 'spawned-nft', clients, isWatched: false }, null);
  const turnsMs: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    progress(`storm: gwmark, event loop watched, round ${round} of ${rounds}`);
    turnsMs.push((await runTask({ kind: 'storm', side: 'gwmark', clients, isWatched: true }, null)).longestTurnMs);
  }
  // A tenth of them: they would keep a processor busy for a minute, before everything else of the machine.
  const few = { kind: 'storm', side: 'spawned-nft', clients: clients / 10, isWatched: true } as const;
  const rivalTurnMs = (await runTask(few, null)).longestTurnMs;

  const seconds = ours.map((result) => result.seconds);
  const peaksMb = ours.map(({ peakMb }) => peakMb);
  const common = { rivalName: SPAWNED_NFT, better: 'less', rivalSpreadPercent: null, samples: [rounds, 1] } as const;
  return [
    makeRow({
      ...common,
      name: `storm of ${label} clients, time until the kernel has all`,
      ours: median(seconds),
      rival: rival.seconds,
      unit: 's',
      bar: { kind: 'at-least', ratio: 50 },
      oursSpreadPercent: rounds === 1 ? null : spreadPercent(seconds),
      note: `${median(ours.map(({ transactions }) => transactions))} transactions against ${clients}`,
    }),
    makeRow({
      ...common,
      name: `storm of ${label} clients, peak memory`,
      ours: median(peaksMb),
      rival: rival.peakMb,
      unit: 'MB',
      bar: { kind: 'under', value: 130 },
      oursSpreadPercent: rounds === 1 ? null : spreadPercent(peaksMb),
      rivalName: `${SPAWNED_NFT} (its own process, without nft)`,
      note: `${median(ours.map(({ idleMb }) => idleMb)).toFixed(0)} MB against ${rival.idleMb.toFixed(0)} MB before the storm`,
    }),
    makeRow({
      ...common,
      name: `storm of ${label} clients, longest time without a turn of the event loop`,
      ours: median(turnsMs),
      rival: rivalTurnMs,
      unit: 'ms',
      bar: { kind: 'under', value: 10 },
      oursSpreadPercent: rounds === 1 ? null : spreadPercent(turnsMs),
      rivalName: `${SPAWNED_NFT} (its own process, without nft, ${(clients / 10).toLocaleString('en')} clients)`,
    }),
  ];
};
