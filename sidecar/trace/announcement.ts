import { linksAround } from '../../rules/index.js';
import type { TraceReading } from './reading.js';
import { hostOf, type Role } from './role.js';
import type { Steps, TraceQuery } from './trace.js';

/** Notes whether hosts find the destination by ARP or ND, if it lies in the network of a link. Pure. */
export function noteAnnouncement(
  { devices, proxies = [], status }: TraceReading,
  { destination }: TraceQuery,
  { tunnel }: Role,
  steps: Steps,
): void {
  if (tunnel === null) return;
  const what = destination.includes(':') ? 'neighbour discovery' : 'ARP';
  for (const { device } of linksAround(hostOf(destination), devices.links)) {
    const taken = status?.announcements?.taken.find(
      (other) => other.address === destination && other.device === device,
    );
    if (taken !== undefined)
      steps.pass(
        'announce',
        `the host ${taken.mac} on ${device} has ${destination} too, so gwmark does not announce it`,
      );
    else if (proxies.some((proxy) => proxy.address === destination && proxy.device === device))
      steps.pass('announce', `the endpoint answers ${what} for ${destination} on ${device}`);
    else
      steps.pass(
        'announce',
        `${destination} lies in the network of ${device}, but the endpoint does not answer ${what} for it there: only hosts and routers with a route to it reach it (see the setting announce)`,
      );
  }
}
