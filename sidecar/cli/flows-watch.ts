import { setTimeout as pause } from 'node:timers/promises';

import { GwmarkError } from '../errors.js';
import type { Flow, FlowSource } from '../flows/flow.js';
import { FLOW_HEADER, flowJson, flowRow } from './flow-views.js';
import { type CliIo, hasColours } from './io.js';
import { formatTable } from './table.js';
import { type Frame, watchFrames } from './watch.js';

export interface FlowsWatchOptions {
  readonly asJson: boolean;
  /** Opens the source; called for each look, because the gateways may be others. */
  readonly open: () => Promise<FlowSource>;
  readonly matches: (flow: Flow) => boolean;
  /** At most this many flows are read. */
  readonly limit: number;
}

/** Each look reads the list of the kernel, which has no events for what flows count. */
const PAUSE_MS = 2000;

/** `gwmark flows --watch`: the busiest first where the kernel counts, so that the top of the list says most. */
export function watchFlows(io: CliIo, options: FlowsWatchOptions): Promise<void> {
  return watchFrames(io, options.asJson, async function* frames(signal) {
    let frame: Frame | null = null;
    while (!signal.aborted) {
      try {
        const text = await look(io, options);
        frame = { text, key: text, fault: null };
      } catch (error) {
        if (frame === null || !(error instanceof GwmarkError)) throw error;
        frame = { ...frame, fault: error.message };
      }
      yield frame;
      await pause(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  });
}

async function look(io: CliIo, { asJson, open, matches, limit }: FlowsWatchOptions): Promise<string> {
  const source = await open();
  const flows: Flow[] = [];
  let isTruncated = false;
  for await (const flow of source.flows()) {
    if (!matches(flow)) continue;
    isTruncated = flows.length === limit;
    if (isTruncated) break;
    flows.push(flow);
  }
  flows.sort((a, b) => bytesOf(b) - bytesOf(a));
  const { datapath, isSidecarRunning, gateways } = source;
  if (asJson) {
    const document = {
      datapath,
      sidecarRunning: isSidecarRunning,
      flows: flows.map((flow) => flowJson(flow, gateways)),
      truncated: isTruncated,
    };
    return `${JSON.stringify(document)}\n`;
  }
  if (flows.length === 0) return 'no matching flow has a gateway\n';
  const rows = flows.map((flow) => flowRow(flow, gateways));
  return `${formatTable(FLOW_HEADER, rows, hasColours(io.stdout, io.env))}${isTruncated ? `more flows exist than --limit ${limit} shows\n` : ''}`;
}

/** 0 where the kernel does not count: then the order is the kernel's. */
function bytesOf({ original, reply }: Flow): number {
  return (original.counted?.bytes ?? 0) + (reply.counted?.bytes ?? 0);
}
