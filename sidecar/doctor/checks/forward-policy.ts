import type { NftObject } from 'nftables-json';

import type { Family } from '../../../rules/index.js';
import { type Refusal, refusalOf } from '../../firewall/forward-verdict.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import { savedLines } from '../../firewall/saved-lines.js';

/** A path through the endpoint on which a rule drops or rejects the first packet. */
interface RefusedWay extends Refusal, Way {
  readonly families: readonly Family[];
}

interface Facts {
  readonly refused: readonly RefusedWay[];
  /** Chains of hook forward that drop what no rule accepts. */
  readonly dropping: readonly string[];
}

/** No rule drops what the endpoint forwards. */
export const forwardPolicy: Check = {
  name: 'forward-policy',
  doc: "No chain of hook forward drops everything that its rules do not accept (policy drop), in nftables and iptables of both flavours: packets of the VPN pass FORWARD like all others. Docker sets such a policy. No rule drops or rejects every new flow between a link and a tunnel, as the last `reject` of firewalld's zones does. The check ignores rules that match ports or addresses.",
  needsNetAdmin: true,
  look: async (system) => {
    const [ruleset, legacy] = [await system.ruleset(), await system.legacyIptables()];
    const ways = waysBetween(
      (await system.links()).map(({ ifname }) => ifname),
      (await system.tunnels()).map(({ ifname }) => ifname),
    );
    return judgeForwardPolicy({
      dropping: [...nftDropping(ruleset), ...legacyDropping(legacy)],
      refused: refusedWays(ruleset, ways),
    });
  },
};

export function judgeForwardPolicy({ dropping, refused }: Facts): readonly Judgement[] {
  const subject = 'policy of FORWARD';
  const expected = 'accept, or rules that accept what the tunnels send and receive';
  if (dropping.length === 0 && refused.length === 0) return [fine(subject, 'accept', expected)];
  const byRules = refused.map((way): Judgement => ({
    severity: way.mayBeAccepted ? 'warn' : 'error',
    subject: 'rules of FORWARD',
    found: `${way.where} ends with ${way.verdict} for packets from ${way.from} to ${way.to} (IPv${way.families.join(' and IPv')})${way.mayBeAccepted ? ', unless an earlier rule accepts them' : ''}`,
    expected,
    remedy: remedyOfRefusal(way),
  }));
  const byPolicy = dropping.map((where): Judgement => ({
    severity: 'warn',
    subject,
    found: `${where} has policy drop: packets of the VPN are lost unless a rule there accepts them`,
    expected,
    remedy:
      'accept the tunnel there in both directions (Docker: in chain DOCKER-USER): iptables -I FORWARD -i tun0 -j ACCEPT; iptables -I FORWARD -o tun0 -j ACCEPT, and the same with ip6tables',
  }));
  return [...byPolicy, ...byRules];
}

/** How to keep a rule from rejecting new flows from one device to another. */
export function remedyOfRefusal({ where, from, to, isFromTunnel }: Way & Pick<Refusal, 'where'>): string {
  if (!where.includes(' firewalld ')) return `accept it in an earlier rule: iifname "${from}" oifname "${to}" accept`;
  if (isFromTunnel) return `firewall-cmd --permanent --zone=trusted --add-interface=${from}; firewall-cmd --reload`;
  const policy = 'firewall-cmd --permanent --policy=to-vpn';
  return `put the tunnel into zone trusted (firewall-cmd --permanent --zone=trusted --add-interface=${to}), and add a policy that admits the other zones: firewall-cmd --permanent --new-policy=to-vpn; ${policy} --add-ingress-zone=ANY; ${policy} --add-egress-zone=trusted; ${policy} --set-target=ACCEPT; firewall-cmd --reload`;
}

/** From a device to another. */
export interface Way {
  readonly from: string;
  readonly to: string;
  readonly isFromTunnel: boolean;
}

/** Between every link and every tunnel, in both directions. */
export function waysBetween(links: readonly string[], tunnels: readonly string[]): readonly Way[] {
  return links.flatMap((link) =>
    tunnels.flatMap((tunnel) => [
      { from: link, to: tunnel, isFromTunnel: false },
      { from: tunnel, to: link, isFromTunnel: true },
    ]),
  );
}

/** The paths on which rules of nftables drop or reject a new flow. */
function refusedWays(objects: readonly NftObject[], ways: readonly Way[]): readonly RefusedWay[] {
  const found = new Map<string, RefusedWay>();
  for (const way of ways) {
    for (const family of [4, 6] as const) {
      const refusal = refusalOf(objects, { ...way, family });
      if (refusal === null) continue;
      const key = JSON.stringify([way, refusal.where, refusal.verdict]);
      const known = found.get(key);
      found.set(key, {
        ...way,
        ...refusal,
        mayBeAccepted: refusal.mayBeAccepted || known?.mayBeAccepted === true,
        families: [...(known?.families ?? []), family],
      });
    }
  }
  return [...found.values()];
}

function nftDropping(objects: readonly NftObject[]): readonly string[] {
  return objects.flatMap((object) => {
    if (!('chain' in object) || object.chain.hook !== 'forward' || object.chain.policy !== 'drop') return [];
    const { family, table, name } = object.chain;
    // The endpoint does not forward frames that a bridge passes on.
    return family === 'ip' || family === 'ip6' || family === 'inet'
      ? [`nftables chain ${family} ${table} ${name}`]
      : [];
  });
}

/** @param saved as of iptables-save: `*filter`, `:FORWARD DROP [0:0]` */
export function legacyDropping(saved: string): readonly string[] {
  return savedLines(saved).flatMap(({ table, line }) =>
    line.startsWith(':FORWARD DROP ') ? [`iptables chain ${table} FORWARD`] : [],
  );
}
