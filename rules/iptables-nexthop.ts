import type { Family, RuleWords, SetSpec } from 'iptables-wrapper';
import type { IptablesChain, IptablesMachine, IptablesRules } from './iptables-rules.js';
import { IPTABLES_CHAINS, iptablesClientSets, iptablesSeenSet, iptablesSeenSpec } from './iptables-rules.js';
import { ORIGINAL, REPLY, aboutChain, chainName, fromLinks, fromTransports, hexMark, onlinkReturns, toTransports, toVpnDestinations } from './iptables-selection.js';
import { iptablesLegOutput, iptablesLegPrerouting } from './legs.js';
import { iptablesPacketTooBig, needsMarkedErrors } from './path-mtu.js';
import type { Site } from './world.js';
import { gatewayMark } from './world.js';

/** Seconds for which an unknown source MAC stays listed. */
const SEEN_SECONDS = 60;

/**
 * Our iptables rules for the datapath `nexthop`: the same as the nftables table of `compileNexthopStructure`, with these differences.
 *
 * iptables has no maps, so the rules of gateways are walked one after the other: by MAC in the original direction, by conntrack mark in the other. Which
 * gateways transport flows come from is told by the counters of their rules in the chain `transport`. Unknown MACs are noted in sets where the machine has the
 * type for it; where not, the neighbour table alone tells of routers.
 */
export function compileIptablesNexthop(site: Site, machine: IptablesMachine): IptablesRules {
  const sets: SetSpec[] = machine.families.flatMap((family) => iptablesClientSets(site.policy, family));
  if (machine.hasMacSets) sets.push(...site.links.map(({ device }) => iptablesSeenSpec(site.policy.table, device, SEEN_SECONDS)));
  const chains = machine.families.flatMap((family, index) => [...(index === 0 ? [aboutChain(site, family)] : []), ...chainsOf(site, family, machine.hasMacSets)]);
  return { chains, sets: new Map(sets.map((set) => [set.name, set])), notes: 'candidates' };
}

/** `gwmark-learn-7`: the chain that writes gateway 7 into the conntrack mark. */
export function iptablesLearnChain(site: Pick<Site, 'policy'>, id: number): string {
  return chainName(site.policy, `${IPTABLES_CHAINS.learn}-${id}`);
}

/** `gwmark-return-7`: the chain that writes gateway 7 into the packet mark. */
export function iptablesReturnChain(site: Pick<Site, 'policy'>, id: number): string {
  return chainName(site.policy, `${IPTABLES_CHAINS.return}-${id}`);
}

function chainsOf(site: Site, family: Family, hasMacSets: boolean): IptablesChain[] {
  const { policy, links, gateways, tunnels } = site;
  const name = (chain: string): string => chainName(policy, chain);
  const made = (chain: string, rules: readonly RuleWords[]): IptablesChain => ({ family, name: name(chain), rules, from: null });
  const goto = (chain: string): RuleWords => ['-g', name(chain)];
  const mask = hexMark(policy.markMask);
  const ofFlow = (mark: number): RuleWords => ['-m', 'connmark', '--mark', `${hexMark(mark)}/${mask}`];

  const perGateway = gateways.flatMap(({ id }): IptablesChain[] => {
    const mark = `${hexMark(gatewayMark(policy, id))}/${mask}`;
    return [
      { family, name: iptablesLearnChain(site, id), from: null, rules: [['-j', 'CONNMARK', '--set-xmark', mark]] },
      { family, name: iptablesReturnChain(site, id), from: null, rules: [['-j', 'MARK', '--set-xmark', mark]] },
    ];
  });
  const bySource = gateways.flatMap(({ id, device, sources }) => sources.map((mac) => ['-i', device, '-m', 'mac', '--mac-source', mac, '-g', iptablesLearnChain(site, id)]));
  const byMark = gateways.map(({ id }) => [...ofFlow(gatewayMark(policy, id)), '-g', iptablesReturnChain(site, id)]);
  const note = hasMacSets ? links.map(({ device }) => ['-i', device, '-j', 'SET', '--add-set', iptablesSeenSet(policy.table, device), 'src', '--exist']) : [];
  const back = goto(IPTABLES_CHAINS.return);
  return [
    ...perGateway,
    // Its last rule counts.
    made(IPTABLES_CHAINS.unknown, [...note, ['-j', 'RETURN']]),
    made(IPTABLES_CHAINS.learn, [...bySource, goto(IPTABLES_CHAINS.unknown)]),
    // The same rules once more, so that their counters tell which gateways transport flows come from.
    made(IPTABLES_CHAINS.transport, [...onlinkReturns(site, family), ...bySource, goto(IPTABLES_CHAINS.unknown)]),
    made(IPTABLES_CHAINS.select, [...onlinkReturns(site, family), ...toVpnDestinations(site, family, goto(IPTABLES_CHAINS.learn))]),
    made(IPTABLES_CHAINS.noGateway, tunnels.map(({ device }) => ['-i', device, '-j', 'RETURN'])),
    made(IPTABLES_CHAINS.return, [[...ofFlow(0), ...goto(IPTABLES_CHAINS.noGateway)], ...byMark, goto(IPTABLES_CHAINS.noGateway)]),
    made(IPTABLES_CHAINS.link, [
      ...toTransports(site, family, goto(IPTABLES_CHAINS.transport)),
      [...REPLY, ...back],
      ...(needsMarkedErrors(site) ? iptablesPacketTooBig(family).map((match) => [...match, ...back]) : []),
      [...ORIGINAL, ...goto(IPTABLES_CHAINS.select)],
    ]),
    { ...made(IPTABLES_CHAINS.prerouting, [...iptablesLegPrerouting(site, family), ...fromLinks(links, goto(IPTABLES_CHAINS.link)), [...REPLY, ...back]]), from: 'PREROUTING' },
    { ...made(IPTABLES_CHAINS.output, [...iptablesLegOutput(site, family), [...REPLY, ...back], ...fromTransports(site, family, back)]), from: 'OUTPUT' },
  ];
}
