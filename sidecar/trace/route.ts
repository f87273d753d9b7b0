import type { Transport } from '../../rules/index.js';
import { nexthopAddress } from '../../rules/index.js';
import { gatewayNeighbours } from '../datapath/nexthop/adoption.js';
import { GwmarkError } from '../errors.js';
import type { IpRoute } from '../routing/iproute.js';
import { ipJson } from '../routing/iproute.js';
import type { TraceReading } from './reading.js';

/** A packet to look up: one that the endpoint forwards (`iif`) or sends itself. */
export interface RouteQuestion {
  readonly to: string;
  /** Null for a socket that is bound to no address: the answer says which one it gets. */
  readonly from: string | null;
  readonly iif: string | null;
  readonly mark: number;
  /** The socket of OpenVPN that sends it: rules of ours ask for its port. */
  readonly transport: Transport | null;
}

/** How the kernel would route a packet, or why it would not. */
export type RouteAnswer = { readonly route: IpRoute } | { readonly refused: string };

/** Asks the kernel; tests answer themselves. */
export type RouteOf = (question: RouteQuestion) => Promise<RouteAnswer>;

/** The question as words of ip(8). */
export function routeWords({ to, from, iif, mark, transport }: RouteQuestion): readonly string[] {
  const words = ['route', 'get', to, ...(from === null ? [] : ['from', from])];
  if (iif !== null) words.push('iif', iif);
  if (transport !== null) {
    const { protocol, port, remote } = transport;
    // Numbers, because `ip` knows names only where there is an /etc/protocols.
    words.push(
      'ipproto',
      protocol === 'tcp' ? '6' : '17',
      ...(remote === undefined ? ['sport', String(port)] : ['dport', String(remote.port)]),
    );
  }
  return mark === 0 ? words : [...words, 'mark', `0x${mark.toString(16)}`];
}

/** Asks `ip route get`, which sends nothing. */
export async function routeOf(question: RouteQuestion): Promise<RouteAnswer> {
  try {
    const [route] = await ipJson<IpRoute>(['-N', ...routeWords(question)]);
    return route === undefined ? { refused: 'no route' } : { route };
  } catch (error) {
    // `ip ARGS: RTNETLINK answers: Network is unreachable`
    if (error instanceof GwmarkError && error.code === 'ROUTING_FAILED')
      return { refused: error.message.split(': ').at(-1) ?? error.message };
    throw error;
  }
}

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

/** `via 192.0.2.1 dev lan0`, or whom of us the next hop stands for. */
export function describeRoute(reading: Pick<TraceReading, 'policy' | 'plan'>, { gateway, dev }: IpRoute): string {
  const ours = gatewayOfHop(reading, gateway);
  if (ours !== null) return `the uplink's way, to ${ours.mac} on ${ours.device} (gateway ${ours.id})`;
  return gateway === undefined ? `dev ${dev ?? '?'}, no next hop` : `via ${gateway} dev ${dev ?? '?'}`;
}
