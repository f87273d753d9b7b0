import { ADDRESS } from '../lab/topology.js';
import type { VpnLab } from '../lab/vpn-lab.js';
import { slowed } from '../lab/wait.js';

/** Waits until the endpoint answers for so many addresses, and looks for no more. */
export async function announces(lab: VpnLab, count: number): Promise<void> {
  await lab.sidecar.statusWhere(
    ({ announcements }) => announcements?.announced === count && announcements.pending === 0,
    `${count} addresses are announced`,
  );
}

/** Addresses of the endpoint's proxy neighbours, IPv4 first, each in the order of their text. */
export async function proxies(lab: VpnLab): Promise<readonly string[]> {
  const listed = await lab.topology.endpoint.run(['ip', 'neigh', 'show', 'proxy']);
  return listed
    .split('\n')
    .flatMap((line) => line.split(' ')[0] || [])
    .toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')) || (a < b ? -1 : 1));
}

/** The MAC that the host on the segment has for an address; null without one. */
export async function knownMac(lab: VpnLab, address: string): Promise<string | null> {
  // Printed by ip(8).
  const [neighbour] = JSON.parse(
    (await lab.topology.local.run(['ip', '-j', 'neigh', 'show', address, 'dev', 'lan0'])) || '[]',
  ) as readonly { lladdr?: string }[];
  return neighbour?.lladdr ?? null;
}

/**
 * Whether a host on the segment that asks who has an address gets an answer.
 *
 * @param options `isKept`: the host keeps the answer
 */
export async function isAnswered(
  lab: VpnLab,
  address: string,
  options: { readonly isKept?: boolean } = {},
): Promise<boolean> {
  const { local } = lab.topology;
  await local.tryRun(['ip', 'neigh', 'del', address, 'dev', 'lan0']);
  const source = address.includes(':') ? ADDRESS.local.v6 : ADDRESS.local.v4;
  await local.tryRun(['ping', '-n', '-c', '1', '-W', String(slowed(1)), '-I', source, address]);
  const mac = await knownMac(lab, address);
  if (options.isKept !== true) await local.tryRun(['ip', 'neigh', 'del', address, 'dev', 'lan0']);
  return mac !== null;
}
