import type { Statement } from 'nftables-json';
import { addressBits, formatNetmask } from './address.js';
import type { ChainSpec, RuleSpec, SetSpec, Structure, VerdictElement } from './structure.js';
import type { Gateway, Link, OriginalSysctl, Policy, Site, SubnetLength, Transport } from './world.js';
import { gatewayMark } from './world.js';

/**
 * The version of the layout below. A table with another one is replaced as a whole instead of being adapted.
 */
export const LAYOUT = 1;

/** Seconds for which an unknown source MAC stays listed. */
const CANDIDATE_SECONDS = 60;
/** Seconds for which a gateway of transport flows stays listed. */
const UPLINK_SECONDS = 3600;

const MAC_KEY = { concat: [{ meta: { key: 'iifname' } }, { payload: { protocol: 'ether', field: 'saddr' } }] } as const;

/** The comment by which a table is known as ours: `gwmark layout 1`. */
export const LAYOUT_COMMENT = `gwmark layout ${LAYOUT}`;

/**
 * A chain that no packet passes. The comments of its rules keep what must outlive the sidecar: the layout (nft 1.0.6
 * drops comments of tables), and the values that sysctls had before us.
 */
export const ABOUT_CHAIN = 'about';

/** `sysctl net/ipv4/ip_forward=0`, as a comment in {@link ABOUT_CHAIN}. */
export function originalComment({ name, value }: OriginalSysctl): string {
  return `sysctl ${name}=${value}`;
}

/** Reads what {@link originalComment} printed; null for any other text. */
export function parseOriginalComment(comment: string): OriginalSysctl | null {
  const match = /^sysctl ([^=]+)=(.*)$/.exec(comment);
  return match === null ? null : { name: match[1] ?? '', value: match[2] ?? '' };
}

/** The set that a client network belongs into: `client4` for one address, `subnet6_64` for a subnet. */
export function clientSetName(network: SubnetLength): string {
  if (network.prefixLength === addressBits(network.family)) return `client${network.family}`;
  return `subnet${network.family}_${network.prefixLength}`;
}

/**
 * Our table for the datapath `nexthop`: original-direction frames of VPN flows write their gateway's id into the
 * conntrack mark, packets of the reply direction get it back as packet mark, and `ip rule` does the rest.
 *
 * Subnets behind clients stand in one hash set a prefix length, looked up with the masked address: an interval set
 * would cost O(n) a change and refuse overlaps.
 */
