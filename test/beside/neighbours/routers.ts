import { connect, Namespace } from '../../lab/namespace.js';
import { ADDRESS, MAC } from '../../lab/topology.js';
import { reach } from '../../lab/traffic.js';
import { VrrpPair } from '../../lab/vrrp.js';
import { eventually } from '../../lab/wait.js';
import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

const GROUP = 'Routers';
/** Further addresses of r1 on the segment, as of a router with a virtual address for each network. */
const ALIASES = ['192.0.2.101', '192.0.2.102', '192.0.2.103'] as const;
const ALIASES6 = ['2001:db8::101', '2001:db8::102'] as const;
/** RFC 9568, section 7.3: of virtual router 51. */
const VIRTUAL_MAC = '00:00:5e:00:01:33';

/** Several addresses at one router; the endpoint has heard of all of them. */
async function giveAliases({ lab: { topology }, endpoint }: Scene): Promise<void> {
  await topology.r1.ip(
    ...ALIASES.map((address) => `address add ${address}/24 dev lan0`),
    ...ALIASES6.map((address) => `address add ${address}/64 dev lan0`),
  );
  for (const address of [...ALIASES, ...ALIASES6]) await reach(endpoint, address);
}

/** Another machine takes one of them and announces it, as keepalived does when one of many instances fails over. */
async function moveAlias({ lab: { topology } }: Scene): Promise<void> {
  await topology.r1.ip(`address del ${ALIASES[0]}/24 dev lan0`, `address del ${ALIASES6[0]}/64 dev lan0`);
  await topology.local.ip(`address add ${ALIASES[0]}/24 dev lan0`, `address add ${ALIASES6[0]}/64 dev lan0`);
  await topology.local.run(['arping', '-c', '2', '-U', '-I', 'lan0', ALIASES[0]]);
}

/** Real keepalived; after the failover the addresses are at another MAC. */
async function pairWithoutVirtualMac(scene: Scene): Promise<void> {
  pairs.set(scene, scene.use(await VrrpPair.create(scene.lab.topology, 'r1', scene.lab.pki.directory)));
}

async function failOver(scene: Scene): Promise<void> {
  const pair = pairs.get(scene);
  if (pair === undefined) throw new Error('no pair');
  await pair.failOver();
  scene.macs.r1 = pair.backupMac;
}

const pairs = new WeakMap<Scene, VrrpPair>();

/*
 * A virtual MAC as keepalived's use_vmac makes it: the address that hosts route to is held by a device of its own with
 * the virtual MAC, and what the router forwards leaves by the card, with the card's own MAC. This kernel has no
 * macvlan, so that device is a second cable into the switch.
 */
const standbys = new WeakMap<Scene, Namespace>();

async function pairWithVirtualMac(scene: Scene): Promise<void> {
  const { topology } = scene.lab;
  const standby = scene.use(await Namespace.create('r1b', { forwarding: true }));
  standbys.set(scene, standby);
  await connect(
    { namespace: standby, device: 'lan0', mac: BACKUP_MAC },
    { namespace: topology.switch, device: 'to-r1b' },
  );
  await connect({ namespace: standby, device: 'lan1' }, { namespace: topology.hostA, device: 'eth1' });
  await topology.switch.ip('link set to-r1b master br0');
  await connect(
    { namespace: topology.r1, device: 'vrrp0', mac: VIRTUAL_MAC },
    { namespace: topology.switch, device: 'to-vrrp-r1' },
  );
  await connect(
    { namespace: standby, device: 'vrrp0', mac: VIRTUAL_MAC },
    { namespace: topology.switch, device: 'to-vrrp-r1b' },
  );
  await topology.switch.ip('link set to-vrrp-r1 master br0', 'link set to-vrrp-r1b master br0');
  await standby.ip(
    'link set vrrp0 down',
    'address add 192.0.2.12/24 dev lan0',
    'address add 2001:db8::12/64 dev lan0',
  );
  // Who holds an address alone answers for it: the card is silent for what the virtual device has.
  for (const router of [topology.r1, standby])
    await router.sysctl(
      'net.ipv4.conf.all.arp_ignore=1',
      'net.ipv4.conf.all.arp_announce=2',
      'net.ipv4.conf.all.rp_filter=0',
    );
  await topology.r1.ip('address add 192.0.2.11/24 dev lan0', 'address add 2001:db8::11/64 dev lan0');
  await topology.r1.sysctl('net.ipv4.conf.all.promote_secondaries=1', 'net.ipv4.conf.lan0.promote_secondaries=1');
  await topology.r1.ip(
    `address del ${ADDRESS.r1.v4}/24 dev lan0`,
    `address del ${ADDRESS.r1.v6}/64 dev lan0`,
    `address add ${ADDRESS.r1.v4}/32 dev vrrp0`,
    `address add ${ADDRESS.r1.v6}/128 dev vrrp0`,
  );
  await eventually(
    async () => (await topology.u.tryRun(['ping', '-n', '-c', '1', '-W', '1', ADDRESS.r1.v4])).code === 0,
    { what: 'the virtual address answers' },
  );
}

