import type { Statement } from 'nftables-json';
import { rememberEach, rememberLast } from './remembered.js';
import { legOutput, legPrerouting } from './legs.js';
import { answerFilters } from './path-filters.js';
import { matchPacketTooBig, needsMarkedErrors } from './path-mtu.js';
import { ABOUT_CHAIN } from './about.js';
import { clearPacketMark, matchOurBits, ourBits, writeOurBits } from './mark-bits.js';
import { NOTED_SECONDS } from './noted-seconds.js';
import { compileOffload, noteRelearnt } from './offload.js';
import {
  MAC_KEY,
  ORIGINAL_DESTINATION,
  aboutRules,
  clientSets,
  dynamicMacSet,
  matchDevice,
  matchDirection,
  matchIcmpError,
  matchOnlinkSources,
  matchTranslated,
  matchTransport,
  matchTransportOutput,
  matchVpnDestinations,
  onlinkRules,
} from './selection.js';
import { matchExempt, type SourceScope } from './sources.js';
import type { ChainSpec, RuleSpec, SetSpec, Structure, VerdictElement } from './structure.js';
import { baseChain } from './structure.js';
import { heldAnswers, takeVacancyRules, vacancySets } from './vacancies.js';
import type { Gateway, Policy, Site } from './world.js';
import { gatewayMark } from './world.js';

/**
 * Behind every DNAT, which happens at -100 whatever the priority of the chain that asks for it
 * (`nf_nat_register_fn()`), so that a packet's true destination is known; and behind filters of others, so that one
 * that asks for the way back with the packet's mark sees packets from a tunnel as they came. Behind rules that copy marks, too.
 */
const PREROUTING_PRIORITY = 100;

/** Before every chain that may hand a flow to a flowtable, which are at 0 or thereabouts. */
const FORWARD_PRIORITY = -150;

/** Counts packets of a tunnel that answer a flow without a gateway: they take the normal route. */
export const NO_GATEWAY_CHAIN = 'no_gateway';

/** Counts, in its last rule, frames of VPN flows whose source MAC is no known gateway, and got no vacancy either. */
export const LEARN_CHAIN = 'learn';

/**
 * Our table for the datapath `nexthop`: frames of VPN flows that come from a link write their gateway's id into the
 * conntrack mark, packets of these flows that go the other way get it back as packet mark, and `ip rule` does the
 * rest.
 *
 * Frames teach in either direction of their conntrack entry, because an entry may be lost at any time, and whoever
 * sends next is the origin of the new one.
 */
export function compileNexthopStructure(site: Site): Structure {
  const { policy, gateways } = site;
  const fixed = fixedParts(site);
  const vacant = vacantParts(site);
  const answer = answerFilters(site, fixed.prerouting.rules ?? []) ?? {
    sets: [],
    chains: [['prerouting', fixed.prerouting]],
    verdicts: [],
  };
  const sets = new Map<string, SetSpec>([...answer.sets, ...fixed.sets, ...vacant.sets]);
  const offload = compileOffload(site);
  const chains = new Map<string, ChainSpec>([
    ...answer.chains,
    ...offload.chains,
    ...fixed.chains,
    [LEARN_CHAIN, vacant.learn],
    [NO_GATEWAY_CHAIN, COUNTING],
    [ABOUT_CHAIN, { base: {}, rules: aboutRules(site) }],
  ]);
  const verdicts = {
    gateways: new Map<string, VerdictElement>(),
    returns: new Map<string, VerdictElement>(),
    way_backs: new Map<string, VerdictElement>(),
  };
  for (const gateway of gateways) {
    const parts = gatewayParts(policy, gateway);
    for (const [name, chain] of parts.chains) chains.set(name, chain);
    if (offload.flowtables !== undefined) chains.set(learnChain(gateway.id), notingLearn(policy, gateway));
    for (const [map, key, element] of parts.verdicts) verdicts[map].set(key, element);
  }
  for (const { name, chain, key, element } of vacant.held) {
    chains.set(name, chain);
    verdicts.returns.set(key, element);
  }
  return {
    sets,
    chains,
    verdicts: new Map([...Object.entries(verdicts), ...answer.verdicts]),
    ...(offload.flowtables === undefined ? {} : { flowtables: offload.flowtables }),
  };
}

