import { isMac } from './mac-address.js';
import type { Gateway, OriginalSysctl, Site, Transport } from './world.js';

/**
 * The version of the layout of our rules, in nftables and in iptables. Rules with another one are replaced as a whole
 * instead of being adapted.
 */
export const LAYOUT = 2;

/** The comment that identifies our rules: `gwmark layout 2`. */
export const LAYOUT_COMMENT = `gwmark layout ${LAYOUT}`;

/**
 * A chain that no packet passes. The comments of its rules keep what must outlive the sidecar: the layout (nft 1.0.6
 * drops comments of tables), the values that sysctls had before us, and the transports, which OpenVPN may not be there
 * to ask for.
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

/**
 * `transport udp * 1194 46`, as a comment in {@link ABOUT_CHAIN}: protocol, address, port, families; of a client ` to
 * ADDRESS PORT` behind these.
 */
export function transportComment({ protocol, address, port, families, remote }: Transport): string {
  const server = remote === undefined ? '' : ` to ${remote.address} ${remote.port}`;
  return `transport ${protocol} ${address ?? '*'} ${port} ${families.join('')}${server}`;
}

/** Reads what {@link transportComment} printed; null for any other text. */
export function parseTransportComment(comment: string): Transport | null {
  const match = /^transport (udp|tcp) (\S+) (\d{1,5}) (4|6|46)(?: to (\S+) (\d{1,5}))?$/.exec(comment);
  if (match === null) return null;
  const families = ([4, 6] as const).filter((family) => match[4]?.includes(String(family)));
  const remote = match[5] === undefined ? {} : { remote: { address: match[5], port: Number(match[6]) } };
  return {
    protocol: match[1] === 'tcp' ? 'tcp' : 'udp',
    address: match[2] === '*' ? null : (match[2] ?? null),
    port: Number(match[3]),
    families,
    ...remote,
  };
}

/**
 * `order lan0 02:00:00:00:00:01`, as a comment in {@link ABOUT_CHAIN}: where answers of this gateway go was said by a
 * command.
 */
export function orderComments(gateways: readonly Gateway[]): string[] {
  return gateways
    .filter(({ isOrdered }) => isOrdered === true)
    .flatMap(({ device, sources }) => sources.map((mac) => `order ${device} ${mac}`));
}

/** Reads what {@link orderComments} printed; null for any other text. */
export function parseOrderComment(comment: string): { readonly device: string; readonly mac: string } | null {
  const [, device, mac] = /^order (\S+) (\S+)$/.exec(comment) ?? [];
  return device === undefined || mac === undefined || !isMac(mac) ? null : { device, mac };
}

/** The part of a site that {@link ABOUT_CHAIN} keeps. */
export type AboutSite = Pick<Site, 'savedSysctls' | 'transports' | 'gateways'>;

/** The comments of {@link ABOUT_CHAIN}, one per rule. */
export function aboutComments({ savedSysctls, transports, gateways }: AboutSite): string[] {
  return [
    LAYOUT_COMMENT,
    ...savedSysctls.map(originalComment),
    ...transports.map(transportComment),
    ...orderComments(gateways),
  ];
}

/** What an earlier run wrote into {@link ABOUT_CHAIN}. */
export interface About {
  /** `outdated`: ours, of another layout. `none`: the rules are not ours, or there are none. */
  readonly layout: 'ours' | 'outdated' | 'none';
  readonly savedSysctls: readonly OriginalSysctl[];
  readonly transports: readonly Transport[];
  /** Gateways, by device and source MAC, whose answers a command redirected. */
  readonly orders: readonly { readonly device: string; readonly mac: string }[];
}

/** Reads what {@link aboutComments} printed. */
export function readAbout(comments: readonly string[]): About {
  return {
    layout: comments.includes(LAYOUT_COMMENT)
      ? 'ours'
      : comments.some((comment) => comment.startsWith('gwmark layout '))
        ? 'outdated'
        : 'none',
    savedSysctls: comments.map(parseOriginalComment).filter((original) => original !== null),
    transports: comments.map(parseTransportComment).filter((transport) => transport !== null),
    orders: comments.map(parseOrderComment).filter((order) => order !== null),
  };
}
