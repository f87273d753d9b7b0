import type { Statement } from 'nftables-json';
import { ABOUT_CHAIN } from './about.js';
import { NOTED_SECONDS } from './noted-seconds.js';
import { aboutRules, clientSets, dynamicMacSet, matchDevice, matchVpnDestinations } from './selection.js';
import { matchExempt, type ScopeFilter } from './sources.js';
import type { RuleSpec, SetSpec, Structure } from './structure.js';
import { baseChain } from './structure.js';
import type { Cable, Link, Site } from './world.js';

/**
 * Where the kernel translates destinations of bridged frames, NF_BR_PRI_NAT_DST_BRIDGED: before filters of others, and
 * before br_netfilter (0), which then shows the IP hooks a frame for the bridge itself.
 */
const PRIORITY = -300;

/** The set of MAC addresses that captured frames were sent to, by the port that they came in by. */
export const DESTINATIONS_SET = 'destinations';

/** A link with a bridge below it. */
type CableLink = Link & { readonly cable: Cable };

/** The links whose frames pass a bridge with ports. */
export function cableLinks(links: readonly Link[]): CableLink[] {
  return links.filter((link): link is CableLink => link.cable !== undefined && link.cable.ports.length > 0);
}

/**
 * Our bridge table for an inline endpoint, datapath `nexthop`; null without a bridge. A frame for a VPN address, the
 * endpoint's own among them, that is on its way to another machine gets the MAC address of the bridge: the bridge then
 * handles it as one for itself, learns its sender, and gives it to the IP stack. Every other frame passes unchanged.
 *
 * It names ports, because `meta ibrname` needs NFT_BRIDGE_META, which not every kernel has.
 */
export function compileCableStructure(site: Site): Structure | null {
  const links = cableLinks(site.links);
  if (links.length === 0) return null;
  const ports = [...new Set(links.flatMap(({ cable }) => cable.ports.map(({ device }) => device)))].toSorted();
  const fromPort = matchDevice(ports.map((device) => ({ device })));
  const sets = new Map<string, SetSpec>([
    ...clientSets(site.subnetLengths),
    [DESTINATIONS_SET, dynamicMacSet(64, NOTED_SECONDS.uplink)],
  ]);
  return {
    sets,
    chains: new Map([
      // A name of its own: the chain of the other datapath has another priority, which cannot be changed.
      [
        'frames',
        baseChain(
          'prerouting',
          PRIORITY,
          matchVpnDestinations(site).map((match) => ({ expr: [match, fromPort, { goto: { target: 'capture' } }] })),
        ),
      ],
      ['capture', { base: {}, rules: captureRules(site, links) }],
      [ABOUT_CHAIN, { base: {}, rules: aboutRules({ ...site, savedSysctls: [], transports: [] }) }],
    ]),
    verdicts: new Map(),
  };
}

/** A frame for the bridge needs no capture, and one for a group or for all is not sent to one machine. */
function captureRules(site: Site, links: readonly CableLink[]): RuleSpec[] {
  return [
    { expr: [{ match: { op: '!=', left: { meta: { key: 'pkttype' } }, right: 'other' } }, { accept: null }] },
    ...links.flatMap((link) => exemptRules(site, link)),
    ...links.filter(({ cable }) => cable.vlan === null).map(noteRule),
    ...links.map(takeRule),
  ];
}

/** Which router the frame was sent to: a few frames a second say it. */
function noteRule({ cable }: CableLink): RuleSpec {
  return {
    expr: [
      ...matchNetwork(cable),
      { limit: { rate: 10, per: 'second' } },
      {
        set: {
          op: 'update',
          elem: { concat: [{ meta: { key: 'iifname' } }, { payload: { protocol: 'ether', field: 'daddr' } }] },
          set: `@${DESTINATIONS_SET}`,
        },
      },
    ],
  };
}

function takeRule({ cable }: CableLink): RuleSpec {
  return {
    expr: [
      ...matchNetwork(cable),
      { counter: null },
      { mangle: { key: { payload: { protocol: 'ether', field: 'daddr' } }, value: cable.mac } },
      { mangle: { key: { meta: { key: 'pkttype' } }, value: 'host' } },
      { accept: null },
    ],
  };
}

/** Frames of the network that the link is in: from its ports, without a VLAN tag or with the one of the link. */
function matchNetwork({ ports, vlan }: Cable): Statement[] {
  const tag: Statement =
    vlan === null
      ? {
          match: {
            op: '==',
            left: { payload: { protocol: 'ether', field: 'type' } },
            right: { set: ['ip', 'ip6'] },
          },
        }
      : { match: { op: '==', left: { payload: { protocol: 'vlan', field: 'id' } }, right: vlan } };
  return [matchDevice(ports), tag];
}

/** What is not learnt from is not captured: it passes, and its answers with it. */
function exemptRules({ sources }: Site, link: CableLink): RuleSpec[] {
  return matchExempt(atPorts(sources?.clients, link), link.cable.ports).map((matches) => ({
    expr: [...matchNetwork(link.cable), ...matches, { accept: null }],
  }));
}

/** The lists as they apply to the ports of one bridge. */
function atPorts(filter: ScopeFilter | undefined, { device, cable }: CableLink): ScopeFilter | undefined {
  if (filter === undefined) return undefined;
  const ofPorts = (sources: ScopeFilter['exclude']): ScopeFilter['exclude'] =>
    sources
      .filter((source) => source.device === null || source.device === device)
      .flatMap(({ mac }) => cable.ports.map((port) => ({ device: port.device, mac })));
  return { exclude: ofPorts(filter.exclude), only: filter.only === null ? null : ofPorts(filter.only) };
}
