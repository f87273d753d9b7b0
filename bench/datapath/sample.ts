/** The ways of a packet through an endpoint; drawn in guest/generator.sh. */
export type Road = 'door' | 'return' | 'pass' | 'pass-back';

/** What an endpoint took for some packets; a line of guest/run.sh. */
export interface Sample {
  readonly endpoint: string;
  readonly road: Road;
  readonly flows: number;
  readonly round: number;
  /** One packet, receipt and the generator's work included: ns, which are instructions under icount. */
  readonly cost: number;
}

const LINE = /^sample (\w+) (door|return|pass|pass-back) (\d+) (\d+) (\d+) (\d+)$/;

/** Reads `sample NAME ROAD FLOWS ROUND PACKETS MICROSECONDS`; null for any other line. */
export function parseSample(line: string): Sample | null {
  const match = LINE.exec(line.trim());
  if (match === null) return null;
  const [, endpoint = '', road = '', flows, round, packets, microseconds] = match;
  return {
    endpoint,
    road: road as Road,
    flows: Number(flows),
    round: Number(round),
    cost: (Number(microseconds) * 1000) / Number(packets),
  };
}
