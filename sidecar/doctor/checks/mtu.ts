import type { NftObject } from 'nftables-json';

import { namedTunnels } from '../../config/policy.js';
import { optionOf } from '../../discovery/openvpn-options.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  readonly tunnel: { readonly device: string; readonly mtu: number; readonly hasIpv6: boolean };
  /** The link that carries OpenVPN's own datagrams; if it is unknown, the one with the smallest MTU. */
  readonly link: { readonly device: string; readonly mtu: number };
  /**
   * The option mssfix, null if OpenVPN cannot be looked into; `on` by default. `offloaded`: the kernel encrypts,
   * and OpenVPN never sees a SYN.
   */
  readonly mssfix: 'on' | 'off' | 'offloaded' | null;
  /** Whether a rule of the firewall sets the TCP option MSS; null if rules cannot be read. */
  readonly isClamped: boolean | null;
}

/**
 * The overhead of a packet over IPv6, AES-GCM: IPv6 40, UDP 8, opcode and peer id 4, packet id 4, tag 16.
 */
const OVERHEAD = 72;
/** The smallest MTU that IPv6 works on. RFC 8200, section 5 */
const IPV6_LEAST = 1280;

/** Full-size packets fit into the link's MTU. */
export const mtu: Check = {
  name: 'mtu',
  doc: "A full-size packet of OpenVPN's tunnel, after encryption, fits into the MTU of the link, or TCP does not send such packets because of OpenVPN's `mssfix` (which has no effect with data channel offload) or a firewall rule that clamps the MSS; a tunnel with IPv6 addresses has an MTU of at least 1280.",
  needsNetAdmin: false,
  look: async (system) => {
    const isClamped = system.hasNetAdmin
      ? hasMssRule(await system.ruleset().catch(() => []), await system.savedIptables().catch(() => ''))
      : null;
    const [tunnels, links, servers] = [await system.tunnels(), await system.links(), await system.servers()];
    const link = links.filter(({ flags }) => flags.includes('UP')).toSorted((a, b) => a.mtu - b.mtu)[0];
    if (link === undefined) return [];
    const options = servers.map((server) => server.options).filter((known) => known !== null);
    const option =
      options.length === 0
        ? null
        : options.some((known) => optionOf(known, 'mssfix')?.values[0] === '0')
          ? 'off'
          : 'on';
    // The kernel removes the IPv6 addresses as soon as the MTU is too small for them.
    const isMeantForIpv6 = options.some((known) =>
      ['server-ipv6', 'ifconfig-ipv6'].some((name) => optionOf(known, name) !== undefined),
    );
    // Other VPNs add another overhead to a packet, and have no options of OpenVPN.
    const others = namedTunnels(system.settings);
    const ours = tunnels.filter(({ ifname }) => !others.includes(ifname));
    return ours.map(({ ifname, mtu: size, addr_info = [], linkinfo }) =>
      judgeMtu({
        tunnel: {
          device: ifname,
          mtu: size,
          hasIpv6: isMeantForIpv6 || addr_info.some(({ family, scope }) => family === 'inet6' && scope === 'global'),
        },
        link: { device: link.ifname, mtu: link.mtu },
        mssfix: isOffloaded(linkinfo?.info_kind) ? 'offloaded' : option,
        isClamped,
      }),
    );
  },
};

/**
 * Whether a tunnel of that kind, as `ip -d link` has it, is one whose packets the kernel encrypts: `ovpn` (Linux
 * 6.16), `ovpn-dco` before.
 */
export function isOffloaded(kind: string | undefined): boolean {
  return kind?.startsWith('ovpn') ?? false;
}

/** Whether any rule sets the MSS of TCP, in nftables or in text of iptables-save. Its place is not checked. */
export function hasMssRule(ruleset: readonly NftObject[], saved: string): boolean {
  return /"mangle":\{"key":\{"tcp option":\{[^}]*"maxseg"/.test(JSON.stringify(ruleset)) || /-j TCPMSS /.test(saved);
}

export function judgeMtu({ tunnel, link, mssfix, isClamped }: Facts): Judgement {
  const subject = `MTU of ${tunnel.device}`;
  const found = `${tunnel.mtu}, and ${link.mtu} on ${link.device}`;
  const largest = link.mtu - OVERHEAD;
  const expected =
    mssfix === 'offloaded' ? `at most ${largest}, or a rule that clamps the TCP MSS` : `at most ${largest}, or mssfix`;
  if (tunnel.hasIpv6 && tunnel.mtu < IPV6_LEAST) {
    return {
      severity: 'error',
      subject,
      found,
      expected: `at least ${IPV6_LEAST} for IPv6`,
      remedy: `tun-mtu ${IPV6_LEAST} or more in OpenVPN's configuration`,
    };
  }
  if (tunnel.mtu <= largest) return fine(subject, found, expected);
  if (tunnel.mtu > link.mtu)
    return {
      severity: 'warn',
      subject,
      found,
      expected,
      remedy: `tun-mtu ${largest} in OpenVPN's configuration and its clients': every full packet is sent in fragments`,
    };
  if (isClamped)
    return {
      severity: 'info',
      subject,
      found: `${found}; a firewall rule sets the TCP MSS`,
      expected,
      remedy: `none needed, if the rule matches what passes ${tunnel.device}; tun-mtu ${largest} would also avoid fragments of large UDP packets`,
    };
  if (mssfix === 'offloaded') {
    return {
      severity: 'warn',
      subject,
      found: `${found}, with data channel offload, with which mssfix has no effect: full TCP segments are sent in fragments`,
      expected,
      remedy: `set tun-mtu ${largest}, which clients get too; or clamp: nft add rule inet FILTER FORWARD oifname ${tunnel.device} tcp flags syn tcp option maxseg size set ${largest - 60}, and the same with iifname`,
    };
  }
  if (mssfix === 'off')
    return {
      severity: 'warn',
      subject,
      found: `${found}, with mssfix 0`,
      expected,
      remedy: `remove "mssfix 0", or set tun-mtu ${largest}: full TCP segments are sent in fragments`,
    };
  const clamp = mssfix === 'on' ? 'mssfix keeps TCP below it' : 'mssfix, if it is on, keeps TCP below it';
  return {
    severity: 'info',
    subject,
    found: `${found}; ${clamp}`,
    expected,
    remedy: `none needed; tun-mtu ${largest} would also avoid fragments of large UDP packets`,
  };
}