/** What no gateway changes. Remembered: see {@link rememberLast}. */
const FIXED_FIELDS = ['policy', 'links', 'tunnels', 'transports', 'subnetLengths', 'sources'] as const;

type Fixed = Pick<Site, (typeof FIXED_FIELDS)[number]>;

const COUNTING: ChainSpec = { base: {}, rules: [{ expr: [{ counter: null }] }] };

const fixedParts = rememberLast(FIXED_FIELDS, (site: Fixed) => {
  const { policy } = site;
  const prerouting = [{ expr: clearPacketMark(policy) }, ...legPrerouting(site), ...preroutingRules(site)];
  const sets: readonly (readonly [string, SetSpec])[] = [
    ...clientSets(site.subnetLengths),
    ['gateways', { kind: 'map', spec: { type: ['ifname', 'ether_addr'], map: 'verdict' } }],
    ['returns', { kind: 'map', spec: { type: 'mark', map: 'verdict' } }],
    ['way_backs', { kind: 'map', spec: { type: 'mark', map: 'verdict' } }],
    ['candidates', dynamicMacSet(1024, NOTED_SECONDS.candidate)],
    ['uplinks', dynamicMacSet(64, NOTED_SECONDS.uplink)],
  ];
  const chains: readonly (readonly [string, ChainSpec])[] = [
    ['forward', baseChain('forward', FORWARD_PRIORITY, forwardRules(policy))],
    ['output', baseChain('output', -150, [...legOutput(site), ...outputRules(site)], 'route')],
    ['select', { base: {}, rules: selectRules(site) }],
    ['translated', { base: {}, rules: translatedRules(site) }],
    ['unmarked', { base: {}, rules: unmarkedRules(site) }],
    ['transport', { base: {}, rules: transportRules(site) }],
  ];
  return { prerouting: baseChain('prerouting', PREROUTING_PRIORITY, prerouting), sets, chains };
});

/** What follows from the vacancies. */
const vacantParts = rememberLast(
  ['policy', 'vacancies'],
  ({ policy, vacancies = [] }: Pick<Site, 'policy' | 'vacancies'>) => ({
    sets: vacancySets(vacancies),
    learn: { base: {}, rules: learnRules({ policy, vacancies }) },
    held: vacancies.map((vacancy) => {
      const name = returnChain(vacancy.id);
      const mark = gatewayMark(policy, vacancy.id);
      return {
        name,
        chain: heldAnswers(policy, vacancy, NO_GATEWAY_CHAIN),
        key: JSON.stringify(mark),
        element: { key: mark, chain: name },
      };
    }),
  }),
);

/** `learn_7`: the chain that writes gateway 7 into the conntrack mark. */
export function learnChain(id: number): string {
  return `learn_${id}`;
}

/** `return_7`: the chain that writes gateway 7 into the packet mark. */
export function returnChain(id: number): string {
  return `return_${id}`;
}

/**
 * `way_back_7`: the same for packets that go to the VPN, of which only a flowtable asks for the way back; not counted.
 */
export function wayBackChain(id: number): string {
  return `way_back_${id}`;
}

/** The chains of a gateway, and the elements of verdict maps that lead to them. */
interface GatewayParts {
  readonly chains: readonly (readonly [string, ChainSpec])[];
  readonly verdicts: readonly (readonly ['gateways' | 'returns' | 'way_backs', string, VerdictElement])[];
}

