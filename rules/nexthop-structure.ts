import type { Statement } from 'nftables-json';
import { matchPacketTooBig, needsMarkedErrors } from './path-mtu.js';
import { ABOUT_CHAIN, MAC_KEY, aboutRules, clientSets, dynamicMacSet, matchDevice, matchDirection, matchTransport, matchTransportOutput, matchVpnDestinations, onlinkRules } from './selection.js';
import { legOutput, legPrerouting } from './legs.js';
import { answerFilters } from './path-filters.js';
import type { ChainSpec, RuleSpec, SetSpec, Structure, VerdictElement } from './structure.js';
import type { Gateway, Policy, Site } from './world.js';
import { gatewayMark } from './world.js';

/** Seconds for which an unknown source MAC stays listed. */
const CANDIDATE_SECONDS = 60;
/** Seconds for which a gateway of transport flows stays listed. */
const UPLINK_SECONDS = 3600;

/** Counts packets of a tunnel that answer a flow without a gateway: they take the normal route. */
export const NO_GATEWAY_CHAIN = 'no_gateway';

/** Counts, in its last rule, frames of VPN flows whose source MAC is no known gateway. */
export const LEARN_CHAIN = 'learn';

/**
 * Our table for the datapath `nexthop`: original-direction frames of VPN flows write their gateway's id into the
 * conntrack mark, packets of the reply direction get it back as packet mark, and `ip rule` does the rest.
 */
export function compileNexthopStructure(site: Site): Structure {
  const { policy, gateways } = site;
  const prerouting = [...legPrerouting(site), ...preroutingRules(site)];
  const answer = answerFilters(site, prerouting);
  const sets = new Map<string, SetSpec>([
    ...answer.sets,
    ...clientSets(site.subnetLengths),
    ['gateways', { kind: 'map', spec: { type: ['ifname', 'ether_addr'], map: 'verdict' } }],
    ['returns', { kind: 'map', spec: { type: 'mark', map: 'verdict' } }],
    ['candidates', dynamicMacSet(1024, CANDIDATE_SECONDS)],
    ['uplinks', dynamicMacSet(64, UPLINK_SECONDS)],
  ]);

  const chains = new Map<string, ChainSpec>([
    ['prerouting', { base: { type: 'filter', hook: 'prerouting', prio: -150, policy: 'accept' }, rules: [...answer.first, ...prerouting] }],
    ['output', { base: { type: 'route', hook: 'output', prio: -150, policy: 'accept' }, rules: [...legOutput(site), ...outputRules(site)] }],
    ['select', { base: {}, rules: selectRules(site) }],
    ['transport', { base: {}, rules: transportRules(site) }],
    [LEARN_CHAIN, { base: {}, rules: learnRules() }],
    [NO_GATEWAY_CHAIN, { base: {}, rules: [{ expr: [{ counter: null }] }] }],
    [ABOUT_CHAIN, { base: {}, rules: aboutRules(site) }],
    ...answer.chains,
  ]);
  const gatewayElements = new Map<string, VerdictElement>();
  const returnElements = new Map<string, VerdictElement>();
  for (const gateway of gateways) addGateway(policy, gateway, chains, gatewayElements, returnElements);

  return {
    sets,
    chains,
    verdicts: new Map([
      ['gateways', gatewayElements],
      ['returns', returnElements],
      ...answer.verdicts,
    ]),
  };
}

/** `learn_7`: the chain that writes gateway 7 into the conntrack mark. */
export function learnChain(id: number): string {
  return `learn_${id}`;
}

/** `return_7`: the chain that writes gateway 7 into the packet mark. */
export function returnChain(id: number): string {
  return `return_${id}`;
}

