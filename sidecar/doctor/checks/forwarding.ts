import { access, constants } from 'node:fs/promises';

import { readSysctl } from '../../system/sysctl.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  /** Below /proc/sys. */
  readonly name: string;
  /** Null where this kernel or namespace has none. */
  readonly value: string | null;
  readonly isWritable: boolean;
  /** `sysctl: manage` */
  readonly isManaged: boolean;
  readonly isRunning: boolean;
}

/** The endpoint forwards packets. */
export const forwarding: Check = {
  name: 'forwarding',
  doc: 'IPv4 forwarding, and IPv6 forwarding where a link has an IPv6 address, are on, or the sidecar can enable them; and IPv4 forwarding is not off on a single link or tunnel.',
  needsNetAdmin: false,
  look: async (system) => {
    const hasIpv6 = (await system.links()).some(({ addr_info = [] }) =>
      addr_info.some(({ family, scope }) => family === 'inet6' && scope === 'global'),
    );
    const names = ['net/ipv4/ip_forward', ...(hasIpv6 ? ['net/ipv6/conf/all/forwarding'] : [])];
    const isRunning = (await system.status().catch(() => null)) !== null;
    const isManaged = system.settings.sysctl === 'manage';
    const devices = await Promise.all(
      [...(await system.links()), ...(await system.tunnels())].map(async ({ ifname }) => ({
        ifname,
        value: await readSysctl(`net/ipv4/conf/${ifname}/forwarding`),
      })),
    );
    const judgements = await Promise.all(
      names.map(async (name) =>
        judgeForwarding({
          name,
          value: await readSysctl(name),
          isWritable: await isWritable(name),
          isManaged,
          isRunning,
        }),
      ),
    );
    // Enabling it for all devices enables it for each.
    const isOn = (await readSysctl('net/ipv4/ip_forward')) !== '0';
    return isOn
      ? [...judgements, ...devices.filter(({ value }) => value === '0').map(({ ifname }) => judgeDevice(ifname))]
      : judgements;
  },
};

/** @param device that does not forward, although the machine does */
export function judgeDevice(device: string): Judgement {
  const subject = `net.ipv4.conf.${device}.forwarding`;
  return {
    severity: 'error',
    subject,
    found: '0, although net.ipv4.ip_forward is on',
    expected: '1',
    remedy: `sysctl -w ${subject}=1 (systemd-networkd: IPForward=yes, IPv4Forwarding=yes)`,
  };
}

export function judgeForwarding({ name, value, isWritable: canWrite, isManaged, isRunning }: Facts): Judgement {
  const subject = name.replaceAll('/', '.');
  if (value !== null && value !== '0') return fine(subject, value, '1');
  const remedy = `sysctl -w ${subject}=1`;
  const found = value ?? 'cannot be read';
  if (isRunning || !isManaged) return { severity: 'error', subject, found, expected: '1', remedy };
  if (!canWrite)
    return {
      severity: 'error',
      subject,
      found: `${found}, and not writable from here`,
      expected: '1',
      remedy: `${remedy} outside of the container`,
    };
  return { severity: 'info', subject, found, expected: '1', remedy: 'none needed: gwmark run enables it' };
}

async function isWritable(name: string): Promise<boolean> {
  return access(`/proc/sys/${name}`, constants.W_OK).then(
    () => true,
    () => false,
  );
}
