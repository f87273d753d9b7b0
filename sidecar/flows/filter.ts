import type { Network } from '../../rules/index.js';
import { contains, isHost, parseNetwork } from '../../rules/index.js';
import type { Flow } from './flow.js';

/** Which flows are wanted; what is absent does not matter. */
export interface FlowFilter {
  /** An address or subnet anywhere in the flow, translated or not. */
  readonly client?: Network;
  /** A gateway id, as source or destination gateway. */
  readonly gateway?: number;
}

/** Whether a flow is wanted. Pure. */
export function matchesFilter(flow: Flow, { client, gateway }: FlowFilter): boolean {
  if (gateway !== undefined && flow.gateway !== gateway && flow.destinationGateway !== gateway) return false;
  if (client === undefined) return true;
  if (client.family !== flow.family) return false;
  const { original, reply } = flow;
  return [original.source, original.destination, reply.source, reply.destination].some((address) =>
    isWithin(client, address),
  );
}

/** The kernel prints addresses canonically, so a single one is compared as text. */
function isWithin(client: Network, address: string): boolean {
  if (isHost(client)) return client.address === address;
  const network = parseNetwork(address);
  return network !== null && contains(client, network);
}
