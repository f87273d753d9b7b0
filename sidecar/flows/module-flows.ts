import { checkAbi, MODULE_DIRECTORY, parseFields } from '../datapath/module/proc.js';
import { GwmarkError } from '../errors.js';
import { fileLines } from '../system/lines.js';
import type { Flow, FlowTuple } from './flow.js';
import { protocolName } from './flow.js';

/**
 * Streams the flows that the module has a gateway for.
 *
 * @throws GwmarkError FLOWS_UNAVAILABLE when the file cannot be read, DATAPATH_ABI when the module speaks another ABI
 */
export async function* moduleFlows(): AsyncGenerator<Flow, void> {
  const path = `${MODULE_DIRECTORY}/flows`;
  let isFirst = true;
  try {
    for await (const line of fileLines(path)) {
      if (isFirst) checkAbi(path, line);
      isFirst = false;
      const flow = parseModuleFlow(line);
      if (flow !== null) yield flow;
    }
  } catch (error) {
    if (error instanceof GwmarkError) throw error;
    throw new GwmarkError('FLOWS_UNAVAILABLE', `read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** Parses a line of `flows`; null for one that lacks what every version has. */
export function parseModuleFlow(record: string): Flow | null {
  const fields = parseFields(record);
  if (!['proto', 'src', 'dst', 'reply_src', 'reply_dst'].every((name) => fields.has(name))) return null;
  return {
    family: fields.get('family') === '6' ? 6 : 4,
    protocol: protocolName(Number(fields.get('proto'))),
    original: toTuple(fields, ''),
    reply: toTuple(fields, 'reply_'),
    gateway: Number(fields.get('source') ?? 0),
    destinationGateway: Number(fields.get('destination') ?? 0),
  };
}

function toTuple(fields: ReadonlyMap<string, string>, prefix: '' | 'reply_'): FlowTuple {
  const number = (name: string): number | null =>
    fields.has(prefix + name) ? Number(fields.get(prefix + name)) : null;
  const [packets, bytes] = [number('packets'), number('bytes')];
  return {
    source: fields.get(`${prefix}src`) ?? '',
    sourcePort: number('sport'),
    destination: fields.get(`${prefix}dst`) ?? '',
    destinationPort: number('dport'),
    counted: packets === null || bytes === null ? null : { packets, bytes },
  };
}
