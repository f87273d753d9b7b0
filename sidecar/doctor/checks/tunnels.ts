import type { ServerStatus } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import type { DeviceDetails } from '../system.js';

interface Facts {
  /** Devices without a link layer that are up. */
  readonly tunnels: readonly DeviceDetails[];
  /** What the running sidecar says; empty where none runs. */
  readonly reported: readonly ServerStatus[];
}

/** OpenVPN has its tunnel device. */
export const tunnels: Check = {
  name: 'tunnel',
  doc: 'OpenVPN has opened its tunnel device (`dev tun`), and the sidecar has found it.',
  needsNetAdmin: false,
  look: async (system) => judgeTunnels({ tunnels: await system.tunnels(), reported: (await system.status().catch(() => null))?.servers ?? [] }),
};

export function judgeTunnels({ tunnels: found, reported }: Facts): readonly Judgement[] {
  const expected = 'up, with an address';
  const lost = reported.filter(({ device, state }) => state !== 'connecting' && device === null);
  const judgements = lost.map(({ management, question }): Judgement => {
    const why = question == null ? '' : `: it waits for ${question}`;
    const remedy = question == null ? 'look into the log of OpenVPN; in hold it waits for a release (setting hold)' : 'see the check management';
    return { severity: 'error', subject: `tunnel of ${management}`, found: `OpenVPN has opened none${why}`, expected, remedy };
  });
  if (found.length > 0) return [...found.map(({ ifname, addr_info = [] }) => fine(`tunnel ${ifname}`, `up, ${addr_info.filter(({ scope }) => scope === 'global').map(({ local }) => local).join(' ')}`, expected)), ...judgements];
  if (judgements.length > 0) return judgements;
  return [{ severity: 'warn', subject: 'tunnel', found: 'no device without a link layer is up', expected: 'the tunnel device of OpenVPN, in this network namespace', remedy: 'start OpenVPN with "dev tun" in this network namespace; with "dev tap" there is nothing for gwmark to do' }];
}
