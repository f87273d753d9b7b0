import { optionOf } from '../../discovery/openvpn-options.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  readonly tunnel: { readonly device: string; readonly mtu: number; readonly hasIpv6: boolean };
  /** The link that carries OpenVPN's own datagrams: the one with the smallest MTU, where it cannot be told. */
  readonly link: { readonly device: string; readonly mtu: number };
  /** The option mssfix, null where OpenVPN cannot be looked into; `on` by default. */
  readonly mssfix: 'on' | 'off' | null;
}

/** What a packet grows by on its way out over IPv6, AES-GCM: IPv6 40, UDP 8, opcode and peer id 4, packet id 4, tag 16. */
const OVERHEAD = 72;
/** The smallest MTU that IPv6 works on. RFC 8200, section 5 */
const IPV6_LEAST = 1280;

/** Packets fit. */
export const mtu: Check = {
  name: 'mtu',
  doc: 'A full-size packet of the tunnel, encrypted, fits into the MTU of the link, or OpenVPN keeps TCP from sending such (`mssfix`); a tunnel with IPv6 addresses has at least 1280.',
  needsNetAdmin: false,
  look: async (system) => {
    const [tunnels, links, servers] = [await system.tunnels(), await system.links(), await system.servers()];
    const link = links.filter(({ flags }) => flags.includes('UP')).toSorted((a, b) => a.mtu - b.mtu)[0];
    if (link === undefined) return [];
    const options = servers.map((server) => server.options).filter((known) => known !== null);
    const mssfix = options.length === 0 ? null : options.some((known) => optionOf(known, 'mssfix')?.values[0] === '0') ? 'off' : 'on';
    // The kernel takes the IPv6 addresses away as soon as the MTU is too small for them.
    const isMeantForIpv6 = options.some((known) => ['server-ipv6', 'ifconfig-ipv6'].some((name) => optionOf(known, name) !== undefined));
    return tunnels.map(({ ifname, mtu: size, addr_info = [] }) =>
      judgeMtu({
        tunnel: { device: ifname, mtu: size, hasIpv6: isMeantForIpv6 || addr_info.some(({ family, scope }) => family === 'inet6' && scope === 'global') },
        link: { device: link.ifname, mtu: link.mtu },
        mssfix,
      }),
    );
  },
};

export function judgeMtu({ tunnel, link, mssfix }: Facts): Judgement {
  const subject = `MTU of ${tunnel.device}`;
  const found = `${tunnel.mtu}, and ${link.mtu} on ${link.device}`;
  const largest = link.mtu - OVERHEAD;
  const expected = `at most ${largest}, or mssfix`;
  if (tunnel.hasIpv6 && tunnel.mtu < IPV6_LEAST) {
    return { severity: 'error', subject, found, expected: `at least ${IPV6_LEAST} for IPv6`, remedy: `tun-mtu ${IPV6_LEAST} or more in OpenVPN's configuration` };
  }
  if (tunnel.mtu <= largest) return fine(subject, found, expected);
  if (tunnel.mtu > link.mtu) return { severity: 'warn', subject, found, expected, remedy: `tun-mtu ${largest} in OpenVPN's configuration and its clients': every full packet is sent in fragments` };
  if (mssfix === 'off') return { severity: 'warn', subject, found: `${found}, with mssfix 0`, expected, remedy: `remove "mssfix 0", or set tun-mtu ${largest}: full TCP segments are sent in fragments` };
  const clamp = mssfix === 'on' ? 'mssfix keeps TCP below it' : 'mssfix, if it is on, keeps TCP below it';
  return { severity: 'info', subject, found: `${found}; ${clamp}`, expected, remedy: `none needed; tun-mtu ${largest} would spare fragments of large UDP packets too` };
}
