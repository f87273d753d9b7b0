/** What the kernel alone would refuse or do differently, and the module leaves to it (docs/decisions/0265). */
import { contains, moduleMark } from '../../rules/index.js';
import type { IpsecPolicy } from '../routing/ipsec-policies.js';
import type { RouteAnswer, RouteOf, RouteQuestion } from '../routing/route-question.js';
import type { TracedModule, TraceReading } from './reading.js';
import { hostOf, type Role } from './role.js';
import { describeRoute } from './route.js';
import { isAsked, type Steps, type Stopped, type TraceQuery } from './trace.js';

/**
 * Would the kernel forward a packet with this source? By rp_filter of the tunnel: the way back to DST has to lead
 * into it. IPv6 has no such filter, and what the endpoint sends itself is not looked at.
 */
export async function findSourceRefused(
  reading: TraceReading,
  { destination }: TraceQuery,
  { tunnel }: Role,
  { strictTunnels }: TracedModule,
  steps: Steps,
  routeOf: RouteOf,
): Promise<Stopped | undefined> {
  const filter = tunnel === null ? 0 : (strictTunnels.get(tunnel) ?? 0);
  if (tunnel === null || filter === 0 || destination.includes(':')) return undefined;
  const question: RouteQuestion = { to: destination, from: null, iif: null, mark: 0, transport: null };
  const answer = await routeOf(question);
  const name = `rp_filter=${filter} on ${tunnel}`;
  const isBack = 'route' in answer && (filter === 2 || answer.route.dev === tunnel);
  if (!isBack)
    return steps.stop(
      'source',
      `${name}: the route back to ${destination} ${'route' in answer ? `is ${describeRoute(reading, answer.route)}` : `is missing (${answer.refused})`}, so the kernel drops what comes from it`,
      `route ${destination} to ${tunnel}, or sysctl net.ipv4.conf.${tunnel}.rp_filter=0`,
    );
  steps.pass('source', `${name} accepts what ${destination} sends`);
  return undefined;
}

/** Does a policy of IPsec take what DST sends to SRC? */
export function findIpsec(
  { policy }: TraceReading,
  query: TraceQuery,
  { ipsec }: TracedModule,
  steps: Steps,
): Stopped | undefined {
  const mark = moduleMark(policy);
  const [first] = ipsec
    .filter((candidate) => isFor(candidate, query, mark))
    .toSorted((one, other) => one.priority - other.priority);
  if (first === undefined || first.action === 'none') return undefined;
  const does = first.action === 'drop' ? 'drops it' : 'encrypts it, and it leaves where its ESP is routed';
  return steps.stop(
    'ipsec',
    `an IPsec policy for packets out (${first.selector}) ${does}`,
    'none needed if that is intended; else change that policy: ip xfrm policy',
  );
}

function isFor(policy: IpsecPolicy, query: TraceQuery, mark: number): boolean {
  const { source, destination, protocol } = query;
  return (
    contains(policy.source, hostOf(destination)) &&
    contains(policy.destination, hostOf(source)) &&
    (policy.protocol === null || protocol === null || isProtocol(policy.protocol, protocol)) &&
    (policy.sourcePort === null || isAsked(query.destinationPort, policy.sourcePort)) &&
    (policy.destinationPort === null || isAsked(query.sourcePort, policy.destinationPort)) &&
    (policy.mark === null || (mark & policy.mark.mask) >>> 0 === policy.mark.value)
  );
}

/** Numbers of /etc/protocols, where there is none. */
const PROTOCOLS = { udp: ['udp', '17'], tcp: ['tcp', '6'], icmp: ['icmp', '1', 'ipv6-icmp', '58'] };

function isProtocol(name: string, wanted: 'udp' | 'tcp' | 'icmp'): boolean {
  return PROTOCOLS[wanted].includes(name);
}

/** What `ip route get` says of a route that forbids: its type. Null for anything else. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  'Invalid argument': 'blackhole',
  'No route to host': 'unreachable',
  'Permission denied': 'prohibit',
};

/** The type of the route that forbids it; null if none does. Pure. */
export function forbiddenBy(answer: RouteAnswer): string | null {
  return 'refused' in answer ? (FORBIDDEN[answer.refused] ?? null) : null;
}

/** Ports of a bridge from which it takes no frame, or only some senders'. Pure. */
export function findPorts({ ports }: Pick<TraceReading, 'ports'>, bridge: string, steps: Steps): Stopped | undefined {
  const own = ports.filter((port) => port.bridge === bridge);
  const idle = own.filter(({ state }) => state !== 'forwarding');
  const describe = idle.map(({ device, state }) => `${device} is ${state}`).join(', ');
  if (own.length > 0 && idle.length === own.length)
    return steps.stop(
      'capture',
      `${bridge} takes in no frame: ${describe} (STP)`,
      'wait until STP has settled, or see "bridge link"',
    );
  const locked = own.filter(({ isLocked }) => isLocked).map(({ device }) => `${device} is locked (802.1X)`);
  const limits = [...(idle.length === 0 ? [] : [describe]), ...locked];
  if (limits.length > 0) steps.pass('capture', `other frames than those of these ports: ${limits.join(', ')}`);
  return undefined;
}

/**
 * Frames that taught the module nothing because they were addressed to all, or to another host; null if there was
 * none. Pure.
 */
export function notForHost({ stats }: TracedModule): string | null {
  const count = stats.get('learn_not_host') ?? 0;
  return count === 0
    ? null
    : `${count} selected packets came in frames to all, or to another host, of which the module learns nothing (learn_not_host)`;
}
