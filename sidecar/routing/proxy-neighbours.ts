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
  return runLines(addresses, ({ address, device }) => [
    `neigh add proxy ${address} dev ${device} protocol ${protocol}`,
  ]);
}

/** Removes those of them that exist. @throws GwmarkError as {@link readProxyNeighbours} */
export async function removeProxyNeighbours(protocol: number, addresses: readonly AnnouncedAddress[]): Promise<void> {
  const present = new Set(
    (await readProxyNeighbours(protocol)).filter(({ isOurs }) => isOurs).map((proxy) => announcedKey(proxy)),
  );
  await runLines(
    addresses.filter((address) => present.has(announcedKey(address))),
    ({ address, device }) => [`neigh del proxy ${address} dev ${device}`],
  );
}

/**
 * Makes the kernel ask on the link who has these addresses, with one ARP or ND request each, from the endpoint's own
 * address. Whoever answers is in the neighbour table then; what was there before does not count any more.
 */
export function askWhoHas(addresses: readonly AnnouncedAddress[]): Promise<void> {
  return runLines(addresses, ({ address, device }) => [
    `neigh replace ${address} dev ${device} nud failed`,
    `neigh replace ${address} dev ${device} nud none use`,
  ]);
}

/** Removes what {@link askWhoHas} left in the neighbour table, which has room for a thousand. */
export function forgetAnswers(addresses: readonly AnnouncedAddress[]): Promise<void> {
  // The kernel may have removed it; then the first line makes it again.
  return runLines(addresses, ({ address, device }) => [
    `neigh replace ${address} dev ${device} nud failed`,
    `neigh del ${address} dev ${device}`,
  ]);
}

/** Runs these lines; a device that is gone is no failure. */
async function runLines(
  addresses: readonly AnnouncedAddress[],
  linesOf: (address: AnnouncedAddress) => readonly string[],
): Promise<void> {
  for (const family of [4, 6] as const)
    await ipBatch(family, addresses.filter((address) => address.family === family).flatMap(linesOf), DEVICE_GONE);
}

function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}
