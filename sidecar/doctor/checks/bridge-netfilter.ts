import { readSysctl } from '../../system/sysctl.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  /** `net.bridge.bridge-nf-call-*` by name; null if br_netfilter is not loaded. */
  readonly calls: Readonly<Record<string, string | null>>;
  /** Bridges among the links of the endpoint. */
  readonly bridges: readonly string[];
}

const NAMES = ['bridge-nf-call-iptables', 'bridge-nf-call-ip6tables'] as const;

/** Frames that only cross a bridge do not pass the rules for routed packets. */
export const bridgeNetfilter: Check = {
  name: 'br-netfilter',
  doc: 'br_netfilter does not send frames that only cross a bridge of the endpoint through conntrack and the rules for routed packets. Docker loads it.',
  needsNetAdmin: false,
  look: async (system) => {
    const calls = await Promise.all(
      NAMES.map(async (name) => [name, await readSysctl(`net/bridge/${name}`)] as const),
    );
    const bridges = (await system.links())
      .filter(({ linkinfo }) => linkinfo?.info_kind === 'bridge')
      .map(({ ifname }) => ifname);
    return [judgeBridgeNetfilter({ calls: Object.fromEntries(calls), bridges })];
  },
};

export function judgeBridgeNetfilter({ calls, bridges }: Facts): Judgement {
  const subject = 'br_netfilter';
  const on = Object.entries(calls)
    .filter(([, value]) => value === '1')
    .map(([name]) => name);
  if (on.length === 0) return fine(subject, 'off', 'off on the bridges of an endpoint');
  if (bridges.length === 0) return fine(subject, 'on, and no link is a bridge', 'off on the bridges of an endpoint');
  return {
    severity: 'warn',
    subject,
    found: `${on.map((name) => `net.bridge.${name}=1`).join(', ')}: frames that only cross ${bridges.join(', ')} go through conntrack and the rules for routed packets`,
    expected: '0',
    remedy: `sysctl -w ${on.map((name) => `net.bridge.${name}=0`).join(' ')}`,
  };
}
