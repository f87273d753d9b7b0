import type { Flow, FlowCount, FlowSource, FlowTuple } from '../flows/flow.js';

/** The columns of `gwmark flows`. */
export const FLOW_HEADER = [
  'PROTOCOL',
  'FROM',
  'TO',
  'ANSWERED BY',
  'GATEWAY',
  'DEVICE',
  'MAC',
  'PACKETS',
  'BYTES',
  'OFFLOADED',
] as const;

/**
 * One flow as `gwmark flows --json` prints it: the flow, and where its gateway is (null if the id is no longer valid).
 */
export interface FlowJson extends Flow {
  readonly device: string | null;
  /** Where its answers are sent. */
  readonly mac: string | null;
}

export function flowJson(flow: Flow, gateways: FlowSource['gateways']): FlowJson {
  const gateway = gateways.get(flow.gateway);
  return { ...flow, device: gateway?.device ?? null, mac: gateway?.mac ?? null };
}

/** A row for {@link FLOW_HEADER}. Packets and bytes are "sent by the opener / answered". */
export function flowRow(flow: Flow, gateways: FlowSource['gateways']): readonly string[] {
  const { original, reply } = flow;
  const gateway = gateways.get(flow.gateway);
  const isTranslated = reply.source !== original.destination || reply.sourcePort !== original.destinationPort;
  return [
    flow.protocol,
    end(original.source, original.sourcePort),
    end(original.destination, original.destinationPort),
    isTranslated ? end(reply.source, reply.sourcePort) : '',
    flow.gateway === 0 ? '' : String(flow.gateway),
    gateway?.device ?? '',
    gateway?.mac ?? '',
    bothWays(original, reply, 'packets'),
    bothWays(original, reply, 'bytes'),
    flow.isOffloaded === true ? 'yes' : '',
  ];
}

function end(address: string, port: number | null): string {
  if (port === null) return address;
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function bothWays(original: FlowTuple, reply: FlowTuple, unit: keyof FlowCount): string {
  return original.counted === null || reply.counted === null ? '' : `${original.counted[unit]}/${reply.counted[unit]}`;
}
