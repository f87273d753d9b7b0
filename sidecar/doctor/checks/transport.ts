import type { ServerStatus } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  /** What the running sidecar says; empty if none runs. */
  readonly reported: readonly ServerStatus[];
  /** Its problems, one sentence each. */
  readonly problems: readonly string[];
}

/** The sidecar knows OpenVPN's sockets. */
export const transport: Check = {
  name: 'transport',
  doc: "The running sidecar knows the sockets on which each OpenVPN server serves its clients, and their source: the setting, OpenVPN's process, its log, its options, its events.",
  needsNetAdmin: false,
  look: async (system) => {
    const status = await system.status().catch(() => null);
    return judgeTransport({ reported: status?.servers ?? [], problems: status?.problems ?? [] });
  },
};

/** Pure. */
export function judgeTransport({ reported, problems }: Facts): readonly Judgement[] {
  // Without a device there is no traffic yet, and another check says why.
  return reported
    .filter(({ role, state, device }) => role === 'server' && state !== 'connecting' && device !== null)
    .map(({ management, transport: sockets, transportSource }) => {
      const subject = `sockets of ${management}`;
      const expected = 'known, with their ports';
      const list = sockets
        .map(
          ({ protocol, address, port }) => `${protocol}/${address.includes(':') ? `[${address}]` : address}:${port}`,
        )
        .join(', ');
      if (sockets.length > 0) return fine(subject, `${list}, source: ${transportSource ?? 'unknown'}`, expected);
      const why =
        problems.find((problem) => problem.startsWith(`${management}:`))?.slice(management.length + 2) ?? 'unknown';
      return {
        severity: 'error',
        subject,
        found: why,
        expected,
        remedy:
          'set transport, for example transport: udp/1194; or restart OpenVPN with verb 1 or more while the sidecar runs, so that its log has them',
      };
    });
}
