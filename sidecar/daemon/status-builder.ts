import type { Datapath } from '../datapath/datapath.js';
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
  readonly datapath: Datapath;
  readonly servers: readonly Instance[];
  readonly problems: readonly string[];
  /** The kernel has what is wanted. */
  readonly isSettled: boolean;
}

/** Puts the status document together. */
export function buildStatus(input: StatusInput): StatusDocument {
  const problems =
    input.isSettled || input.problems.length > 0 ? input.problems : ['the first rules are not installed yet'];
  const { datapath, repairs } = input;
  const instances = input.servers.map(statusOf);
  return {
    version: input.version,
    datapath: datapath.kind,
    firewall: input.firewall,
    ready: problems.length === 0,
    problems,
    servers: instances.map(({ server }) => server),
    clients: instances.flatMap(({ clients }) => clients),
    unreachable: input.unreachable ?? [],
    gateways: datapath.status(),
    sourceLists: datapath.sources.status(),
    uplink: datapath.uplinkId,
    startedAt: repairs.startedAt,
    repairs: repairs.repairs,
    fallThrough: Object.fromEntries(datapath.fallThrough),
    moduleCounters: datapath.moduleCounters === null ? null : Object.fromEntries(datapath.moduleCounters),
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
