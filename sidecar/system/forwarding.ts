import { readdir } from 'node:fs/promises';
import type { Link, OriginalSysctl } from '../../rules/index.js';
import { GwmarkError } from '../errors.js';
import type { Logger } from '../log/logger.js';
import { readSysctl, writeSysctl } from './sysctl.js';

/** One parameter that is to be changed. */
export interface SysctlChange extends OriginalSysctl {
  /** The value to write; `value` is the one before. */
  readonly to: string;
}

export interface ForwardingNeeds {
  readonly links: readonly Link[];
  readonly ipv6: boolean;
  /** The datapath has no routes that rp_filter could find: it has to be off on the links. */
  readonly withoutReversePathFilter: boolean;
}

/**
 * What has to be changed so that the endpoint forwards; nothing is written yet.
 *
 * IPv6 forwarding ends the acceptance of router advertisements on devices with `accept_ra=1`, and with it addresses and
 * routes that came that way; those devices get `accept_ra=2` first.
 *
 * @see ip-sysctl.rst: ip_forward, forwarding, accept_ra, rp_filter
 */
export async function planForwarding(needs: ForwardingNeeds): Promise<SysctlChange[]> {
  const changes: SysctlChange[] = [];
  const want = async (name: string, to: string, isWrong: (value: string) => boolean): Promise<void> => {
    const value = await readSysctl(name);
    if (value !== null && isWrong(value)) changes.push({ name, value, to });
  };
  await want('net/ipv4/ip_forward', '1', (value) => value === '0');
  if (needs.withoutReversePathFilter) changes.push(...(await planReversePathFilter(needs.links)));
  if (needs.ipv6 && (await readSysctl('net/ipv6/conf/all/forwarding')) === '0') {
    for (const { device } of needs.links) await want(`net/ipv6/conf/${device}/accept_ra`, '2', (value) => value === '1');
    await want('net/ipv6/conf/all/forwarding', '1', (value) => value === '0');
  }
  return changes;
}

/**
 * The larger of `all` and the device's own value is in force. So where `all` has one, every other device gets it as its own before `all`
 * gives it up, and is filtered as before; `default` too, for devices to come.
 */
async function planReversePathFilter(links: readonly Link[]): Promise<SysctlChange[]> {
  if (!links.some(({ hasReversePathFilter }) => hasReversePathFilter)) return [];
  const changes: SysctlChange[] = [];
  const change = async (device: string, to: string, isWrong: (value: string) => boolean): Promise<void> => {
    const name = `net/ipv4/conf/${device}/rp_filter`;
    const value = await readSysctl(name);
    if (value !== null && isWrong(value)) changes.push({ name, value, to });
  };
  const all = (await readSysctl('net/ipv4/conf/all/rp_filter')) ?? '0';
  const others = (await listDevices()).filter((device) => device !== 'all' && !links.some((link) => link.device === device));
  if (all !== '0') {
    for (const device of others) await change(device, all, (value) => Number(value) < Number(all));
    await change('all', '0', () => true);
  }
  for (const { device } of links) await change(device, '0', (value) => value !== '0');
  return changes;
}

/** What has a directory below net/ipv4/conf: devices, `all` and `default`. */
async function listDevices(): Promise<string[]> {
  return readdir('/proc/sys/net/ipv4/conf').catch(() => []);
}

/**
 * Writes the changes in their order.
 *
 * @throws GwmarkError SYSCTL_FAILED when one cannot be written, after those before it were
 */
export async function applySysctls(changes: readonly SysctlChange[], logger: Logger): Promise<void> {
  for (const { name, value, to } of changes) {
    try {
      await writeSysctl(name, to);
    } catch (error) {
      const dotted = name.replaceAll('/', '.');
      throw new GwmarkError('SYSCTL_FAILED', `set sysctl ${dotted} from ${value} to ${to}: ${(error as Error).message}; set it outside`, { cause: error });
    }
    logger.info('sysctl.changed', { name, from: value, to });
  }
}

/** Sets sysctls back, the last changed first. Returns what could not be set. */
export async function restoreSysctls(originals: readonly OriginalSysctl[]): Promise<OriginalSysctl[]> {
  const failed: OriginalSysctl[] = [];
  for (const original of originals.toReversed()) {
    await writeSysctl(original.name, original.value).catch(() => failed.push(original));
  }
  return failed;
}