/** The chain that learns where flows are offloaded. */
const notingLearn = rememberEach((policy, { id }: Gateway): ChainSpec => {
  const mark = gatewayMark(policy, id);
  return { base: {}, rules: [noteRelearnt(policy, mark), learnRule(policy, mark)] };
});

function learnRule(policy: Policy, mark: number): RuleSpec {
  return { expr: [{ counter: null }, writeOurBits('ct', policy, mark)] };
}

/** The same objects for the same gateway, so that comparing two structures need not look into them. */
const gatewayParts = rememberEach((policy, { id, device, sources }: Gateway): GatewayParts => {
  const mark = gatewayMark(policy, id);
  const markPacket = writeOurBits('meta', policy, mark);
  const [learn, back, wayBack] = [learnChain(id), returnChain(id), wayBackChain(id)];
  const keys = sources.map((mac) => ({ concat: [device, mac] }));
  return {
    chains: [
      [learn, { base: {}, rules: [learnRule(policy, mark)] }],
      [back, { base: {}, rules: [{ expr: [{ counter: null }, markPacket] }] }],
      [wayBack, { base: {}, rules: [{ expr: [markPacket] }] }],
    ],
    verdicts: [
      ...keys.map((key) => ['gateways', JSON.stringify(key), { key, chain: learn }] as const),
      ['returns', JSON.stringify(mark), { key: mark, chain: back }],
      ['way_backs', JSON.stringify(mark), { key: mark, chain: wayBack }],
    ],
  };
});

/**
 * Every packet of the machine comes through here, so what tells most of them apart comes first: port, destination and
 * conntrack mark before the device, which is dear to look up in a set.
 *
 * A packet for a VPN destination teaches if it comes from a link, and never goes to a gateway, wherever it comes from.
 * Of all others those go to their flow's gateway that come from a tunnel, and answers that come from elsewhere but a
 * link (a container behind a port that is published on the endpoint's VPN address). Frames of a flow whose client has
 * left come from a link and match none of these: they are routed as before, and never sent back to where they came from.
 */
function preroutingRules(site: Fixed): RuleSpec[] {
  const { policy, links, transports, tunnels } = site;
  const restore = restoreGateway(policy);
  const restoring: RuleSpec[] = [{ expr: [matchOurBits('ct', policy, '=='), { goto: { target: 'unmarked' } }] }];
  if (tunnels.length > 0) restoring.push({ expr: [matchDevice(tunnels), restore] });
  restoring.push({
    expr: [matchDirection('reply'), ...(links.length === 0 ? [] : [matchDevice(links, '!=')]), restore],
  });
  // Its gateway is gone.
  if (tunnels.length > 0) restoring.push({ expr: [matchDevice(tunnels), { goto: { target: NO_GATEWAY_CHAIN } }] });
  if (links.length === 0) return restoring;
  const fromLink = matchDevice(links);
  return [
    ...transports.map((transport) => {
      const [port, ...others] = matchTransport(transport);
      return { expr: [...(port === undefined ? [] : [port]), fromLink, ...others, { goto: { target: 'transport' } }] };
    }),
    ...matchVpnDestinations(site).map((match) => ({ expr: [match, { goto: { target: 'select' } }] })),
    { expr: [matchTranslated('dnat'), { jump: { target: 'translated' } }] },
    ...(needsMarkedErrors(site) ? [{ expr: [...matchPacketTooBig(), restore] }] : []),
    ...restoring,
  ];
}

/**
 * `flow add` of another program describes both directions of a flow from the one packet that it sees, and asks for the
 * route of the other with this packet's mark (`nft_flow_route()`). So a packet that goes to a gateway loses its mark,
 * which routing needed and the other direction must not have; and one that goes to the VPN gets the one that the other
 * needs.
 */
function forwardRules(policy: Policy): RuleSpec[] {
  const clear = writeOurBits('meta', policy, 0);
  return [
    { expr: [matchOurBits('ct', policy, '=='), { accept: null }] },
    { expr: [matchOurBits('meta', policy, '!='), clear, { accept: null }] },
    {
      expr: [
        { match: { op: '==', left: { meta: { key: 'iiftype' } }, right: 'ether' } },
        { vmap: { key: ourBits('ct', policy), data: '@way_backs' } },
      ],
    },
  ];
}