function addGateway(
  policy: Policy,
  gateway: Gateway,
  chains: Map<string, ChainSpec>,
  gatewayElements: Map<string, VerdictElement>,
  returnElements: Map<string, VerdictElement>,
): void {
  const { id } = gateway;
  const mark = gatewayMark(policy, id);
  chains.set(learnChain(id), { base: {}, rules: [{ expr: [{ counter: null }, setMark('ct', policy.markMask, mark)] }] });
  chains.set(returnChain(id), { base: {}, rules: [{ expr: [{ counter: null }, setMark('meta', policy.markMask, mark)] }] });
  for (const mac of gateway.sources) {
    const key = { concat: [gateway.device, mac] };
    gatewayElements.set(JSON.stringify(key), { key, chain: learnChain(id) });
  }
  returnElements.set(JSON.stringify(mark), { key: mark, chain: returnChain(id) });
}

/**
 * Transport flows are learnt in either direction: when OpenVPN sent first (conntrack flushed, or the sidecar came later),
 * its client's packets are the replies.
 *
 * Every packet of the machine comes through here, so what tells most of them apart comes first: port, direction and
 * destination before the device, which is dear to look up in a set.
 */
function preroutingRules(site: Site): RuleSpec[] {
  const { policy, links, transports, tunnels } = site;
  const replies = [replyRule(policy), ...(tunnels.length === 0 ? [] : [{ expr: [matchDirection('reply'), matchDevice(tunnels), { goto: { target: NO_GATEWAY_CHAIN } }] }])];
  if (links.length === 0) return replies;
  const fromLink = matchDevice(links);
  return [
    ...transports.map((transport) => {
      const [port, ...others] = matchTransport(transport);
      return { expr: [...(port === undefined ? [] : [port]), fromLink, ...others, { goto: { target: 'transport' } }] };
    }),
    ...replies,
    { expr: [matchDirection('reply'), { accept: null }] },
    ...matchVpnDestinations(site).map((match) => ({ expr: [match, matchDirection('original'), fromLink, { goto: { target: 'select' } }] })),
    ...(needsMarkedErrors(site) ? [{ expr: [...matchPacketTooBig(), restoreGateway(policy)] }] : []),
  ];
}

function outputRules(site: Site): RuleSpec[] {
  const ofTransports = site.transports.map((transport) => ({ expr: [...matchTransportOutput(transport), restoreGateway(site.policy)] }));
  return [replyRule(site.policy), ...ofTransports];
}

/** Both for packets from the tunnel and for OpenVPN's own answers: the flow's gateway comes back as packet mark. */
function replyRule(policy: Policy): RuleSpec {
  return { expr: [matchDirection('reply'), restoreGateway(policy)] };
}

function restoreGateway(policy: Policy): Statement {
  return { vmap: { key: { '&': [{ ct: { key: 'mark' } }, policy.markMask] }, data: '@returns' } };
}

function selectRules(site: Site): RuleSpec[] {
  const onlink = site.policy.learnOnlink ? [] : site.links.flatMap(onlinkRules);
  return [...onlink, { expr: [{ goto: { target: 'learn' } }] }];
}

/** A gateway of transport flows is noted once a flow, not once a packet: later packets carry its mark already. */
function transportRules(site: Site): RuleSpec[] {
  const { policy, links } = site;
  const isUnmarked: Statement = { match: { op: '==', left: { '&': [{ ct: { key: 'mark' } }, policy.markMask] }, right: 0 } };
  return [
    ...(policy.learnOnlink ? [] : links.flatMap(onlinkRules)),
    { expr: [isUnmarked, { set: { op: 'update', elem: MAC_KEY, set: '@uplinks' } }] },
    { expr: [{ goto: { target: 'learn' } }] },
  ];
}

function learnRules(): RuleSpec[] {
  return [{ expr: [{ vmap: { key: MAC_KEY, data: '@gateways' } }] }, { expr: [{ counter: null }, { set: { op: 'update', elem: MAC_KEY, set: '@candidates' } }] }];
}

/** The bits outside the mask are kept: they belong to others. */
function setMark(key: 'ct' | 'meta', mask: number, mark: number): Statement {
  const current = key === 'ct' ? { ct: { key: 'mark' } } : { meta: { key: 'mark' } };
  return { mangle: { key: current, value: { '|': [{ '&': [current, ~mask >>> 0] }, mark] } } };
}
