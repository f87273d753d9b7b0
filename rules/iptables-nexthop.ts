import type { Family, RuleWords, SetSpec } from 'iptables-wrapper';
import type { IptablesChain, IptablesMachine, IptablesOrigin, IptablesRules } from './iptables-rules.js';
import { IPTABLES_CHAINS, iptablesClientSets, iptablesSeenSet, iptablesSeenSpec } from './iptables-rules.js';
import {
  REPLY,
  TRANSLATED,
  aboutChain,
  chainName,
  fromDevices,
  fromOnlink,
  fromTransports,
  hexMark,
  icmpErrors,
  onlinkReturns,
  toTransports,
  toVpnDestinations,
} from './iptables-selection.js';
import { NOTED_SECONDS } from './noted-seconds.js';
import { iptablesLegOutput, iptablesLegPrerouting } from './legs.js';
import { iptablesPacketTooBig, needsMarkedErrors } from './path-mtu.js';
import { iptablesExempt, type SourceScope } from './sources.js';
import type { Site } from './world.js';
import { gatewayMark } from './world.js';

/**
 * Our iptables rules for the datapath `nexthop`: the same as the nftables table of `compileNexthopStructure`, with
 * these differences.
 *
 * iptables has no maps, so the rules of gateways are walked one after the other: by MAC for frames from a link, by
 * conntrack mark for what goes the other way. Which gateways transport flows come from is told by the counters of
 * their rules in the chain `transport`. Unknown MACs are noted in sets where the machine has the type for it; where
 * not, the neighbour table alone tells of routers.
 *
 * Its table mangle comes before the table nat in PREROUTING, so frames are looked at before DNAT there, and those of
 * translated flows once more in INPUT and FORWARD, which know where they really go.
 */
