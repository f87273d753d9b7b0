import type { StatusDocument } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** So many moves within ten minutes are no failover and its end any more. */
const FLAPPING = 4;

/** Where replies of gateways go: addresses of the policies, and gateways that move all the time. */
export const failover: Check = {
  name: 'failover',
  doc: 'Every gateway answers probes (`gateways.probeIntervalMs`); none moved more than four times within ten minutes, which two machines with one address cause, or forged ARP; and every address in `gateways.answer` has a MAC address in the neighbour table, until which replies go where frames come from.',
  needsNetAdmin: false,
  look: async (system) => {
    const status = await system.status();
    return status === null ? [] : judgeFailover(status);
  },
};

export function judgeFailover(
  status: Pick<StatusDocument, 'answers' | 'gateways' | 'datapath' | 'settings'>,
): readonly Judgement[] {
  const { 'gateways.answer': policies, 'gateways.probeIntervalMs': probes = 0 } = status.settings ?? {};
  const ignored = [
    ...(Array.isArray(policies) && policies.length > 0 ? ['gateways.answer'] : []),
    ...(probes === 0 ? [] : ['gateways.probeIntervalMs']),
  ];
  if (status.datapath === 'module')
    return ignored.map((subject) => ({
      severity: 'warn',
      subject,
      found: 'the setting has no effect: the module learns and moves gateways by itself',
      expected: `datapath: nexthop, or no ${subject}`,
      remedy: 'set datapath: nexthop; "gwmark move" works with both datapaths',
    }));
  const answers = (status.answers ?? []).map(({ device, policy, address, mac }): Judgement => {
    if (mac !== null) return fine('gateways.answer', `${device} ${policy} ${address}: ${mac}`);
    const kind = policy === 'virtual' ? 'a MAC address of a VRRP or HSRP group' : 'a MAC address';
    return {
      severity: 'warn',
      subject: 'gateways.answer',
      found: `${device} ${policy} ${address}: no neighbour has it; replies go where frames come from`,
      expected: `a neighbour with this address and ${kind}`,
      remedy: `compare with "ip neigh show ${address} dev ${device}"`,
    };
  });
  const flapping = status.gateways
    .filter(({ recentMoves = 0 }) => recentMoves > FLAPPING)
    .map(({ id, device, mac, addresses, recentMoves }): Judgement => ({
      severity: 'warn',
      subject: `gateway ${id}`,
      found: `${addresses.join(', ') || mac} on ${device} moved ${recentMoves} times in ten minutes, now to ${mac}`,
      expected: 'one machine with this address',
      remedy:
        'look for a second machine with the address (arping -D), for two masters of a VRRP group, or for forged ARP: the log names both MAC addresses (gateway.moved)',
    }));
  const dead = status.gateways
    .filter(({ state }) => state === 'down')
    .map(({ id, device, mac, addresses }): Judgement => ({
      severity: 'warn',
      subject: `gateway ${id}`,
      found: `${addresses.join(', ') || mac} on ${device} answers no probes; its flows take the normal route`,
      expected: 'a router that answers ARP or neighbour discovery',
      remedy: 'check the router; "gwmark forget" removes one that is out of service',
    }));
  return [...answers, ...flapping, ...dead];
}
