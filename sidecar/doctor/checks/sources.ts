import { namedTunnels } from '../../config/policy.js';
import type { StatusDocument } from '../../status.js';
import type { UnusableDevice } from '../../discovery/devices.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  /** Devices of the settings `tunnels` and `wireguard`. */
  readonly configured: readonly string[];
  /** Those of them that cannot be used. */
  readonly unusable: readonly UnusableDevice[];
  /** Of the running sidecar; null if none runs. */
  readonly status: Pick<StatusDocument, 'sources' | 'problems'> | null;
}

/** VPNs of other programs are served. */
export const sources: Check = {
  name: 'sources',
  doc: 'Each VPN of the settings `tunnels` and `wireguard` has its device, an interface of WireGuard can be read, none of its networks is refused because it would take over other traffic, and no network is behind two VPNs.',
  needsNetAdmin: false,
  look: async (system) => {
    const configured = namedTunnels(system.settings);
    if (configured.length === 0) return [];
    const status = await system.status().catch(() => null);
    return judgeSources({ configured, unusable: await system.unusableTunnels(), status });
  },
};

/** Pure. */
export function judgeSources({ configured, unusable, status }: Facts): readonly Judgement[] {
  return configured.flatMap((device): readonly Judgement[] => {
    const subject = `VPN on ${device}`;
    const expected = 'its device is up, and its networks are served';
    const reported = status?.sources?.find(({ name }) => name === device);
    const missing = unusable.find((each) => each.device === device);
    const reason = missing === undefined ? waitingReason(device, reported, status) : `the device ${missing.reason}`;
    if (reason !== null)
      return [
        {
          severity: 'error',
          subject,
          found: reason,
          expected,
          remedy: 'start the VPN program in this network namespace, or correct tunnels or wireguard',
        },
      ];
    const { refused = [], shared = [], networks = [] } = reported ?? {};
    const judgements = [
      ...refused.map(({ network, reason: why }): Judgement => ({
        severity: 'warn',
        subject: `${network} on ${device}`,
        found: `not served: ${why}`,
        expected: 'a network that exists only behind that VPN',
        remedy: 'correct tunnels, or the allowed IPs of the peer',
      })),
      ...shared.map(({ network, devices }): Judgement => ({
        severity: 'warn',
        subject: `${network} on ${device}`,
        found: `behind ${devices.join(', ')}, too; the VPN that came last is served`,
        expected: 'behind one VPN',
        remedy: 'remove the network from one of them',
      })),
    ];
    return judgements.length > 0
      ? judgements
      : [fine(subject, `up; ${networks.join(', ') || 'no network now'}`, expected)];
  });
}

/** What the sidecar says of one that it does not serve. */
function waitingReason(
  device: string,
  reported: NonNullable<StatusDocument['sources']>[number] | undefined,
  status: Facts['status'],
): string | null {
  if (reported === undefined || reported.state === 'ready') return null;
  const name = `${reported.kind} ${device}: `;
  return status?.problems.find((problem) => problem.startsWith(name))?.slice(name.length) ?? 'not ready';
}
