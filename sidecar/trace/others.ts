import { isAnswerableBehindNat } from '../../rules/index.js';
import { nftZones } from '../doctor/checks/conntrack-zones.js';
import { remedyOfRefusal, waysBetween } from '../doctor/checks/forward-policy.js';
import { remedyBehindNat, remedyOfFilter, whyUnanswerable } from '../doctor/checks/path-filters.js';
import { describeFlowtable } from '../doctor/checks/flowtables.js';
import { foreignFlowtables } from '../firewall/flowtables.js';
import { refusalOf } from '../firewall/forward-verdict.js';
import type { TraceReading } from './reading.js';
import type { Role } from './role.js';
import type { Steps, Stopped, TraceQuery } from './trace.js';

/**
 * Looks for rules of other programs that certainly end the flow; notes a reverse path filter that is told of gateways.
 * Pure.
 */
export function findOthers(reading: TraceReading, query: TraceQuery, role: Role, steps: Steps): Stopped | undefined {
  const family = query.source.includes(':') ? 6 : 4;
  const { filters, firewall, strandedLink } = reading.others;
  for (const filter of filters.filter(({ families }) => families.includes(family))) {
    const reason = whyUnanswerable(filter, reading.datapath, firewall);
    if (reason !== null && strandedLink !== null) {
      return steps.stop(
        'filter',
        `${filter.where} drops packets from distant hosts on ${strandedLink}: the endpoint has no route back to ${query.source}, and ${reason}`,
        remedyOfFilter(filter),
      );
    }
    if (reason === null && strandedLink !== null && !isAnswerableBehindNat(filter) && isMasqueraded(reading, query)) {
      return steps.stop(
        'filter',
        `${filter.where} drops replies to a flow that the endpoint masquerades: it comes before connection tracking, which finds their flow`,
        remedyBehindNat(filter),
      );
    }
    steps.pass(
      'filter',
      reason === null ? `${filter.where} gets the route to the gateway` : `${filter.where} accepts the default route`,
    );
  }
  const devices = [...reading.devices.links, ...reading.devices.tunnels].map(({ device }) => device);
  for (const flowtable of foreignFlowtables(reading.others.ruleset, reading.policy.table, devices)) {
    steps.pass('firewall', describeFlowtable(flowtable, reading.datapath));
  }
  const refused = refusalsOf(reading, query, role);
  const [first] = refused;
  if (
    first === undefined ||
    !refused.every(({ refusal }) => refusal?.mayBeAccepted === false) ||
    first.refusal === null
  )
    return undefined;
  const { way, refusal } = first;
  return steps.stop(
    'firewall',
    `${refusal.where} ends new flows from ${way.from} to ${way.to} with ${refusal.verdict}`,
    remedyOfRefusal({ ...way, ...refusal }),
  );
}

/** DST opened a flow to SRC, and SRC answers to an address of the endpoint. */
function isMasqueraded({ opened }: TraceReading, { source, destination }: TraceQuery): boolean {
  return opened.byDestination.some(
    ({ original, reply }) =>
      original.source === destination && reply.source === source && reply.destination !== destination,
  );
}

/** A rule of another program that may have ended a flow that is not there; null if there is none. */
export function suspectOf(
  reading: TraceReading,
  query: TraceQuery,
  role: Role,
): { readonly text: string; readonly remedy: string } | null {
  const [zone] = nftZones(reading.others.ruleset);
  if (zone !== undefined)
    return {
      text: `${zone} puts packets into a conntrack zone: packets from the tunnel are looked up in another one`,
      remedy: 'put links and tunnels of the VPN into one zone, or none',
    };
  const suspect = refusalsOf(reading, query, role).find(({ refusal }) => refusal !== null);
  if (suspect?.refusal == null) return null;
  const { way, refusal } = suspect;
  return {
    text: `${refusal.where} ends new flows from ${way.from} to ${way.to} with ${refusal.verdict} unless an earlier rule accepts them`,
    remedy: remedyOfRefusal({ ...way, ...refusal }),
  };
}

/** What becomes of the first packet from each link to the tunnel; nothing for what the endpoint itself answers. */
function refusalsOf(
  { others: { ruleset }, devices }: TraceReading,
  { source }: TraceQuery,
  { tunnel }: Role,
): readonly {
  readonly way: ReturnType<typeof waysBetween>[number];
  readonly refusal: ReturnType<typeof refusalOf>;
}[] {
  if (tunnel === null) return [];
  const family = source.includes(':') ? 6 : 4;
  const ways = waysBetween(
    devices.links.map(({ device }) => device),
    [tunnel],
  ).filter(({ isFromTunnel }) => !isFromTunnel);
  return ways.map((way) => ({ way, refusal: refusalOf(ruleset, { ...way, family }) }));
}
