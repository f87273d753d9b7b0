import type { Family, RuleWords } from 'iptables-wrapper';
import type { IptablesChain, IptablesMachine, IptablesRules } from './iptables-rules.js';
import { IPTABLES_CHAINS, iptablesClientSets, iptablesSeenSet, iptablesSeenSpec } from './iptables-rules.js';
import {
  REPLY,
  TRANSLATED,
  aboutChain,
  chainName,
  fromDevices,
  fromTransports,
  hexMark,
  toTransports,
  toVpnDestinations,
} from './iptables-selection.js';
import { addressBits } from './address.js';
import { NOTED_SECONDS } from './noted-seconds.js';
import { iptablesExempt, type SourceScope } from './sources.js';
import type { Site } from './world.js';
import { moduleMark } from './world.js';

/** Our iptables rules for the datapath `module`: packets of VPN flows get the mark, as in `compileModuleStructure`. */
export function compileIptablesModule(site: Site, machine: IptablesMachine): IptablesRules {
  const sets = machine.families.flatMap((family) => iptablesClientSets(site.policy, family));
  // Answers of an OpenVPN client's server show which router leads there.
  const isClient = machine.hasMacSets && site.transports.some(({ remote }) => remote !== undefined);
  if (isClient)
    sets.push(...site.links.map(({ device }) => iptablesSeenSpec(site.policy.table, device, NOTED_SECONDS.server)));
  const chains = machine.families.flatMap((family, index) => [
    ...(index === 0 ? [aboutChain(site, family)] : []),
    ...chainsOf(site, family, isClient),
  ]);
  return { chains, sets: new Map(sets.map((set) => [set.name, set])), notes: 'uplinks' };
}

function chainsOf(site: Site, family: Family, isClient: boolean): IptablesChain[] {
  const { policy, links, tunnels } = site;
  const name = (chain: string): string => chainName(policy, chain);
  const mark: RuleWords = ['-j', 'MARK', '--set-xmark', `${hexMark(moduleMark(policy))}/${hexMark(policy.markMask)}`];
  const ofTunnels = tunnels.flatMap(({ addresses }) =>
    addresses
      .filter((network) => network.family === family)
      .flatMap(({ address }) => {
        const fromHere = ['-s', `${address}/${addressBits(family)}`];
        // In the original direction too: of a flow whose entry was lost the endpoint may be the one to send first.
        return [[...fromHere, ...REPLY, ...mark], ...links.map(({ device }) => [...fromHere, '-o', device, ...mark])];
      }),
  );
  const servers = {
    ...site,
    transports: isClient ? site.transports.filter(({ remote }) => remote !== undefined) : [],
  };
  const note = links.flatMap(({ device }) =>
    toTransports(
      servers,
      family,
      ['-j', 'SET', '--add-set', iptablesSeenSet(policy.table, device), 'src', '--exist'],
      ['-i', device],
    ),
  );
  const exempt = (scope: SourceScope): RuleWords[] => iptablesExempt(site.sources?.[scope], links);
  const selected = [
    ...exempt('transport').flatMap((sender) => toTransports(site, family, ['-j', 'RETURN'], sender)),
    ...toTransports(site, family, mark),
    ...exempt('clients').map((sender) => [...sender, '-j', 'RETURN']),
    ...toVpnDestinations(site, family, mark),
  ];
  const translated = fromDevices(links, [...TRANSLATED, '-g', name(IPTABLES_CHAINS.translated)]);
  return [
    { family, name: name(IPTABLES_CHAINS.link), from: null, rules: [...note, ...selected] },
    { family, name: name(IPTABLES_CHAINS.translated), from: null, rules: selected },
    {
      family,
      name: name(IPTABLES_CHAINS.prerouting),
      from: 'PREROUTING',
      rules: [
        ...tunnels.map(({ device }) => ['-i', device, ...mark]),
        ...fromDevices(links, ['-g', name(IPTABLES_CHAINS.link)]),
      ],
    },
    // Mangle comes before DNAT in PREROUTING; the module looks at translated packets behind these once more.
    { family, name: name(IPTABLES_CHAINS.input), from: 'INPUT', rules: translated },
    { family, name: name(IPTABLES_CHAINS.forward), from: 'FORWARD', rules: translated },
    {
      family,
      name: name(IPTABLES_CHAINS.output),
      from: 'OUTPUT',
      rules: [...fromTransports(site, family, mark), ...ofTunnels],
    },
  ];
}
