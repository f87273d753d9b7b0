import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DecodeRequest, DecodeResult } from '../lab/decode-worker.js';
import { makeRow } from '../row.js';
import { median, spreadPercent } from '../statistics.js';
import type { Measurement } from './plan.js';

const RIVAL = 'a split-and-regex reader';

/** Speed and growth of the decoder, on recorded conversations with some fifty variables an event. */
export const measureDecodeRows: Measurement = async ({ isQuick, profileDirectory, progress }) => {
  const request: DecodeRequest = isQuick ? { megabytes: 16, rounds: 3 } : { megabytes: 64, rounds: 11 };
  progress(`decode: ${request.rounds} rounds of ${request.megabytes} MB, in turns`);
  const result = await decode(request, profileDirectory);
  const { oursMbPerSecond: ours, rivalMbPerSecond: rival } = result;
  return [
    makeRow({
      name: 'decode, throughput',
      ours: median(ours),
      rival: median(rival),
      unit: 'MB/s',
      rivalName: RIVAL,
      better: 'more',
      bar: { kind: 'more-than', ratio: 1 },
      oursSpreadPercent: spreadPercent(ours),
      rivalSpreadPercent: spreadPercent(rival),
      samples: [ours.length, rival.length],
    }),
    makeRow({
      name: `decode, growth of the heap over ${result.streamedMegabytes} MB`,
      ours: kilobytes(result.oursGrowthBytes),
      rival: kilobytes(result.rivalGrowthBytes),
      unit: 'KB',
      rivalName: RIVAL,
      better: 'less',
      bar: { kind: 'under', value: 256 },
      oursSpreadPercent: null,
      rivalSpreadPercent: null,
      samples: [1, 1],
      note: 'constant memory: what the collector itself keeps is below the bar',
    }),
  ];
};

/** At least one: a growth of nothing has no ratio. */
function kilobytes(bytes: number): number {
  return Math.max(1, bytes / 1024);
}

function decode(request: DecodeRequest, profileDirectory: string | null): Promise<DecodeResult> {
  const worker = fileURLToPath(new URL('../lab/decode-worker.js', import.meta.url));
  const profile = profileDirectory === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`];
  return new Promise((resolve, reject) => {
    const child = fork(worker, [JSON.stringify(request)], {
      execArgv: ['--expose-gc', ...profile],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      detached: true,
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`measuring decode ended early (${signal ?? code})`)));
    // The border between our own processes: decode-worker.ts answers with nothing else.
    child.once('message', (result: DecodeResult) => resolve(result));
  });
}
