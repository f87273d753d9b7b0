import type { Family, Link } from '../../rules/index.js';
import type { IpRoute } from './iproute.js';
import { ipJson } from './iproute.js';

/** A link by which no default route leads, so that such a filter takes nothing of it; null if there is none. */
export async function linkWithoutDefault(links: readonly Link[], family: Family): Promise<string | null> {
  const routes = await ipJson<IpRoute>([`-${family}`, 'route', 'show', 'default']);
  const devices = new Set(
    routes.flatMap(({ dev, nexthops = [] }) => [dev, ...nexthops.map((nexthop) => nexthop.dev)]),
  );
  return links.find((link) => link.families.includes(family) && !devices.has(link.device))?.device ?? null;
}
