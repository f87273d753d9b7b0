import type { Statement } from 'nftables-json';
import { ABOUT_CHAIN } from './about.js';
import { clearPacketMark, writeOurBits } from './mark-bits.js';
import { NOTED_SECONDS } from './noted-seconds.js';
import {
  MAC_KEY,
  aboutRules,
  clientSets,
  dynamicMacSet,
  matchDevice,
  matchDirection,
  matchTranslated,
  matchTransport,
  matchTransportOutput,
  matchVpnDestinations,
} from './selection.js';
import { matchExempt, type SourceScope } from './sources.js';
import type { ChainSpec, RuleSpec, SetSpec, Structure } from './structure.js';
import { baseChain } from './structure.js';
import type { Policy, Site } from './world.js';
import { moduleMark } from './world.js';

/**
 * Behind rules of others that copy a flow's mark into its packets, at -150 (mangle) as a rule, and before the module
 * learns (-101, `module/hook.c`).
 */
const BEFORE_LEARNING = -102;

/** Behind every DNAT (-100). Before that only the module itself can track a flow again that is older than its mark. */
const BEHIND_NAT = -99;

/**
 * Our inet table for the datapath `module`: it only selects. Packets get the mark, and gwmark.ko does the rest: it
 * learns from frames, and sends what goes the other way by MAC.
 *
 * Its base chains have names of their own: those of the other datapath are of other types, which cannot be changed.
 */
export function compileModuleStructure(site: Site): Structure {
  const chains = new Map<string, ChainSpec>([
    ['mark_prerouting', baseChain('prerouting', BEFORE_LEARNING, preroutingRules(site))],
    ['mark_translated', baseChain('prerouting', BEHIND_NAT, translatedRules(site))],
    ['translated', { base: {}, rules: selectRules(site) }],
    ['mark_output', baseChain('output', -150, outputRules(site))],
    [ABOUT_CHAIN, { base: {}, rules: aboutRules(site) }],
  ]);
  const sets = new Map<string, SetSpec>(clientSets(site.subnetLengths));
  if (site.transports.some(({ remote }) => remote !== undefined))
    sets.set('uplinks', dynamicMacSet(64, NOTED_SECONDS.server));
  return { sets, chains, verdicts: new Map() };
}

/**
 * Packets from a tunnel and frames for the VPN are selected in both directions: who sent first since the conntrack
 * entry was made says nothing, for it may have been lost.
 *
 * Every packet of the machine comes through here, so what tells most of them apart comes first: the destination, and
 * the device, which is dear to look up in a set, last. A packet that is marked is done.
 */
function preroutingRules(site: Site): RuleSpec[] {
  const { links, tunnels, transports } = site;
  const mark = setModuleMark(site.policy);
  const rules: RuleSpec[] = [
    { expr: clearPacketMark(site.policy) },
    ...tunnels.map(({ device }) => ({
      expr: [
        { match: { op: '==' as const, left: { meta: { key: 'iifname' } }, right: device } },
        mark,
        { accept: null },
      ],
    })),
  ];
  if (links.length === 0) return rules;
  const fromLink = matchDevice(links);
  for (const transport of transports) {
    // Answers of an OpenVPN client's server show which router leads there.
    if (transport.remote !== undefined) {
      rules.push({
        expr: [
          ...matchTransport(transport),
          fromLink,
          { limit: { rate: 1, per: 'second' } },
          { set: { op: 'update', elem: MAC_KEY, set: '@uplinks' } },
        ],
      });
    }
  }
  return [...rules, ...selectRules(site)];
}

/** Frames from links that are for OpenVPN or the VPN, except for those of senders that teach nothing. */
function selectRules(site: Site): RuleSpec[] {
  const { links, transports, policy } = site;
  if (links.length === 0) return [];
  const fromLink = matchDevice(links);
  const exempt = (scope: SourceScope): Statement[][] => matchExempt(site.sources?.[scope], links);
  const select = (matches: readonly Statement[]): RuleSpec => ({
    expr: [...matches, fromLink, setModuleMark(policy), { accept: null }],
  });
  return [
    ...transports
      .map(matchTransport)
      .flatMap((matches) => [
        ...exempt('transport').map((sender): RuleSpec => ({ expr: [...matches, ...sender, { accept: null }] })),
        select(matches),
      ]),
    ...exempt('clients').map((sender): RuleSpec => ({ expr: [...sender, { accept: null }] })),
    ...matchVpnDestinations(site).map((match) => select([match])),
  ];
}

/** Where translated packets really go is known behind NAT alone; the module looks at these once more after routing. */
function translatedRules({ links }: Site): RuleSpec[] {
  return links.length === 0 ? [] : [{ expr: [matchTranslated('snat', 'dnat'), { goto: { target: 'translated' } }] }];
}

function outputRules(site: Site): RuleSpec[] {
  const { links, tunnels } = site;
  const mark = setModuleMark(site.policy);
  const ofTransports = site.transports.map((transport) => ({ expr: [...matchTransportOutput(transport), mark] }));
  const toLinks = matchDevice(links.length === 0 ? [] : links, '==', 'oifname');
  const ofTunnels = tunnels.flatMap(({ addresses }) =>
    addresses.flatMap(({ family, address }): RuleSpec[] => {
      const fromHere: Statement = {
        match: {
          op: '==',
          left: { payload: { protocol: family === 4 ? 'ip' : 'ip6', field: 'saddr' } },
          right: address,
        },
      };
      // In the original direction too: of a flow whose entry was lost the endpoint may be the one to send first.
      return [
        { expr: [matchDirection('reply'), fromHere, mark] },
        ...(links.length === 0 ? [] : [{ expr: [fromHere, toLinks, mark] }]),
      ];
    }),
  );
  // Our own ICMP errors about a flow go back to whoever sent its packet. Only a flow that has learnt a gateway is sent
  // by the module.
  const errors: RuleSpec[] = [
    {
      expr: [matchDirection('reply'), { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'related' } }, mark],
    },
  ];
  return [...ofTransports, ...ofTunnels, ...(tunnels.length === 0 ? [] : errors)];
}

/** Our bits of the packet mark say that the module is to look at the packet. */
export function setModuleMark(policy: Policy): Statement {
  return writeOurBits('meta', policy, moduleMark(policy));
}
