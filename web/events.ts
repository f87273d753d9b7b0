import { nounOf } from '../sidecar/live/connected.js';
import type { Measured } from '../sidecar/live/measure.js';
import { formatRate } from './format.js';

/** Something that changed between two looks. */
export interface Happening {
  readonly atMs: number;
  readonly kind: 'good' | 'warn' | 'bad' | 'plain';
  readonly text: string;
  /** Of a move: the id of the gateway. */
  readonly gateway?: number;
}

/** What happened since the look before, in words; nothing before the first. Pure. */
export function happeningsBetween(before: Measured | null, after: Measured): readonly Happening[] {
  if (before === null) return [];
  const { atMs } = after;
  return [
    ...readiness(before, after),
    ...comings(before, after),
    ...gateways(before, after),
    ...fallThrough(before, after),
  ].map((happening) => ({ atMs, ...happening }));
}

type Text = Omit<Happening, 'atMs'>;

function readiness(before: Measured, after: Measured): readonly Text[] {
  const [was, is] = [before.document, after.document];
  const restarted: readonly Text[] =
    was.startedAt === is.startedAt ? [] : [{ kind: 'warn', text: 'the sidecar was restarted' }];
  const known = new Set(was.problems);
  const problems = is.problems.filter((problem) => !known.has(problem)).map((text): Text => ({ kind: 'bad', text }));
  const ready: readonly Text[] = !was.ready && is.ready ? [{ kind: 'good', text: 'ready again' }] : [];
  return [...restarted, ...problems, ...ready];
}

function comings(before: Measured, after: Measured): readonly Text[] {
  const [was, is] = [before, after].map(({ clients }) => new Map(clients.map(({ key, client }) => [key, client])));
  const came = [...(is ?? [])].filter(([key]) => was?.has(key) === false);
  const left = [...(was ?? [])].filter(([key]) => is?.has(key) === false);
  return [
    ...came.map(([, client]): Text => {
      const { commonName, addresses } = client;
      return { kind: 'good', text: `${nounOf(client)} ${commonName} connected: ${addresses.join(' ')}` };
    }),
    ...left.map(([, client]): Text => ({ kind: 'plain', text: `${nounOf(client)} ${client.commonName} left` })),
  ];
}

function gateways(before: Measured, after: Measured): readonly Text[] {
  const was = new Map(before.gateways.map(({ key, gateway }) => [key, gateway]));
  return after.gateways.flatMap(({ key, gateway }): readonly Text[] => {
    const { id, device, mac, state } = gateway;
    const known = was.get(key);
    if (known === undefined) return [{ kind: 'good', text: `gateway ${id} found: ${mac} on ${device}` }];
    if (known.mac !== mac) return [{ kind: 'warn', text: `gateway ${id} moved: ${known.mac} -> ${mac}`, gateway: id }];
    return known.state !== state && state === 'down'
      ? [{ kind: 'bad', text: `gateway ${id} is down: ${mac} on ${device}` }]
      : [];
  });
}

function fallThrough(before: Measured, after: Measured): readonly Text[] {
  const was = new Map(before.reasons.map(({ reason, packets }) => [reason, packets]));
  return after.reasons.flatMap(({ reason, packets }): readonly Text[] => {
    const more = packets - (was.get(reason) ?? 0);
    return more > 0 ? [{ kind: 'warn', text: `${formatRate(more)} packets took the normal route: ${reason}` }] : [];
  });
}
