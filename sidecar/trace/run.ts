import type { Settings } from '../config/settings.js';
import { routeOf } from '../routing/route-question.js';
import { explain } from './explain.js';
import { readForTrace } from './reading.js';
import type { Trace, TraceQuery } from './trace.js';

/**
 * Tells why answers of a flow do or do not go by MAC. Looks and sends nothing.
 *
 * @throws GwmarkError where the kernel cannot be read
 */
export async function traceFlow(settings: Settings, query: TraceQuery): Promise<Trace> {
  return explain(await readForTrace(settings, query), query, routeOf);
}
