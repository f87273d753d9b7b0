import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

const GROUP = 'Path MTU';
const SIZES = [1400, 1280] as const;

/**
 * Links beyond the upstream router are smaller than those that the endpoint knows. A veth drops what is larger than
 * its own MTU, so both ends are.
 */
const transport =
  (mtu: number) =>
  async ({ lab: { topology } }: Scene): Promise<void> => {
    await Promise.all([
      topology.u.ip(`link set wan1 mtu ${mtu}`, `link set wan2 mtu ${mtu}`),
      topology.client1.ip(`link set eth0 mtu ${mtu}`),
      topology.client2.ip(`link set eth0 mtu ${mtu}`),
    ]);
  };

/** Links between the LAN routers and their hosts; the hosts believe in 1500, for only what goes to them is smaller. */
const lan =
  (mtu: number) =>
  async ({ lab: { topology } }: Scene): Promise<void> => {
    await Promise.all([
      topology.r1.ip(`link set lan1 mtu ${mtu}`),
      topology.r2.ip(`link set lan1 mtu ${mtu}`),
      topology.hostA.ip(`link set eth0 mtu ${mtu}`),
      topology.hostB.ip(`link set eth0 mtu ${mtu}`),
    ]);
  };

/** The subnet behind a client is beyond a smaller link. */
const behindClient =
  (mtu: number) =>
  async ({ lab: { topology } }: Scene): Promise<void> => {
    await Promise.all([
      topology.client1.ip(`link set site0 mtu ${mtu}`),
      topology.site.ip(`link set eth0 mtu ${mtu}`),
    ]);
  };

export const PATH_MTU_NEIGHBOURS: readonly Neighbour[] = SIZES.flatMap((mtu): readonly Neighbour[] => [
  {
    name: `a link of ${mtu} on the way of the transport`,
    group: GROUP,
    isQuick: mtu === 1400,
    prepare: transport(mtu),
  },
  { name: `a link of ${mtu} between a LAN router and its hosts`, group: GROUP, prepare: lan(mtu) },
  { name: `a link of ${mtu} behind a client`, group: GROUP, prepare: behindClient(mtu) },
  { name: `a tunnel of ${mtu}`, group: GROUP, lab: () => ({ serverExtra: [`tun-mtu ${mtu}`] }) },
]);
