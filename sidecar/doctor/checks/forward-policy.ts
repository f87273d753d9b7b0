import type { NftObject } from 'nftables-json';

import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import { savedLines } from '../saved-lines.js';

interface Facts {
  /** Chains of hook forward that drop what no rule accepts. */
  readonly dropping: readonly string[];
}

/** Nobody drops what the endpoint forwards. */
export const forwardPolicy: Check = {
  name: 'forward-policy',
  doc: 'No chain of hook forward drops everything that its rules do not accept (policy drop), in nftables and iptables of both flavours: packets of the VPN pass FORWARD as any other. Docker sets such a policy. What single rules drop is not looked at.',
  needsNetAdmin: true,
  look: async (system) => judgeForwardPolicy({ dropping: [...nftDropping(await system.ruleset()), ...legacyDropping(await system.legacyIptables())] }),
};

export function judgeForwardPolicy({ dropping }: Facts): readonly Judgement[] {
  const subject = 'policy of forward';
  const expected = 'accept, or rules that accept what the tunnels send and get';
  if (dropping.length === 0) return [fine(subject, 'accept', expected)];
  return dropping.map((where) => ({
    severity: 'warn',
    subject,
    found: `${where} has policy drop: packets of the VPN are lost unless a rule there accepts them`,
    expected,
    remedy: 'accept the tunnel in both directions there (Docker: in chain DOCKER-USER): iptables -I FORWARD -i tun0 -j ACCEPT; iptables -I FORWARD -o tun0 -j ACCEPT, and the same with ip6tables',
  }));
}

function nftDropping(objects: readonly NftObject[]): readonly string[] {
  return objects.flatMap((object) => {
    if (!('chain' in object) || object.chain.hook !== 'forward' || object.chain.policy !== 'drop') return [];
    const { family, table, name } = object.chain;
    // Frames that a bridge passes on are nothing that the endpoint forwards.
    return family === 'ip' || family === 'ip6' || family === 'inet' ? [`nftables chain ${family} ${table} ${name}`] : [];
  });
}

/** @param saved as of iptables-save: `*filter`, `:FORWARD DROP [0:0]` */
export function legacyDropping(saved: string): readonly string[] {
  return savedLines(saved).flatMap(({ table, line }) => (line.startsWith(':FORWARD DROP ') ? [`iptables chain ${table} FORWARD`] : []));
}
