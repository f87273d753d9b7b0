import type { UnreachableNetwork } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** Packets to clients reach their tunnels. */
export const reachability: Check = {
  name: 'client-routes',
  doc: "The endpoint routes every client network to its client's tunnel: no other route covers it, such as an administrator's or another tunnel's. The check asks the running sidecar.",
  needsNetAdmin: false,
  look: async (system) => {
    const status = await system.status().catch(() => null);
    return status === null ? [] : judgeReachability(status.unreachable ?? []);
  },
};

/** Pure. */
export function judgeReachability(unreachable: readonly UnreachableNetwork[]): readonly Judgement[] {
  const expected = 'each client network is routed to its tunnel';
  if (unreachable.length === 0) return [fine('routes to clients', 'each goes to its tunnel', expected)];
  return unreachable.map(({ network, device, leadsTo }) => ({
    severity: 'warn',
    subject: `route to ${network}`,
    found: `${leadsTo === null ? 'missing' : `goes to ${leadsTo}`}, but its client is on ${device}: no packet reaches it`,
    expected,
    remedy: `remove the route that covers it ("ip route get ${network.replace(/\/.*/, '')}" shows it), or give the client another address`,
  }));
}
