import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { EngineName } from './options.js';
import type { Sample } from './sample.js';
import { parseSample } from './sample.js';

/** How often the endpoints take turns at one number of flows. */
export interface Turns {
  readonly flows: number;
  /** A sample. A multiple of the flows, or they are not all in it. */
  readonly packets: number;
  readonly rounds: number;
}

/** Instructions are the same each time, so few rounds do; an emulated packet takes some hundred times as long. */
const TURNS: Readonly<Record<EngineName, readonly Turns[]>> = {
  icount: [
    { flows: 1, packets: 5000, rounds: 3 },
    { flows: 1000, packets: 5000, rounds: 3 },
    { flows: 100_000, packets: 100_000, rounds: 1 },
  ],
  uml: [
    { flows: 1, packets: 20_000, rounds: 41 },
    { flows: 1000, packets: 20_000, rounds: 41 },
    { flows: 100_000, packets: 100_000, rounds: 15 },
  ],
};

const QUICK_TURNS: Readonly<Record<EngineName, readonly Turns[]>> = {
  icount: [{ flows: 1000, packets: 2000, rounds: 1 }],
  uml: [
    { flows: 1, packets: 10_000, rounds: 9 },
    { flows: 1000, packets: 10_000, rounds: 9 },
  ],
};

export interface EnginePlan {
  /** Only these numbers of flows; empty: all. */
  readonly flows: readonly number[];
  readonly isQuick: boolean;
  /** With the files of compile-endpoints.ts; the guest sees it at the same path. */
  readonly files: string;
  /** Root of the checkout. */
  readonly repository: string;
  /** Says what is being done, in a line. */
  readonly progress: (text: string) => void;
}

/**
 * Boots a guest, has it measure, and gives every sample. What the guest complains of goes to standard error.
 *
 * @throws Error in one sentence when not everything was measured
 */
export async function runEngine(engine: EngineName, plan: EnginePlan): Promise<Sample[]> {
  const { isQuick, files, repository, progress } = plan;
  const turns = turnsOf(engine, plan.flows, isQuick);
  const script = join(repository, 'bench/datapath/guest/run.sh');
  const guest = [script, files, ...turns.map(({ flows, packets, rounds }) => `${flows}:${packets}:${rounds}`)];
  const command =
    engine === 'icount'
      ? [join(repository, 'test/vm/run'), '--icount', '0', '--memory', '3072', '--timeout', '7200', ...guest]
      : [join(repository, 'bench/datapath/uml'), ...guest];
  progress(`${engine}: starting`);
  const child = spawn('bash', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const samples: Sample[] = [];
  let isComplete = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const sample = parseSample(line);
    if (sample !== null) samples.push(sample);
    else if (line === 'end') isComplete = true;
    else progress(`${engine}: ${line}`);
  }
  const [code] = (await ended) as [number | null];
  if (code !== 0 || !isComplete)
    throw new Error(`${engine}: the guest ended with code ${code ?? 'unknown'} before everything was measured`);
  return samples;
}

/** Numbers that were asked for are measured also where a quick run would leave them out. */
function turnsOf(engine: EngineName, flows: readonly number[], isQuick: boolean): readonly Turns[] {
  if (flows.length === 0) return (isQuick ? QUICK_TURNS : TURNS)[engine];
  return TURNS[engine]
    .filter((turns) => flows.includes(turns.flows))
    .map((turns) => (isQuick ? { ...turns, rounds: Math.ceil(turns.rounds / 5) } : turns));
}
