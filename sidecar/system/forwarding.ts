import { readdir } from 'node:fs/promises';
import type { Family, Link, OriginalSysctl } from '../../rules/index.js';
import { GwmarkError } from '../errors.js';
import type { Logger } from '../log/logger.js';
import { readSysctl, writeSysctl } from './sysctl.js';

/** Below net/ipv6/conf, what is no device, or has no router on its link. */
const NO_CARDS: readonly string[] = ['all', 'default', 'lo'];

/** One parameter to change. */
export interface SysctlChange extends OriginalSysctl {
  /** The value to write; `value` is the one before. */
  readonly to: string;
  /** Packets are carried without it, except for a case that the log names. */
  readonly isOptional?: boolean;
}

export interface ForwardingNeeds {
  readonly links: readonly Link[];
  /** OpenVPN's devices. */
  readonly tunnels: readonly string[];
  readonly ipv6: boolean;
  /** IPv6 forwarding is on because gwmark enabled it. */
  readonly hasTurnedOnIpv6: boolean;
  /**
   * What the kernel looks up for an IPv6 packet without a socket, it looks up with the mark of what came in: {@link
   * needsMarkedErrors}.
   */
  readonly withMarkedErrors: boolean;
  /** The datapath has no routes that rp_filter could find: it has to be off on the links. */
  readonly withoutReversePathFilter: boolean;
  /** Links with proxy neighbours, by family. */
  readonly announcing: Readonly<Record<Family, readonly string[]>>;
}

/**
 * The changes that make the endpoint forward; nothing is written yet.
 *
 * IPv6 forwarding ends the acceptance of router advertisements on every device with `accept_ra=1`, and takes the
 * default routes away that came that way (`rt6_purge_dflt_routers()`); those devices get `accept_ra=2` first, whether
 * they are links of ours or not, and those that come later when they are there. Tunnels do not: OpenVPN lets packets
 * with link-local sources through, and a client must not advertise itself as the endpoint's router. Neither does
 * `default`, since the next tunnel would have it.
 *
 * @see ip-sysctl.rst: ip_forward, forwarding, accept_ra, rp_filter, fwmark_reflect
 */
export async function planForwarding(needs: ForwardingNeeds): Promise<SysctlChange[]> {
  const changes: SysctlChange[] = [];
  const want = async (name: string, to: string, isWrong: (value: string) => boolean): Promise<void> => {
    changes.push(...(await wrong(name, to, isWrong)));
  };
  await want('net/ipv4/ip_forward', '1', (value) => value === '0');
  if (needs.withoutReversePathFilter) changes.push(...(await planReversePathFilter(needs.links)));
  if (needs.withMarkedErrors) {
    const [reflect] = await wrong('net/ipv6/fwmark_reflect', '1', (value) => value === '0');
    if (reflect !== undefined) changes.push({ ...reflect, isOptional: true });
  }
  changes.push(...(await planAnnouncing(needs.announcing)));
  if (needs.ipv6 && (needs.hasTurnedOnIpv6 || (await readSysctl('net/ipv6/conf/all/forwarding')) === '0')) {
    const cards = (await listDevices(6)).filter(
      (device) => !NO_CARDS.includes(device) && !needs.tunnels.includes(device),
    );
    for (const device of cards) await want(`net/ipv6/conf/${device}/accept_ra`, '2', (value) => value === '1');
    await want('net/ipv6/conf/all/forwarding', '1', (value) => value === '0');
  }
  return changes;
}

/**
 * IPv6 answers for proxy neighbours only with `proxy_ndp`, of the device or of all. Both families wait up to
 * `proxy_delay` (0.8 s) before they answer a request that was for everyone, in case another host answers too; here none
 * does, which was asked before.
 *
 * @see ip-sysctl.rst: proxy_ndp; arp(7): proxy_delay
 */
async function planAnnouncing(announcing: ForwardingNeeds['announcing']): Promise<SysctlChange[]> {
  const changes: SysctlChange[] = [];
  for (const family of [4, 6] as const) {
    for (const device of announcing[family]) {
      const delays = await wrong(`net/ipv${family}/neigh/${device}/proxy_delay`, '0', (value) => value !== '0');
      changes.push(...delays.map((delay) => ({ ...delay, isOptional: true })));
    }
  }
  if ((await readSysctl('net/ipv6/conf/all/proxy_ndp')) === '1') return changes;
  for (const device of announcing[6])
    changes.push(...(await wrong(`net/ipv6/conf/${device}/proxy_ndp`, '1', (value) => value === '0')));
  return changes;
}

async function wrong(name: string, to: string, isWrong: (value: string) => boolean): Promise<SysctlChange[]> {
  const value = await readSysctl(name);
  return value !== null && isWrong(value) ? [{ name, value, to }] : [];
}

/**
 * The larger of `all` and the device's own value is in force. So where `all` has one, every other device gets it as
 * its own before `all` gives it up, and is filtered as before; `default` too, for devices to come.
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
  const others = (await listDevices(4)).filter(
    (device) => device !== 'all' && !links.some((link) => link.device === device),
  );
  if (all !== '0') {
    for (const device of others) await change(device, all, (value) => Number(value) < Number(all));
    await change('all', '0', () => true);
  }
  for (const { device } of links) await change(device, '0', (value) => value !== '0');
  return changes;
}

/** What has a directory below net/ipv4/conf or net/ipv6/conf: devices, `all` and `default`. */
async function listDevices(family: Family): Promise<string[]> {
  return readdir(`/proc/sys/net/ipv${family}/conf`).catch(() => []);
}

/**
 * Writes the changes in their order.
 *
 * @returns those that are optional and could not be written
 * @throws GwmarkError SYSCTL_FAILED when another cannot be written, after those before it were
 */
export async function applySysctls(
  changes: readonly SysctlChange[],
  logger: Logger,
): Promise<readonly SysctlChange[]> {
  const refused: SysctlChange[] = [];
  for (const change of changes) {
    const { name, value, to } = change;
    try {
      await writeSysctl(name, to);
    } catch (error) {
      const dotted = name.replaceAll('/', '.');
      if (change.isOptional === true) {
        refused.push(change);
        continue;
      }
      throw new GwmarkError(
        'SYSCTL_FAILED',
        `set sysctl ${dotted} from ${value} to ${to}: ${(error as Error).message}; set it outside`,
        { cause: error },
      );
    }
    logger.info('sysctl.changed', { name, from: value, to });
  }
  return refused;
}

/** Restores sysctls, the last changed first. Returns what could not be set. */
export async function restoreSysctls(savedSysctls: readonly OriginalSysctl[]): Promise<OriginalSysctl[]> {
  const failed: OriginalSysctl[] = [];
  for (const original of savedSysctls.toReversed()) {
    const value = await readSysctl(original.name);
    // One that could not be changed needs no restoring, and one of a device that is gone has none.
    if (value === original.value || value === null) continue;
    await writeSysctl(original.name, original.value).catch(() => failed.push(original));
  }
  return failed;
}
