import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { ADDRESS } from '../../lab/topology.js';
import { eventually } from '../../lab/wait.js';
import { serveDhcp4, serveDhcp6 } from '../dhcp.js';
import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

const GROUP = 'Addresses';

/** dhclient asks, and stays; `-1`: it gives up rather than to wait in the background. */
async function lease(scene: Scene, family: '4' | '6'): Promise<void> {
  const root = await scene.root();
  const directory = scene.lab.pki.directory;
  await scene.endpoint.run(
    root.argv(
      [
        'dhclient',
        `-${family}`,
        '-1',
        '-pf',
        path.join(directory, `dhclient${family}.pid`),
        '-lf',
        `/var/lib/dhcp/lab${family}.leases`,
        'lan0',
      ],
      directory,
    ),
    { timeoutMs: 60_000 },
  );
}

async function asksDhcp4(scene: Scene): Promise<void> {
  await serveDhcp4(scene);
  await scene.endpoint.ip('address flush dev lan0 scope global', `address add ${ADDRESS.endpoint.v6}/64 dev lan0`);
  await lease(scene, '4');
  await holds(scene, `${ADDRESS.endpoint.v4}/24`);
}

async function asksDhcp6(scene: Scene): Promise<void> {
  await scene.endpoint.sysctl('net.ipv6.conf.lan0.accept_ra=2');
  await serveDhcp6(scene);
  await scene.endpoint.ip(`address del ${ADDRESS.endpoint.v6}/64 dev lan0`);
  await eventually(
    async () => (await scene.endpoint.run(['ip', '-6', 'route', 'show', 'dev', 'lan0'])).includes('2001:db8::/64'),
    { what: 'the prefix is on the link', timeoutMs: 30_000 },
  );
  await lease(scene, '6');
  await holds(scene, `${ADDRESS.endpoint.v6}/128`);
}

async function holds(scene: Scene, address: string): Promise<void> {
  await eventually(
    async () => (await scene.endpoint.run(['ip', '-o', 'address', 'show', 'dev', 'lan0'])).includes(` ${address} `),
    { what: address },
  );
}

/**
 * The upstream router advertises itself as default router every few seconds; the endpoint is a host until the sidecar
 * turns forwarding on.
 */
async function heedsAdvertisements(scene: Scene): Promise<void> {
  const { topology, pki } = scene.lab;
  await scene.endpoint.sysctl('net.ipv6.conf.all.forwarding=0', 'net.ipv6.conf.lan0.accept_ra=1');
  const file = path.join(pki.directory, 'radvd.conf');
  await writeFile(
    file,
    'interface lan0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 12; prefix 2001:db8::/64 { AdvAutonomous off; }; };\n',
  );
  await scene.daemon(
    topology.u,
    [
      'radvd',
      '--nodaemon',
      '--config',
      file,
      '--pidfile',
      path.join(pki.directory, 'radvd.pid'),
      '--logmethod',
      'stderr',
      '--debug',
      '1',
      '--username',
      'root',
    ],
    /version .* started|sending|config/,
  );
  await hasDefaultRoute(scene);
}

async function hasDefaultRoute(scene: Scene): Promise<void> {
  await eventually(
    async () => (await scene.endpoint.run(['ip', '-6', 'route', 'show', 'default'])).includes('proto ra'),
    { what: 'the default route that an advertisement gave', timeoutMs: 20_000 },
  );
}

export const ADDRESS_NEIGHBOURS: readonly Neighbour[] = [
  {
    name: 'an address by DHCPv4',
    group: GROUP,
    prepare: asksDhcp4,
    disturbances: { 'another lease': async (scene) => await lease(scene, '4') },
    versions: { dhclient: ['dhclient', '--version'] },
  },
  {
    name: 'an address of /128 by DHCPv6, its prefix by router advertisements, a client on the segment first',
    group: GROUP,
    isLocalFirst: true,
    prepare: asksDhcp6,
    versions: { dhclient: ['dhclient', '--version'], dnsmasq: ['dnsmasq', '--version'] },
  },
  {
    name: 'a default route by router advertisements',
    group: GROUP,
    prepare: heedsAdvertisements,
    disturbances: { 'forwarding was turned on, and the route is kept': hasDefaultRoute },
    versions: { radvd: ['radvd', '--version'] },
  },
];
