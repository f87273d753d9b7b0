import { nexthopAddress } from '../../rules/index.js';
import { gatewayNeighbours } from '../datapath/nexthop/adoption.js';
import type { IpRoute } from '../routing/iproute.js';
import type { TraceReading } from './reading.js';

/** The gateway of the datapath `nexthop` that a next hop stands for; null for any other next hop. */
export function gatewayOfHop(
  { policy, plan }: Pick<TraceReading, 'policy' | 'plan'>,
  hop: string | undefined,
): { readonly id: number; readonly device: string; readonly mac: string } | null {
  if (hop === undefined) return null;
  for (const [id, { device, mac }] of gatewayNeighbours(policy, plan)) {
    if (nexthopAddress(policy, hop.includes(':') ? 6 : 4, id) === hop) return { id, device, mac };
  }
  return null;
}

/** `via 192.0.2.1 dev lan0`, or the gateway that the next hop stands for. */
export function describeRoute(reading: Pick<TraceReading, 'policy' | 'plan'>, { gateway, dev }: IpRoute): string {
  const ours = gatewayOfHop(reading, gateway);
  if (ours !== null) return `the uplink's way, to ${ours.mac} on ${ours.device} (gateway ${ours.id})`;
  return gateway === undefined ? `dev ${dev ?? '?'}, no next hop` : `via ${gateway} dev ${dev ?? '?'}`;
}
