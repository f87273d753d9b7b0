import type { Statement } from 'nftables-json';
import { ABOUT_CHAIN, MAC_KEY, aboutRules, clientSets, dynamicMacSet, matchDevice, matchDirection, matchTransport, matchTransportOutput, matchVpnDestinations } from './selection.js';
import { matchExempt, type SourceScope } from './sources.js';
import type { ChainSpec, RuleSpec, SetSpec, Structure } from './structure.js';
import type { Policy, Site } from './world.js';
import { moduleMark } from './world.js';

/** Seconds for which the router of an OpenVPN client's server stays listed: longer than its keepalive is silent. */
const UPLINK_SECONDS = 120;

/**
 * Our inet table for the datapath `module`: it only selects. Packets get the mark, and gwmark.ko does the rest: it learns from
 * original-direction frames, and sends the reply direction by MAC.
 *
 * Its base chains have names of their own: those of the other datapath are of other types, which cannot be changed.
 */
export function compileModuleStructure(site: Site): Structure {
  const chains = new Map<string, ChainSpec>([
    ['mark_prerouting', { base: { type: 'filter', hook: 'prerouting', prio: -150, policy: 'accept' }, rules: preroutingRules(site) }],
    ['mark_output', { base: { type: 'filter', hook: 'output', prio: -150, policy: 'accept' }, rules: outputRules(site) }],
    [ABOUT_CHAIN, { base: {}, rules: aboutRules(site) }],
  ]);
  const sets = new Map<string, SetSpec>(clientSets(site.subnetLengths));
  if (site.transports.some(({ remote }) => remote !== undefined)) sets.set('uplinks', dynamicMacSet(64, UPLINK_SECONDS));
  return { sets, chains, verdicts: new Map() };
}

/**
 * Packets from a tunnel are selected in both directions: answers return, and what a client opens goes to the uplink where no route exists.
 *
 * Every packet of the machine comes through here, so what tells most of them apart comes first: the direction, then the
 * destination, and the device, which is dear to look up in a set, last. A packet that is marked is done.
 */
function preroutingRules(site: Site): RuleSpec[] {
  const { links, tunnels, transports } = site;
  const mark = setModuleMark(site.policy);
  const rules: RuleSpec[] = tunnels.map(({ device }) => ({ expr: [{ match: { op: '==', left: { meta: { key: 'iifname' } }, right: device } }, mark, { accept: null }] }));
  if (links.length === 0) return rules;
  const fromLink = matchDevice(links);
  for (const transport of transports) {
    // The answers of an OpenVPN client's server tell which router leads there; the module learns from the original direction alone.
    if (transport.remote !== undefined) {
      rules.push({ expr: [...matchTransport(transport), fromLink, { limit: { rate: 1, per: 'second' } }, { set: { op: 'update', elem: MAC_KEY, set: '@uplinks' } }] });
    }
  }
  rules.push({ expr: [matchDirection('reply'), { accept: null }] });
  const exempt = (scope: SourceScope): Statement[][] => matchExempt(site.sources?.[scope], links);
  const select = (matches: readonly Statement[]): RuleSpec => ({ expr: [...matches, fromLink, matchDirection('original'), mark, { accept: null }] });
  for (const transport of transports) {
    const matches = matchTransport(transport);
    rules.push(...exempt('transport').map((sender) => ({ expr: [...matches, ...sender, { accept: null }] })), select(matches));
  }
  rules.push(...exempt('clients').map((sender) => ({ expr: [...sender, { accept: null }] })));
  rules.push(...matchVpnDestinations(site).map((match) => select([match])));
  return rules;
}

function outputRules(site: Site): RuleSpec[] {
  const mark = setModuleMark(site.policy);
  const ofTransports = site.transports.map((transport) => ({ expr: [...matchTransportOutput(transport), mark] }));
  const ofTunnels = site.tunnels.flatMap(({ addresses }) =>
    addresses.map(({ family, address }) => ({
      expr: [matchDirection('reply'), { match: { op: '==', left: { payload: { protocol: family === 4 ? 'ip' : 'ip6', field: 'saddr' } }, right: address } } as const, mark],
    })),
  );
  // Our own ICMP errors about a flow go back to whoever sent its packet. Only a flow that has learnt a gateway is sent by the module.
  const errors: RuleSpec[] = [{ expr: [matchDirection('reply'), { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'related' } }, mark] }];
  return [...ofTransports, ...ofTunnels, ...(site.tunnels.length === 0 ? [] : errors)];
}

/** The other bits of the packet mark are kept. */
export function setModuleMark(policy: Policy): Statement {
  const current = { meta: { key: 'mark' } } as const;
  return { mangle: { key: current, value: { '|': [{ '&': [current, ~policy.markMask >>> 0] }, moduleMark(policy)] } } };
}
