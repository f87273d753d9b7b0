import { readSysctl } from '../../system/sysctl.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  /** Null where this kernel or namespace has none. */
  readonly reflect: string | null;
  readonly isManaged: boolean;
  readonly isRunning: boolean;
}

/** OpenVPN learns a path MTU below the link's MTU. */
export const pathMtu: Check = {
  name: 'path-mtu',
  doc: "With the datapath `nexthop` and OpenVPN over UDP and IPv6, `net.ipv6.fwmark_reflect` is on: only then does the kernel apply a path MTU below the link's MTU to the packets for that client.",
  needsNetAdmin: false,
  look: async (system) => {
    if ((await system.datapath()) !== 'nexthop') return [];
    const status = await system.status().catch(() => null);
    const transports = status?.servers.flatMap(({ transport }) => transport) ?? [];
    const hasUdp6 = transports.some(({ protocol, address }) => protocol === 'udp' && address.includes(':'));
    if (!hasUdp6) return [];
    return [
      judgePathMtu({
        reflect: await readSysctl('net/ipv6/fwmark_reflect'),
        isManaged: system.settings.sysctl === 'manage',
        isRunning: status !== null,
      }),
    ];
  },
};

export function judgePathMtu({ reflect, isManaged, isRunning }: Facts): Judgement {
  const subject = 'net.ipv6.fwmark_reflect';
  if (reflect === '1') return fine(subject, '1');
  const found = `${reflect ?? 'cannot be read'}: OpenVPN over IPv6 does not learn a path MTU below the link's MTU`;
  if (isManaged && !isRunning)
    return { severity: 'info', subject, found, expected: '1', remedy: 'none needed: gwmark run enables it' };
  return {
    severity: 'warn',
    subject,
    found,
    expected: '1',
    remedy: `sysctl -w ${subject}=1 (outside of the container, if it is one), or set mssfix and tun-mtu in OpenVPN's configuration small enough for every path`,
  };
}
