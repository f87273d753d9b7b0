import path from 'node:path';

import { ADDRESS, MAC } from '../lab/topology.js';
import type { Scene } from './scene.js';

/**
 * dnsmasq on the upstream router as a DHCP server alone: no DNS, and no router in its answers. The endpoint gets the
 * addresses that routers know it by.
 */
export async function serveDhcp4(scene: Scene): Promise<void> {
  await serve(
    scene,
    `--dhcp-range=${ADDRESS.endpoint.v4},${ADDRESS.endpoint.v4},255.255.255.0,2m`,
    `--dhcp-host=${MAC.endpoint},${ADDRESS.endpoint.v4}`,
    '--dhcp-option=option:router',
  );
}

/**
 * The same for DHCPv6: an address of /128, and the prefix on the link by router advertisements that offer no default
 * route.
 */
export async function serveDhcp6(scene: Scene): Promise<void> {
  await serve(
    scene,
    `--dhcp-range=${ADDRESS.endpoint.v6},${ADDRESS.endpoint.v6},64,2m`,
    '--enable-ra',
    '--ra-param=lan0,4,0',
  );
}

async function serve(scene: Scene, ...options: readonly string[]): Promise<void> {
  const { lab } = scene;
  await scene.daemon(
    lab.topology.u,
    [
      'dnsmasq',
      '--keep-in-foreground',
      '--log-facility=-',
      '--conf-file=/dev/null',
      '--user=root',
      '--port=0',
      '--interface=lan0',
      '--dhcp-authoritative',
      '--leasefile-ro',
      `--pid-file=${path.join(lab.pki.directory, 'dnsmasq.pid')}`,
      ...options,
    ],
    /DHCP, (IP range|sockets bound)|IPv6 router advertisement enabled/,
  );
}