export function compileIptablesNexthop(site: Site, machine: IptablesMachine): IptablesRules {
  const sets: SetSpec[] = machine.families.flatMap((family) => iptablesClientSets(site.policy, family));
  if (machine.hasMacSets)
    sets.push(...site.links.map(({ device }) => iptablesSeenSpec(site.policy.table, device, NOTED_SECONDS.candidate)));
  const chains = machine.families.flatMap((family, index) => [
    ...(index === 0 ? [aboutChain(site, family)] : []),
    ...chainsOf(site, family, machine.hasMacSets),
  ]);
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
  const made = (chain: string, rules: readonly RuleWords[], from: IptablesOrigin | null = null): IptablesChain => ({
    family,
    name: name(chain),
    rules,
    from,
  });
  const goto = (chain: string): RuleWords => ['-g', name(chain)];
  const mask = hexMark(policy.markMask);
  const ofFlow = (mark: number): RuleWords => ['-m', 'connmark', '--mark', `${hexMark(mark)}/${mask}`];
  const back = goto(IPTABLES_CHAINS.return);
  const stop: RuleWords = ['-j', 'RETURN'];

  const perGateway = gateways.flatMap(({ id }): IptablesChain[] => {
    const mark = `${hexMark(gatewayMark(policy, id))}/${mask}`;
    return [
      { family, name: iptablesLearnChain(site, id), from: null, rules: [['-j', 'CONNMARK', '--set-xmark', mark]] },
      { family, name: iptablesReturnChain(site, id), from: null, rules: [['-j', 'MARK', '--set-xmark', mark]] },
    ];
  });
  const bySource = gateways.flatMap(({ id, device, sources }) =>
    sources.map((mac) => ['-i', device, '-m', 'mac', '--mac-source', mac, '-g', iptablesLearnChain(site, id)]),
  );
  const byMark = gateways.map(({ id }) => [...ofFlow(gatewayMark(policy, id)), '-g', iptablesReturnChain(site, id)]);
  const note = hasMacSets
    ? links.map(({ device }) => [
        '-i',
        device,
        '-j',
        'SET',
        '--add-set',
        iptablesSeenSet(policy.table, device),
        'src',
        '--exist',
      ])
    : [];
  const learning = [
    ...toTransports(site, family, goto(IPTABLES_CHAINS.transport)),
    ...toVpnDestinations(site, family, goto(IPTABLES_CHAINS.select)),
  ];
  // Of a flow that DNAT sent from a VPN address to a host on a link; such a host is no gateway.
  const answersOnLink = policy.learnOnlink
    ? []
    : fromOnlink(links, family, ['-m', 'conntrack', '--ctstate', 'DNAT', '--ctdir', 'REPLY', ...back]);
  const exempt = (scope: SourceScope): RuleWords[] =>
    iptablesExempt(site.sources?.[scope], links).map((sender) => [...sender, ...stop]);
  return [
    ...perGateway,
    // Its last rule counts.
    made(IPTABLES_CHAINS.unknown, [...note, stop]),
    made(IPTABLES_CHAINS.learn, [...bySource, goto(IPTABLES_CHAINS.unknown)]),
    // The same rules once more, so that their counters tell which gateways transport flows come from.
    made(IPTABLES_CHAINS.transport, [
      ...exempt('transport'),
      ...onlinkReturns(site, family),
      ...bySource,
      goto(IPTABLES_CHAINS.unknown),
    ]),
    made(IPTABLES_CHAINS.select, [
      ...icmpErrors(family, stop),
      ...exempt('clients'),
      ...onlinkReturns(site, family),
      goto(IPTABLES_CHAINS.learn),
    ]),
    made(IPTABLES_CHAINS.noGateway, fromDevices(tunnels, stop)),
    made(IPTABLES_CHAINS.unmarked, [[...REPLY, ...goto(IPTABLES_CHAINS.noGateway)]]),
    made(IPTABLES_CHAINS.return, [
      [...ofFlow(0), ...goto(IPTABLES_CHAINS.unmarked)],
      ...byMark,
      goto(IPTABLES_CHAINS.noGateway),
    ]),
    made(IPTABLES_CHAINS.link, [
      ...learning,
      ...(needsMarkedErrors(site) ? iptablesPacketTooBig(family).map((match) => [...match, ...back]) : []),
      ...answersOnLink,
    ]),
    made(IPTABLES_CHAINS.translated, learning),
    made(IPTABLES_CHAINS.clear, [['-j', 'MARK', '--set-xmark', `0x0/${mask}`]]),
    made(
      IPTABLES_CHAINS.prerouting,
      [
        // A rule before ours may have copied the flow's mark; where our jump comes first, none has.
        ['-m', 'mark', '!', '--mark', `0x0/${mask}`, '-j', 'MARK', '--set-xmark', `0x0/${mask}`],
        ...iptablesLegPrerouting(site, family),
        ...fromDevices(links, goto(IPTABLES_CHAINS.link)),
        [...ofFlow(0), ...goto(IPTABLES_CHAINS.unmarked)],
        ...toVpnDestinations(site, family, stop),
        ...fromDevices(tunnels, back),
        [...REPLY, ...back],
      ],
      'PREROUTING',
    ),
    made(IPTABLES_CHAINS.input, fromDevices(links, [...TRANSLATED, ...goto(IPTABLES_CHAINS.translated)]), 'INPUT'),
    made(
      IPTABLES_CHAINS.forward,
      [
        ...fromDevices(links, [...TRANSLATED, '-j', name(IPTABLES_CHAINS.translated)]),
        [...ofFlow(0), ...stop],
        ['-m', 'mark', '!', '--mark', `0x0/${mask}`, ...goto(IPTABLES_CHAINS.clear)],
        ...fromDevices(links, ['-j', 'CONNMARK', '--restore-mark', '--nfmask', mask, '--ctmask', mask]),
      ],
      'FORWARD',
    ),
    made(
      IPTABLES_CHAINS.output,
      [
        ...iptablesLegOutput(site, family),
        ...fromTransports(site, family, back),
        [...ofFlow(0), ...stop],
        ...toVpnDestinations(site, family, stop),
        back,
      ],
      'OUTPUT',
    ),
  ];
}
