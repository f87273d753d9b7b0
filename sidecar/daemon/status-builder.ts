import type { DatapathKind, GatewayView } from '../datapath/datapath.js';
import type { SourceLists } from '../datapath/source-lists.js';
import type { StatusDocument } from '../status.js';
import type { Instance } from '../openvpn/instance.js';
import { statusOf } from '../openvpn/instance-status.js';
import type { Repairs } from './repairs.js';

export interface StatusInput extends Pick<
  StatusDocument,
  'version' | 'firewall' | 'elements' | 'unreachable' | 'markMask' | 'settings'
> {
  readonly appliedPass: number;
  readonly repairs: Repairs;
  readonly datapath: DatapathKind;
  readonly gateways: GatewayView;
  readonly sources: SourceLists;
  readonly servers: readonly Instance[];
  readonly problems: readonly string[];
  /** The kernel has what is wanted. */
  readonly isSettled: boolean;
}

/** Puts the status document together. */
export function buildStatus(input: StatusInput): StatusDocument {
  const problems =
    input.isSettled || input.problems.length > 0 ? input.problems : ['the first rules are not installed yet'];
  const { gateways, repairs } = input;
  const { fallThrough, module } = gateways.counters;
  const instances = input.servers.map(statusOf);
  return {
    version: input.version,
    datapath: input.datapath,
    firewall: input.firewall,
    ready: problems.length === 0,
    problems,
    servers: instances.map(({ server }) => server),
    clients: instances.flatMap(({ clients }) => clients),
    unreachable: input.unreachable ?? [],
    gateways: gateways.status(),
    sourceLists: input.sources.status(),
    uplink: gateways.uplinkId,
    startedAt: repairs.startedAt,
    repairs: repairs.repairs,
    fallThrough: Object.fromEntries(fallThrough),
    moduleCounters: module === null ? null : Object.fromEntries(module),
    elements: input.elements,
    appliedPass: input.appliedPass,
    markMask: input.markMask,
    ...(input.settings === undefined ? {} : { settings: input.settings }),
    networkNamespace: repairs.networkNamespace,
  };
}

/** The document in one line, for `systemctl status`. */
export function summarize({ ready, problems, clients, gateways, datapath }: StatusDocument): string {
  if (!ready) return `not ready: ${problems.join('; ')}`;
  return `ready, datapath ${datapath}: ${clients.length} clients, ${gateways.length} gateways`;
}
