import type { Link, OriginalSysctl } from '../../rules/index.js';
import { GwmarkError } from '../errors.js';
import type { Logger } from '../log/logger.js';
import { readSysctl, writeSysctl } from './sysctl.js';

/**
 * Turns forwarding on where it is off, for the families that the tunnels have.
 *
 * IPv6 forwarding ends the acceptance of router advertisements on devices with `accept_ra=1`, and with it addresses and
 * routes that came that way; those devices get `accept_ra=2` first.
 *
 * @returns what the changed sysctls had been
 * @throws GwmarkError SYSCTL_FAILED when one that is needed cannot be written, after those before it were
 * @see ip-sysctl.rst: ip_forward, forwarding, accept_ra
 */
export async function enableForwarding(links: readonly Link[], needsIpv6: boolean, logger: Logger): Promise<OriginalSysctl[]> {
  const changed: OriginalSysctl[] = [];
  const set = async (name: string, value: string): Promise<void> => {
    const before = await readSysctl(name);
    if (before === null || before === value) return;
    try {
      await writeSysctl(name, value);
    } catch (error) {
      const dotted = name.replaceAll('/', '.');
      throw new GwmarkError('SYSCTL_FAILED', `set sysctl ${dotted} from ${before} to ${value}: ${(error as Error).message}; set it outside`, { cause: error });
    }
    changed.push({ name, value: before });
    logger.info('sysctl.changed', { name, from: before, to: value });
  };
  await set('net/ipv4/ip_forward', '1');
  if (needsIpv6 && (await readSysctl('net/ipv6/conf/all/forwarding')) === '0') {
    for (const { device } of links) {
      const name = `net/ipv6/conf/${device}/accept_ra`;
      if ((await readSysctl(name)) === '1') await set(name, '2');
    }
    await set('net/ipv6/conf/all/forwarding', '1');
  }
  return changed;
}

/** Sets sysctls back, the last changed first. Returns what could not be set. */
export async function restoreSysctls(originals: readonly OriginalSysctl[]): Promise<OriginalSysctl[]> {
  const failed: OriginalSysctl[] = [];
  for (const original of originals.toReversed()) {
    await writeSysctl(original.name, original.value).catch(() => failed.push(original));
  }
  return failed;
}
