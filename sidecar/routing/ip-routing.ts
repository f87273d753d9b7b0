import { readMainRoutes, routesTo } from './iproute.js';
import type { KernelRouting, WatchOptions } from './kernel-routing.js';
import { NeighbourMonitor } from './neighbour-monitor.js';
import { ask } from './neighbour-questions.js';
import { readNeighbours } from './neighbours.js';
import { addRouting, readRouting, removeRouting } from './plan.js';

/** Rules, routes and neighbours by spawned `ip`: where koffi cannot be loaded, and for commands that run once. */
export const IP_ROUTING: KernelRouting = {
  by: 'ip',
  read: readRouting,
  add: addRouting,
  remove: removeRouting,
  routesTo,
  mainRoutes: readMainRoutes,
  neighbours: readNeighbours,
  neighboursAt: async (device, addresses) =>
    (await readNeighbours(device)).filter(({ dst }) => addresses.includes(dst)),
  ask,
  // `ip monitor` reports nothing of lost events.
  watch: async (options: WatchOptions) => new NeighbourMonitor(options),
  [Symbol.asyncDispose]: async () => undefined,
};
