import type { FlowTuple } from '../flows/flow.js';
import type { TracedFlow, TraceReading } from './reading.js';
import { notForHost } from './kernel-policy.js';
import { suspectOf } from './others.js';
import type { Role } from './role.js';
import { isAsked, type Steps, type Stopped, type TraceQuery } from './trace.js';

/** The requested flow, as conntrack has it. */
export interface FoundFlow {
  /** True if DST opened it: then what DST sends is not an answer. */
  readonly isOpenedByDestination: boolean;
  /**
   * The gateway that it remembers for what DST sends; 0 for none, which only one that DST opened, and that no answer
   * came to yet, may have.
   */
  readonly id: number;
}

/** Looks the flow up, and notes it as a step; one that a client opened, or OpenVPN itself, will do too. Pure. */
export function findFlow(reading: TraceReading, query: TraceQuery, role: Role, steps: Steps): FoundFlow | Stopped {
  const { bySource, byDestination } = reading.opened;
  const answered = bySource.filter((flow) => isMeant(flow, query));
  const opened = byDestination.filter((flow) => isMeantReversed(flow, query));
  // One that DST opened has the gateway that its answers come from.
  const ofDestination = opened.map((flow) => ({
    flow,
    isOpenedByDestination: true,
    id: reading.datapath === 'module' ? flow.destinationGateway : flow.gateway,
  }));
  const ofSource = answered.map((flow) => ({ flow, isOpenedByDestination: false, id: flow.gateway }));
  const candidates = [...ofSource, ...ofDestination];
  // An entry may outlive its gateway: one whose gateway is there says more.
  const gateways: readonly { readonly id: number }[] =
    (reading.datapath === 'module' ? reading.module : reading.status)?.gateways ?? [];
  const found =
    candidates.find((candidate) => gateways.some(({ id }) => id === candidate.id)) ??
    candidates.find(({ id }) => id !== 0) ??
    candidates[0];
  if (found === undefined) return steps.stop('conntrack', ...missingFlow(reading, query, role));

  const { flow, isOpenedByDestination, id } = found;
  const text = `${flow.protocol} ${describe(flow.original)}, answers ${describe(flow.reply)}${others(candidates, id)}`;
  if (id === 0 && !isOpenedByDestination) return steps.stop('conntrack', ...noGateway(reading, flow, text), 0);
  const who = `${isOpenedByDestination ? ' (opened by DST)' : ''}${flow.isOffloaded === true ? ', offloaded' : ''}`;
  steps.pass(
    'conntrack',
    `${text}${who}: ${id === 0 ? 'no gateway: a flow that DST opens has none before its first answer; a flow of SRC looks the same if its entry timed out or was deleted and DST sent next' : `gateway ${id}`}`,
  );
  return { isOpenedByDestination, id };
}

/** With DNAT, the source of the answers identifies who answers. */
function isMeant({ protocol, original, reply }: TracedFlow, query: TraceQuery): boolean {
  const isPair =
    original.source === query.source &&
    (original.destination === query.destination || reply.source === query.destination);
  return (
    isPair &&
    isProtocol(protocol, query) &&
    isAsked(query.sourcePort, original.sourcePort) &&
    isAsked(query.destinationPort, original.destinationPort)
  );
}

/** The same for a flow that DST opened. */
function isMeantReversed({ protocol, original, reply }: TracedFlow, query: TraceQuery): boolean {
  const isPair =
    original.source === query.destination && (original.destination === query.source || reply.source === query.source);
  return (
    isPair &&
    isProtocol(protocol, query) &&
    isAsked(query.destinationPort, original.sourcePort) &&
    isAsked(query.sourcePort, original.destinationPort)
  );
}

function isProtocol(protocol: string, { protocol: wanted }: TraceQuery): boolean {
  return wanted === null || protocol === wanted || (wanted === 'icmp' && protocol === 'icmpv6');
}

function others(candidates: readonly { readonly id: number }[], id: number): string {
  if (candidates.length === 1) return '';
  const ids = [...new Set(candidates.map((candidate) => candidate.id))].filter((other) => other !== id);
  const differing =
    ids.length === 0
      ? ''
      : `; others have ${ids.map((other) => (other === 0 ? 'none' : `gateway ${other}`)).join(', ')}: select one with --proto and ports`;
  return `, one of ${candidates.length}${differing}`;
}

function noGateway(
  { datapath, sourceLists, module }: TraceReading,
  { mark }: TracedFlow,
  text: string,
): readonly [text: string, remedy: string] {
  const found = datapath === 'nexthop' ? `no gateway in its mark 0x${mark.toString(16)}` : 'no gateway in its labels';
  if (sourceLists.length > 0)
    return [
      `${text}: ${found}; because of ${sourceLists.join(' and ')}, gwmark may not learn its router`,
      `check ${sourceLists.join(' and ')}, and "gwmark gateways"; if they do not exclude its router, let it send again`,
    ];
  const toAll = module === null ? null : notForHost(module);
  if (toAll !== null)
    return [`${text}: ${found}; ${toAll}`, "let its router send to the endpoint's own MAC address, and it again"];
  return [
    `${text}: ${found}`,
    'its router was unknown at its first packet, or the flow is older than the rules: let it send again, and check that "gwmark gateways" lists that router',
  ];
}

function missingFlow(reading: TraceReading, query: TraceQuery, role: Role): readonly [text: string, remedy: string] {
  const { allDevices } = reading;
  const { source, destination } = query;
  const suspect = suspectOf(reading, query, role);
  if (suspect !== null)
    return [`conntrack has no such flow from ${source} to ${destination}, and ${suspect.text}`, suspect.remedy];
  const down = allDevices.find(({ link_type: type, flags }) => type === 'ether' && !flags.includes('LOWER_UP'));
  const hint =
    down === undefined ? '' : `; ${down.ifname} is ${down.flags.includes('UP') ? 'without carrier' : 'down'}`;
  return [
    `conntrack has no such flow from ${source} to ${destination}${hint}`,
    'let it send a packet: none has arrived, something dropped it before (rp_filter, a firewall), or the entry expired',
  ];
}

function describe({ source, destination, sourcePort, destinationPort }: FlowTuple): string {
  return `${formatEnd(source, sourcePort)} -> ${formatEnd(destination, destinationPort)}`;
}

function formatEnd(address: string, port: number | null): string {
  if (port === null) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
