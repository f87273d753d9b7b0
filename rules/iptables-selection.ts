import type { Family, RuleWords } from 'iptables-wrapper';
import { aboutComments } from './about.js';
import { addressBits, formatNetwork } from './address.js';
import { iptablesPrefix } from './iptables-names.js';
import { IPTABLES_CHAINS, iptablesSetName } from './iptables-rules.js';
import type { IptablesChain } from './iptables-rules.js';
import type { Link, Policy, Site, Transport } from './world.js';

/** The same selection as in selection.ts, for iptables. */

/** What a rule does with packets that match: `['-g', 'gwmark-learn']`. */
export type IptablesAction = RuleWords;

export const REPLY: RuleWords = ['-m', 'conntrack', '--ctdir', 'REPLY'];

/** Of a flow that is translated, at either end. xt_conntrack takes any of the states. */
export const TRANSLATED: RuleWords = ['-m', 'conntrack', '--ctstate', 'SNAT,DNAT'];

/** `gwmark-learn`. */
export function chainName(policy: Pick<Policy, 'table'>, name: string): string {
  return `${iptablesPrefix(policy.table)}${name}`;
}

/**
 * One rule for each kind of VPN destination: a client's address, a subnet behind a client, the endpoint's own tunnel
 * addresses.
 */
export function toVpnDestinations(site: Site, family: Family, action: IptablesAction): RuleWords[] {
  const { table } = site.policy;
  const lengths = site.subnetLengths
    .filter((length) => length.family === family)
    .map(({ prefixLength }) => prefixLength);
  const sets = new Set(
    [addressBits(family), ...lengths].map((prefixLength) => iptablesSetName(table, { family, prefixLength })),
  );
  const own = site.tunnels.flatMap(({ addresses }) => addresses.filter((network) => network.family === family));
  return [
    ...[...sets].map((name) => ['-m', 'set', '--match-set', name, 'dst', ...action]),
    ...own.map(({ address }) => ['-d', `${address}/${addressBits(family)}`, ...action]),
  ];
}

/** A source that is on-link is served by ARP or ND, not by a gateway. */
export function onlinkReturns(site: Site, family: Family): RuleWords[] {
  if (site.policy.learnOnlink) return [];
  return fromOnlink(site.links, family, ['-j', 'RETURN']);
}

/** For each network on a link: packets that one of its hosts sent. */
export function fromOnlink(links: readonly Link[], family: Family, action: IptablesAction): RuleWords[] {
  return links.flatMap(({ device, onlink }) =>
    onlink
      .filter((network) => network.family === family)
      .map((network) => ['-s', formatNetworkAlways(network), '-i', device, ...action]),
  );
}

/** An ICMP error about a flow: whoever sends it is on the way somewhere, and need not be the flow's own way. */
export function icmpErrors(family: Family, action: IptablesAction): RuleWords[] {
  return [['-p', family === 4 ? 'icmp' : 'ipv6-icmp', '-m', 'conntrack', '--ctstate', 'RELATED', ...action]];
}

/** One rule for each socket of OpenVPN: packets for it. */
export function toTransports(
  site: Site,
  family: Family,
  action: IptablesAction,
  matches: RuleWords = [],
): RuleWords[] {
  return site.transports.flatMap((transport) => {
    const { remote } = transport;
    // A client's: what its server sent.
    if (remote !== undefined) {
      const source = [
        '-s',
        `${remote.address}/${addressBits(family)}`,
        '-p',
        transport.protocol,
        ...matches,
        '-m',
        transport.protocol,
        '--sport',
        String(remote.port),
      ];
      return isOfFamily(remote.address, family)
        ? [[...source, '-m', 'addrtype', '--dst-type', 'LOCAL', ...action]]
        : [];
    }
    const destination = transportDestination(transport, family);
    if (destination === null) return [];
    const { protocol, port } = transport;
    const address = destination === 'local' ? [] : ['-d', destination];
    const local = destination === 'local' ? ['-m', 'addrtype', '--dst-type', 'LOCAL'] : [];
    return [[...address, '-p', protocol, ...matches, '-m', protocol, '--dport', String(port), ...local, ...action]];
  });
}

/** Packets that OpenVPN's sockets send. */
export function fromTransports(site: Site, family: Family, action: IptablesAction): RuleWords[] {
  return site.transports.flatMap((transport) => {
    const { protocol, port, remote } = transport;
    if (remote === undefined)
      return transportDestination(transport, family) === null
        ? []
        : [['-p', protocol, '-m', protocol, '--sport', String(port), ...action]];
    if (!isOfFamily(remote.address, family)) return [];
    return [
      [
        '-d',
        `${remote.address}/${addressBits(family)}`,
        '-p',
        protocol,
        '-m',
        protocol,
        '--dport',
        String(remote.port),
        ...action,
      ],
    ];
  });
}

function isOfFamily(address: string, family: Family): boolean {
  return address.includes(':') === (family === 6);
}

function transportDestination({ address, families }: Transport, family: Family): string | null {
  if (address === null) return families.includes(family) ? 'local' : null;
  return isOfFamily(address, family) ? `${address}/${addressBits(family)}` : null;
}

/** `-i lan0`, a rule each: iptables takes one device a rule. */
export function fromDevices(links: readonly { readonly device: string }[], action: IptablesAction): RuleWords[] {
  return links.map(({ device }) => ['-i', device, ...action]);
}

/** The chain that no packet passes: what the chain `about` of nftables says, in the first family that there is. */
export function aboutChain(site: Site, family: Family): IptablesChain {
  return {
    family,
    name: chainName(site.policy, IPTABLES_CHAINS.about),
    from: null,
    rules: aboutComments(site).map((comment) => ['-m', 'comment', '--comment', comment, '-j', 'RETURN']),
  };
}

export function hexMark(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

function formatNetworkAlways(network: {
  readonly family: Family;
  readonly address: string;
  readonly prefixLength: number;
}): string {
  const text = formatNetwork(network);
  return text.includes('/') ? text : `${text}/${network.prefixLength}`;
}
