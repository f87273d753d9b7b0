import type { Settings } from '../config/settings.js';
import { routeOf } from '../routing/route-question.js';
import { explain } from './explain.js';
import { readForTrace } from './reading.js';
import type { Trace, TraceQuery } from './trace.js';

/**
 * Explains whether answers of a flow go to the router's MAC address. Only reads; sends nothing.
 *
 * @throws GwmarkError if the kernel cannot be read
 */
export async function traceFlow(settings: Settings, query: TraceQuery): Promise<Trace> {
  return explain(await readForTrace(settings, query), query, routeOf);
}
