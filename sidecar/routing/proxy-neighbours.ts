import type { AnnouncedAddress, Family } from '../../rules/index.js';
import { announcedKey } from '../../rules/index.js';
import { ipBatch, ipJson } from './iproute.js';

/** A proxy neighbour: the endpoint answers ARP and ND for this address on this device (ip-neighbour(8)). */
export interface ProxyNeighbour extends AnnouncedAddress {
  /** It has our protocol number. */
  readonly isOurs: boolean;
}

/** What `ip -j neigh show proxy` prints of one. */
interface IpProxy {
  readonly dst: string;
  readonly dev: string;
  readonly protocol?: string;
}

/** The answers if the device went, and its entries with it. */
const DEVICE_GONE = /Cannot find device|No such (process|file or directory|device)/;

/** Reads those of every device and program. @throws GwmarkError as `ipJson` */
export async function readProxyNeighbours(protocol: number): Promise<readonly ProxyNeighbour[]> {
  const listed = await ipJson<IpProxy>(['-N', 'neigh', 'show', 'proxy']);
  return listed.map(({ dst, dev, protocol: of }) => ({
    family: familyOf(dst),
    address: dst,
    device: dev,
    isOurs: of === String(protocol),
  }));
}

/**
 * Adds them, with our protocol number; a device that is gone is no failure.
 *
 * @throws GwmarkError ROUTING_FAILED
 */
export function addProxyNeighbours(protocol: number, addresses: readonly AnnouncedAddress[]): Promise<void> {
  return onEachDevice(addresses, ({ address, device }) => [
    `neigh add proxy ${address} dev ${device} protocol ${protocol}`,
  ]);
}

/** Removes those of them that exist. @throws GwmarkError as {@link readProxyNeighbours} */
export async function removeProxyNeighbours(protocol: number, addresses: readonly AnnouncedAddress[]): Promise<void> {
  const present = new Set(
    (await readProxyNeighbours(protocol)).filter(({ isOurs }) => isOurs).map((proxy) => announcedKey(proxy)),
  );
  await onEachDevice(
    addresses.filter((address) => present.has(announcedKey(address))),
    ({ address, device }) => [`neigh del proxy ${address} dev ${device}`],
  );
}

/**
 * Makes the kernel ask on the link who has these addresses, with one ARP or ND request each, from the endpoint's own
 * address. Whoever answers is in the neighbour table then; what was there before does not count any more.
 */
export function askWhoHas(addresses: readonly AnnouncedAddress[]): Promise<void> {
  return onEachDevice(addresses, ({ address, device }) => [
    `neigh replace ${address} dev ${device} nud failed`,
    `neigh replace ${address} dev ${device} nud none use`,
  ]);
}

/** Removes what {@link askWhoHas} left in the neighbour table, which has room for a thousand. */
export function forgetAnswers(addresses: readonly AnnouncedAddress[]): Promise<void> {
  // The kernel may have removed it; then the first line makes it again.
  return onEachDevice(addresses, ({ address, device }) => [
    `neigh replace ${address} dev ${device} nud failed`,
    `neigh del ${address} dev ${device}`,
  ]);
}

/**
 * One batch for each family and device: whatever its options, `ip` ends at the first line about a neighbour that the
 * kernel refuses (iproute2 exits there), which here is a device that went.
 */
async function onEachDevice(
  addresses: readonly AnnouncedAddress[],
  linesOf: (address: AnnouncedAddress) => readonly string[],
): Promise<void> {
  const groups = new Map<string, { readonly family: Family; readonly lines: string[] }>();
  for (const address of addresses) {
    const key = `${address.family} ${address.device}`;
    const group = groups.get(key) ?? { family: address.family, lines: [] };
    group.lines.push(...linesOf(address));
    groups.set(key, group);
  }
  for (const { family, lines } of groups.values()) await ipBatch(family, lines, DEVICE_GONE);
}

function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}