export function compileNexthopStructure(site: Site): Structure {
  const { policy, gateways } = site;
  const sets = new Map<string, SetSpec>([
    ['client4', { kind: 'set', spec: { type: 'ipv4_addr' } }],
    ['client6', { kind: 'set', spec: { type: 'ipv6_addr' } }],
    ['gateways', { kind: 'map', spec: { type: ['ifname', 'ether_addr'], map: 'verdict' } }],
    ['returns', { kind: 'map', spec: { type: 'mark', map: 'verdict' } }],
    ['candidates', dynamicMacSet(1024, CANDIDATE_SECONDS)],
    ['uplinks', dynamicMacSet(64, UPLINK_SECONDS)],
  ]);
  for (const length of site.subnetLengths) {
    sets.set(clientSetName(length), { kind: 'set', spec: { type: length.family === 4 ? 'ipv4_addr' : 'ipv6_addr' } });
  }

  const chains = new Map<string, ChainSpec>([
    ['prerouting', { base: { type: 'filter', hook: 'prerouting', prio: -150, policy: 'accept' }, rules: preroutingRules(site) }],
    ['output', { base: { type: 'route', hook: 'output', prio: -150, policy: 'accept' }, rules: outputRules(site) }],
    ['select', { base: {}, rules: selectRules(site) }],
    ['transport', { base: {}, rules: transportRules(site) }],
    ['learn', { base: {}, rules: learnRules() }],
    [ABOUT_CHAIN, { base: {}, rules: aboutRules(site) }],
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

function dynamicMacSet(size: number, timeoutSeconds: number): SetSpec {
  return { kind: 'set', spec: { type: ['ifname', 'ether_addr'], flags: ['dynamic', 'timeout'], size, timeout: timeoutSeconds } };
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
  chains.set(returnChain(id), { base: {}, rules: [{ expr: [setMark('meta', policy.markMask, mark)] }] });
  for (const mac of gateway.sources) {
    const key = { concat: [gateway.device, mac] };
    gatewayElements.set(JSON.stringify(key), { key, chain: learnChain(id) });
  }
  returnElements.set(JSON.stringify(mark), { key: mark, chain: returnChain(id) });
}

/**
 * Transport flows are learnt in either direction: when OpenVPN sent first (conntrack flushed, or the sidecar came later),
 * its client's packets are the replies.
 */
function preroutingRules(site: Site): RuleSpec[] {
  const { policy, links, transports } = site;
  if (links.length === 0) return [replyRule(policy)];
  const fromLink = matchDevice(links);
  return [
    ...transports.map((transport) => ({ expr: [fromLink, ...matchTransport(transport), { goto: { target: 'transport' } }] })),
    replyRule(policy),
    { expr: [matchDirection('original'), fromLink, { jump: { target: 'select' } }] },
  ];
}

function outputRules(site: Site): RuleSpec[] {
  const ofTransports = site.transports.map(({ protocol, port }) => ({
    expr: [{ match: { op: '==', left: { payload: { protocol, field: 'sport' } }, right: port } } as const, restoreGateway(site.policy)],
  }));
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
  const learn: Statement = { goto: { target: 'learn' } };
  const rules: RuleSpec[] = [];
  if (!site.policy.learnOnlink) rules.push(...site.links.flatMap(onlinkRules));
  rules.push({ expr: [matchAddress('ip', 'daddr', '@client4'), learn] }, { expr: [matchAddress('ip6', 'daddr', '@client6'), learn] });
  for (const length of site.subnetLengths) {
    const protocol = length.family === 4 ? 'ip' : 'ip6';
    const masked = { '&': [{ payload: { protocol, field: 'daddr' } }, formatNetmask(length.family, length.prefixLength)] } as const;
    rules.push({ expr: [{ match: { op: '==', left: masked, right: `@${clientSetName(length)}` } }, learn] });
  }
  for (const tunnel of site.tunnels) {
    for (const { family, address } of tunnel.addresses) {
      rules.push({ expr: [matchAddress(family === 4 ? 'ip' : 'ip6', 'daddr', address), learn] });
    }
  }
  return rules;
}

/** A source that is on-link is served by ARP or ND, not by a gateway. */
function onlinkRules(link: Link): RuleSpec[] {
  const device = { match: { op: '==', left: { meta: { key: 'iifname' } }, right: link.device } } as const;
  return link.onlink.map((network) => {
    const protocol = network.family === 4 ? 'ip' : 'ip6';
    const prefix = { prefix: { addr: network.address, len: network.prefixLength } };
    const right = network.prefixLength === addressBits(network.family) ? network.address : prefix;
    return { expr: [device, { match: { op: '==', left: { payload: { protocol, field: 'saddr' } }, right } }, { return: null }] };
  });
}

function matchTransport(transport: Transport): Statement[] {
  const { protocol, address, families, port } = transport;
  const matches: Statement[] = [{ match: { op: '==', left: { payload: { protocol, field: 'dport' } }, right: port } }];
  if (address !== null) {
    matches.push(matchAddress(address.includes(':') ? 'ip6' : 'ip', 'daddr', address));
  } else {
    if (families.length === 1) matches.push({ match: { op: '==', left: { meta: { key: 'nfproto' } }, right: families[0] === 4 ? 'ipv4' : 'ipv6' } });
    matches.push({ match: { op: '==', left: { fib: { result: 'type', flags: ['daddr'] } }, right: 'local' } });
  }
  return matches;
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
  return [{ expr: [{ vmap: { key: MAC_KEY, data: '@gateways' } }] }, { expr: [{ set: { op: 'update', elem: MAC_KEY, set: '@candidates' } }] }];
}

function aboutRules(site: Site): RuleSpec[] {
  const comments = [LAYOUT_COMMENT, ...site.originals.map(originalComment)];
  return comments.map((comment) => ({ expr: [{ return: null }], comment }));
}

function matchDirection(direction: 'original' | 'reply'): Statement {
  return { match: { op: '==', left: { ct: { key: 'direction' } }, right: direction } };
}

function matchDevice(links: readonly Link[]): Statement {
  const devices = links.map((link) => link.device);
  const [only] = devices;
  return {
    match: { op: '==', left: { meta: { key: 'iifname' } }, right: devices.length === 1 && only !== undefined ? only : { set: devices } },
  };
}

function matchAddress(protocol: 'ip' | 'ip6', field: 'saddr' | 'daddr', right: string): Statement {
  return { match: { op: '==', left: { payload: { protocol, field } }, right } };
}

/** The bits outside the mask are kept: they belong to others. */
function setMark(key: 'ct' | 'meta', mask: number, mark: number): Statement {
  const current = key === 'ct' ? { ct: { key: 'mark' } } : { meta: { key: 'mark' } };
  return { mangle: { key: current, value: { '|': [{ '&': [current, ~mask >>> 0] }, mark] } } };
}
