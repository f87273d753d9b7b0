import type { IpNeighbour } from './iproute.js';
import { ipJson } from './iproute.js';

/** Neighbours of every device, or of one, as the kernel has them now. @throws GwmarkError as `ipJson` */
export async function readNeighbours(device?: string): Promise<readonly IpNeighbour[]> {
  if (device === undefined) return await ipJson<IpNeighbour>(['-N', 'neigh', 'show']);
  // `ip` leaves out the device that was asked for.
  const neighbours = await ipJson<Omit<IpNeighbour, 'dev'>>(['-N', 'neigh', 'show', 'dev', device]);
  return neighbours.map((neighbour) => ({ ...neighbour, dev: device }));
}

/** Those of {@link readNeighbours} that packets can be sent to. */
export async function usableNeighbours(): Promise<readonly IpNeighbour[]> {
  return (await readNeighbours()).filter(isUsable);
}

/** Whether the kernel has a MAC for it, including an old one. NOARP: a multicast group, or a device without any. */
export function isUsable({ state }: IpNeighbour): boolean {
  return !state.some((word) => word === 'FAILED' || word === 'INCOMPLETE' || word === 'NOARP');
}