/**
 * A transport flow, and one of the endpoint's own tunnel addresses, is sent to its gateway in either direction; a
 * packet for the VPN never is.
 */
function outputRules(site: Fixed): RuleSpec[] {
  const { policy } = site;
  const restore = restoreGateway(policy);
  return [
    ...site.transports.map((transport) => ({ expr: [...matchTransportOutput(transport), restore] })),
    { expr: [matchOurBits('ct', policy, '=='), { accept: null }] },
    ...matchVpnDestinations(site).map((match): RuleSpec => ({
      expr: [match, writeOurBits('meta', policy, 0), { accept: null }],
    })),
    { expr: [restore] },
  ];
}

function restoreGateway(policy: Policy): Statement {
  return { vmap: { key: ourBits('ct', policy), data: '@returns' } };
}

function selectRules(site: Fixed): RuleSpec[] {
  const { links, policy } = site;
  const notFromLink: RuleSpec[] = links.length === 0 ? [] : [{ expr: [matchDevice(links, '!='), { return: null }] }];
  const onlink = policy.learnOnlink ? [] : links.flatMap(onlinkRules);
  return [
    ...notFromLink,
    { expr: [...matchIcmpError(), { return: null }] },
    ...exemptRules(site, 'clients'),
    ...onlink,
    { expr: [{ goto: { target: 'learn' } }] },
  ];
}

/**
 * Flows whose first packet went to a VPN destination, from where DNAT sent it elsewhere: to a container, or to a host
 * on a link, whose answers come from that link. A host on the link is no gateway, so what it sends did not come from
 * the flow's own.
 */
function translatedRules(site: Fixed): RuleSpec[] {
  const { links, policy } = site;
  const answers = policy.learnOnlink
    ? []
    : links
        .flatMap(matchOnlinkSources)
        .map((matches): RuleSpec => ({ expr: [matchDirection('reply'), ...matches, restoreGateway(policy)] }));
  return [
    ...matchVpnDestinations(site, ORIGINAL_DESTINATION).map((match): RuleSpec => ({
      expr: [matchDirection('original'), match, { goto: { target: 'select' } }],
    })),
    ...answers,
  ];
}

/** The first packets of what a client opens have no gateway; an answer without one is worth counting. */
function unmarkedRules({ tunnels }: Fixed): RuleSpec[] {
  return tunnels.length === 0
    ? []
    : [{ expr: [matchDirection('reply'), matchDevice(tunnels), { goto: { target: NO_GATEWAY_CHAIN } }] }];
}

/** A gateway of transport flows is noted once per flow, not once per packet: later packets already have its mark. */
function transportRules(site: Fixed): RuleSpec[] {
  const { policy, links } = site;
  return [
    ...exemptRules(site, 'transport'),
    ...(policy.learnOnlink ? [] : links.flatMap(onlinkRules)),
    { expr: [matchOurBits('ct', policy, '=='), { set: { op: 'update', elem: MAC_KEY, set: '@uplinks' } }] },
    { expr: [{ goto: { target: 'learn' } }] },
  ];
}

function exemptRules({ sources, links }: Fixed, scope: SourceScope): RuleSpec[] {
  return matchExempt(sources?.[scope], links).map((matches) => ({ expr: [...matches, { return: null }] }));
}

function learnRules(site: Pick<Site, 'policy' | 'vacancies'>): RuleSpec[] {
  return [
    { expr: [{ vmap: { key: MAC_KEY, data: '@gateways' } }] },
    ...takeVacancyRules(site),
    { expr: [{ counter: null }, { set: { op: 'update', elem: MAC_KEY, set: '@candidates' } }] },
  ];
}
