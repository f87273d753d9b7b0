import { namedTunnels } from '../../config/policy.js';
import type { ServerStatus } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import type { DeviceDetails } from '../system.js';
import { isOffloaded } from './mtu.js';

interface Facts {
  /** Devices without a link layer that are up. */
  readonly tunnels: readonly DeviceDetails[];
  /** What the running sidecar says; empty if none runs. */
  readonly reported: readonly ServerStatus[];
  /** Its problems, one sentence each, with the name of the server in front. */
  readonly problems: readonly string[];
  /** There is no OpenVPN to be expected, but another VPN. */
  readonly hasOnlyOthers?: boolean;
}

/** OpenVPN has its tunnel device. */
export const tunnels: Check = {
  name: 'tunnel',
  doc: 'OpenVPN has opened its tunnel device (`dev tun`), and the sidecar has found it; no device with data channel offload is left from an OpenVPN that was killed.',
  needsNetAdmin: false,
  look: async (system) => {
    const status = await system.status().catch(() => null);
    return judgeTunnels({
      tunnels: await system.tunnels(),
      reported: status?.servers ?? [],
      problems: status?.problems ?? [],
      hasOnlyOthers:
        system.settings.management.endpoints.length === 0 &&
        (status?.servers ?? []).length === 0 &&
        namedTunnels(system.settings).length > 0,
    });
  },
};

export function judgeTunnels({
  tunnels: found,
  reported,
  problems,
  hasOnlyOthers = false,
}: Facts): readonly Judgement[] {
  const expected = 'up, with an address';
  const lost = reported.filter(({ device, state }) => state !== 'connecting' && device === null);
  const judgements = lost.map(({ management, question }): Judgement => {
    const problem =
      problems.find((text) => text.startsWith(`${management}: `))?.slice(management.length + 2) ??
      'OpenVPN has not opened one';
    const remedy =
      question == null
        ? 'see the log of OpenVPN; in hold it waits for a release (setting hold); with "dev tap", gwmark has nothing to do'
        : 'see the check management';
    return {
      severity: 'error',
      subject: `tunnel of ${management}`,
      found: question == null ? problem : `OpenVPN has not opened one: it waits for ${question}`,
      expected,
      remedy,
    };
  });
  if (found.length > 0)
    return [
      ...leftBehind(found, reported),
      ...found.map(({ ifname, addr_info = [] }) =>
        fine(
          `tunnel ${ifname}`,
          `up, ${addr_info
            .filter(({ scope }) => scope === 'global')
            .map(({ local }) => local)
            .join(' ')}`,
          expected,
        ),
      ),
      ...judgements,
    ];
  if (judgements.length > 0 || hasOnlyOthers) return judgements;
  return [
    {
      severity: 'warn',
      subject: 'tunnel',
      found: 'no device without a link layer is up',
      expected: 'the tunnel device of OpenVPN, in this network namespace',
      remedy: 'start OpenVPN with "dev tun" in this network namespace; with "dev tap", gwmark has nothing to do',
    },
  ];
}

/** Devices with data channel offload outlive an OpenVPN that was killed; others disappear with it. */
function leftBehind(found: readonly DeviceDetails[], reported: readonly ServerStatus[]): readonly Judgement[] {
  if (reported.length === 0 || !reported.every(({ state }) => state === 'connecting')) return [];
  return found
    .filter(({ linkinfo }) => isOffloaded(linkinfo?.info_kind))
    .map(({ ifname }) => ({
      severity: 'warn',
      subject: `tunnel ${ifname}`,
      found: 'has data channel offload, but no OpenVPN answers: a killed OpenVPN leaves its device behind',
      expected: 'no device while OpenVPN is not running',
      remedy: `before OpenVPN starts again: ip link delete ${ifname}; OpenVPN 2.7 uses the existing device, and exits at its first client ("netlink reports device not found"). In its unit: ExecStopPost=-ip link delete ${ifname}`,
    }));
}
