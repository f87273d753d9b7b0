import type { UnreachableNetwork } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** Packets to clients get to their tunnels. */
export const reachability: Check = {
  name: 'client-routes',
  doc: "The endpoint's own routing leads every client network to the tunnel of its client: no other route has it, an administrator's or another tunnel's. The running sidecar is asked.",
  needsNetAdmin: false,
  look: async (system) => {
    const status = await system.status().catch(() => null);
    return status === null ? [] : judgeReachability(status.unreachable ?? []);
  },
};

/** Pure. */
export function judgeReachability(unreachable: readonly UnreachableNetwork[]): readonly Judgement[] {
  const expected = 'each client network leads to its tunnel';
  if (unreachable.length === 0) return [fine('routes to clients', 'each leads to its tunnel', expected)];
  return unreachable.map(({ network, device, leadsTo }) => ({
    severity: 'warn',
    subject: `route to ${network}`,
    found: `${leadsTo === null ? 'leads nowhere' : `leads to ${leadsTo}`}, and its client is on ${device}: no packet reaches it`,
    expected,
    remedy: `remove the route that has it ("ip route get ${network.replace(/\/.*/, '')}" shows it), or give the client another address`,
  }));
}