const BACKUP_MAC = '02:00:00:00:01:02';

/** The master dies; the standby brings the virtual device up, and with it the addresses on both sides. */
async function takeOver(scene: Scene): Promise<void> {
  const { topology } = scene.lab;
  const standby = standbys.get(scene);
  if (standby === undefined) throw new Error('no standby');
  await topology.r1.ip('link set lan0 down', 'link set vrrp0 down', 'link set lan1 down');
  await standby.ip(
    'link set vrrp0 up',
    `address add ${ADDRESS.r1.v4}/32 dev vrrp0`,
    `address add ${ADDRESS.r1.v6}/128 dev vrrp0`,
    'address add 198.51.100.1/25 dev lan1',
    'address add 2001:db8:a::1/64 dev lan1',
    `route add default via ${ADDRESS.u.v4}`,
    `route add default via ${ADDRESS.u.v6}`,
    ...['10.8.0.0/24', '192.168.77.0/24'].map((network) => `route add ${network} via ${ADDRESS.endpoint.v4}`),
    ...['fd00:8::/64', 'fd00:77::/64'].map((network) => `route add ${network} via ${ADDRESS.endpoint.v6}`),
  );
  await standby.run(['arping', '-c', '2', '-U', '-I', 'vrrp0', ADDRESS.r1.v4]);
  const { hostA } = topology;
  await hostA.ip(
    'address del 198.51.100.2/25 dev eth0',
    'address del 2001:db8:a::2/64 dev eth0',
    'address add 198.51.100.2/25 dev eth1',
    'address add 2001:db8:a::2/64 dev eth1',
    'route replace default via 198.51.100.1 dev eth1',
    'route replace default via 2001:db8:a::1 dev eth1',
  );
  scene.macs.r1 = BACKUP_MAC;
}

/** One machine is a router on both cards of the endpoint, with one MAC, as routers with VLANs have it. */
async function oneMacOnTwoCards(scene: Scene): Promise<void> {
  const { topology } = scene.lab;
  await connect(
    { namespace: scene.endpoint, device: 'lan1', mac: '02:00:00:00:00:11' },
    { namespace: topology.r2, device: 'lan9', mac: MAC.r1 },
  );
  await scene.endpoint.ip('address add 192.0.3.10/24 dev lan1', 'address add 2001:db8:3::10/64 dev lan1');
  await topology.r2.ip(
    'address add 192.0.3.1/24 dev lan9',
    'address add 2001:db8:3::1/64 dev lan9',
    ...['10.8.0.0/24', '192.168.77.0/24'].map((network) => `route replace ${network} via 192.0.3.10`),
    ...['fd00:8::/64', 'fd00:77::/64'].map((network) => `route replace ${network} via 2001:db8:3::10`),
  );
  // It has sent before, as every router has.
  for (const address of ['192.0.3.10', '2001:db8:3::10']) await reach(topology.r2, address);
  scene.cables.push({ namespace: scene.endpoint, device: 'lan1' });
  scene.endpointMacs.add('02:00:00:00:00:11');
  scene.macs.r2 = MAC.r1;
}

export const ROUTER_NEIGHBOURS: readonly Neighbour[] = [
  {
    name: 'a router with several addresses, of which one moves to another machine',
    group: GROUP,
    isQuick: true,
    prepare: giveAliases,
    disturbances: { 'one of them moved': moveAlias },
  },
  {
    name: 'a VRRP pair without a virtual MAC (keepalived)',
    group: GROUP,
    prepare: pairWithoutVirtualMac,
    disturbances: { 'a failover': failOver },
    versions: { keepalived: ['host:keepalived', '--version'] },
  },
  {
    name: 'a VRRP pair with a virtual MAC',
    group: GROUP,
    prepare: pairWithVirtualMac,
    disturbances: { 'a failover': takeOver },
  },
  { name: 'two routers with one MAC, on two cards', group: GROUP, prepare: oneMacOnTwoCards },
];
