import type { ServerStatus } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import type { DeviceDetails } from '../system.js';

interface Facts {
  /** Devices without a link layer that are up. */
  readonly tunnels: readonly DeviceDetails[];
  /** What the running sidecar says; empty where none runs. */
  readonly reported: readonly ServerStatus[];
  /** Its problems, a sentence each, with the name of the server in front. */
  readonly problems: readonly string[];
}

/** OpenVPN has its tunnel device. */
export const tunnels: Check = {
  name: 'tunnel',
  doc: 'OpenVPN has opened its tunnel device (`dev tun`), and the sidecar has found it.',
  needsNetAdmin: false,
  look: async (system) => {
    const status = await system.status().catch(() => null);
    return judgeTunnels({ tunnels: await system.tunnels(), reported: status?.servers ?? [], problems: status?.problems ?? [] });
  },
};

export function judgeTunnels({ tunnels: found, reported, problems }: Facts): readonly Judgement[] {
  const expected = 'up, with an address';
  const lost = reported.filter(({ device, state }) => state !== 'connecting' && device === null);
  const judgements = lost.map(({ management, question }): Judgement => {
    const problem = problems.find((text) => text.startsWith(`${management}: `))?.slice(management.length + 2) ?? 'OpenVPN has opened none';
    const remedy = question == null ? 'look into the log of OpenVPN; in hold it waits for a release (setting hold); with "dev tap" there is nothing for gwmark to do' : 'see the check management';
    return { severity: 'error', subject: `tunnel of ${management}`, found: question == null ? problem : `OpenVPN has opened none: it waits for ${question}`, expected, remedy };
  });
  if (found.length > 0) return [...found.map(({ ifname, addr_info = [] }) => fine(`tunnel ${ifname}`, `up, ${addr_info.filter(({ scope }) => scope === 'global').map(({ local }) => local).join(' ')}`, expected)), ...judgements];
  if (judgements.length > 0) return judgements;
  return [{ severity: 'warn', subject: 'tunnel', found: 'no device without a link layer is up', expected: 'the tunnel device of OpenVPN, in this network namespace', remedy: 'start OpenVPN with "dev tun" in this network namespace; with "dev tap" there is nothing for gwmark to do' }];
}
