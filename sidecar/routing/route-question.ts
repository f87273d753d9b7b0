import type { Transport } from '../../rules/index.js';
import { GwmarkError } from '../errors.js';
import { ipJson, type IpRoute } from './iproute.js';

/** A packet to look up: one that the endpoint forwards (`iif`) or sends itself. */
export interface RouteQuestion {
  readonly to: string;
  /** Null for a socket that is bound to no address: the answer has the chosen one. */
  readonly from: string | null;
  readonly iif: string | null;
  readonly mark: number;
  /** The socket of OpenVPN that sends it: rules of ours ask for its port. */
  readonly transport: Transport | null;
}

/** How the kernel would route a packet, or why it would not. */
export type RouteAnswer = { readonly route: IpRoute } | { readonly refused: string };

/** Asks the kernel; tests provide their own answers. */
export type RouteOf = (question: RouteQuestion) => Promise<RouteAnswer>;

/** The question as arguments of ip(8). */
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

/**
 * Asks `ip route get`, which sends nothing.
 *
 * @throws GwmarkError ROUTING_UNAVAILABLE
 */
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
