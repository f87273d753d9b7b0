import type { Bar, MeasuredRow } from '../row.js';
import { makeRow } from '../row.js';
import { median, spreadPercent } from '../statistics.js';
import type { EngineName } from './options.js';
import type { Road, Sample } from './sample.js';

/** One endpoint against another on the same road. */
interface Comparison {
  /** `returned packet` or `not ours`. */
  readonly subject: string;
  readonly label: string;
  readonly endpoint: string;
  readonly against: string;
  readonly againstLabel: string;
  /** Where there are two, a packet costs what it does on average: half of the packets of a flow go each way. */
  readonly roads: readonly Road[];
  readonly bar: Bar;
}

const RETURN: readonly Road[] = ['return'];
const PASS: readonly Road[] = ['pass', 'pass-back'];
const STATIC = { subject: 'returned packet', against: 'static', againstLabel: 'static route', roads: RETURN };
const PLAIN = { subject: 'not ours', against: 'plain', againstLabel: 'without gwmark', roads: PASS };

/** In the order of the report. */
export const COMPARISONS: readonly Comparison[] = [
  { ...STATIC, label: 'connmark', endpoint: 'connmark', bar: { kind: 'none' } },
  { ...STATIC, label: 'flowtable', endpoint: 'flowtable', bar: { kind: 'none' } },
  { ...STATIC, label: 'nexthop', endpoint: 'nexthop', bar: { kind: 'at-most', ratio: 0.9 } },
  { ...STATIC, label: 'module', endpoint: 'module', bar: { kind: 'at-most', ratio: 0.75 } },
  {
    ...STATIC,
    label: 'module, far goal',
    endpoint: 'module',
    against: 'flowtable',
    againstLabel: 'flowtable',
    bar: { kind: 'at-most', ratio: 1 },
  },
  { ...PLAIN, label: 'module enabled', endpoint: 'enabled', bar: { kind: 'at-most', ratio: 1.02 } },
  { ...PLAIN, label: 'by module', endpoint: 'beside_module', bar: { kind: 'at-most', ratio: 1.02 } },
  { ...PLAIN, label: 'by nexthop', endpoint: 'beside_nexthop', bar: { kind: 'at-most', ratio: 1.02 } },
];

/** A row with what the table sorts it by. */
export interface DatapathRow extends MeasuredRow {
  readonly engine: EngineName;
  readonly flows: number;
  readonly comparison: Comparison;
}

/**
 * One row for each comparison and number of flows.
 *
 * @throws Error in one sentence when a sample is missing
 */
export function makeRows(engine: EngineName, samples: readonly Sample[]): DatapathRow[] {
  const numbers = [...new Set(samples.map(({ flows }) => flows))].toSorted((a, b) => a - b);
  return numbers.flatMap((flows) => {
    const door = median(costsOf(engine, samples, flows, 'static', 'door'));
    const net = (endpoint: string, roads: readonly Road[]): number[] => {
      const [first = [], ...others] = roads.map((road) => costsOf(engine, samples, flows, endpoint, road));
      return first.map(
        (cost, round) =>
          (cost + others.reduce((sum, costs) => sum + (costs[round] ?? Number.NaN), 0)) / roads.length - door,
      );
    };
    return COMPARISONS.map((comparison) => {
      const ours = net(comparison.endpoint, comparison.roads);
      const rival = net(comparison.against, comparison.roads);
      const row = makeRow({
        name: `${comparison.subject}: ${comparison.label}, ${flows.toLocaleString('en')} flows, ${engine}`,
        ours: median(ours),
        rival: median(rival),
        unit: engine === 'icount' ? 'instructions' : 'ns',
        rivalName: comparison.againstLabel,
        better: 'less',
        bar: comparison.bar,
        oursSpreadPercent: ours.length < 2 ? null : spreadPercent(ours),
        rivalSpreadPercent: rival.length < 2 ? null : spreadPercent(rival),
        samples: [ours.length, rival.length],
      });
      return { ...row, engine, flows, comparison };
    });
  });
}

function costsOf(
  engine: EngineName,
  samples: readonly Sample[],
  flows: number,
  endpoint: string,
  road: Road,
): number[] {
  const found = samples.filter(
    (sample) => sample.flows === flows && sample.endpoint === endpoint && sample.road === road,
  );
  if (found.length === 0)
    throw new Error(`${engine}: nothing was measured of ${endpoint} (${road}) at ${flows} flows`);
  return found.toSorted((a, b) => a.round - b.round).map(({ cost }) => cost);
}
