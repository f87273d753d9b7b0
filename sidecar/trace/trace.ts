/** Which flow is asked about: from the one who opened it to the one who answers. */
export interface TraceQuery {
  /** Canonical addresses of one family. */
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'udp' | 'tcp' | 'icmp' | null;
  /** Null: any. */
  readonly sourcePort: number | null;
  readonly destinationPort: number | null;
}

/** One thing that must be so for an answer to go by MAC. */
export interface TraceStep {
  readonly step: 'rules' | 'destination' | 'selection' | 'conntrack' | 'gateway' | 'device' | 'rule' | 'route' | 'neighbour' | 'kernel';
  readonly ok: boolean;
  readonly text: string;
  /** How to mend it; null where it is as it must be. */
  readonly remedy: string | null;
}

/** Why answers of a flow do or do not go by MAC: steps up to the first that fails, and one sentence. */
export interface Trace {
  readonly query: TraceQuery;
  readonly goesByMac: boolean;
  readonly steps: readonly TraceStep[];
  readonly sentence: string;
}

/** Builds a trace step by step; after a step that failed it takes no more. */
export class TraceBuilder {
  readonly #steps: TraceStep[] = [];

  pass(step: TraceStep['step'], text: string): void {
    this.#steps.push({ step, ok: true, text, remedy: null });
  }

  /** The last step of a trace that leads to no MAC. */
  fail(query: TraceQuery, step: TraceStep['step'], text: string, remedy: string): Trace {
    this.#steps.push({ step, ok: false, text, remedy });
    return { query, goesByMac: false, steps: this.#steps, sentence: `answers of this flow do not go by MAC: ${text}` };
  }

  /** The end of a trace that leads to a MAC. */
  succeed(query: TraceQuery, sentence: string): Trace {
    return { query, goesByMac: true, steps: this.#steps, sentence };
  }
}
