import { connect } from '../../lab/namespace.js';
import { ADDRESS, MAC } from '../../lab/topology.js';
import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

const GROUP = 'Devices';
/** The MAC of a card that only carries a device above it. */
const WIRE_MAC = '02:00:00:00:00:1a';
const PORTS = { first: 'to-endpoint', second: 'to-endpoint2' } as const;

/**
 * Replaces the endpoint's lan0 by a device of the same name and addresses above the card, which is called wire0 from
 * then on.
 *
 * @param lines of `ip`, run in the endpoint while wire0 is down: they make lan0
 */
async function above({ endpoint }: Scene, wireMac: string, ...lines: readonly string[]): Promise<void> {
  await endpoint.ip(
    'link set lan0 down',
    'address flush dev lan0',
    'link set lan0 name wire0',
    `link set wire0 address ${wireMac}`,
    ...lines,
    'link set wire0 up',
    'link set lan0 up',
    `address add ${ADDRESS.endpoint.v4}/24 dev lan0`,
    `address add ${ADDRESS.endpoint.v6}/64 dev lan0`,
  );
}

/** Tagged on the cable; the switch's port is the tag's own device, so that a capture there sees frames without it. */
async function vlan(scene: Scene): Promise<void> {
  await scene.lab.topology.switch.ip(
    `link set ${PORTS.first} down`,
    `link set ${PORTS.first} nomaster`,
    `link set ${PORTS.first} name trunk`,
    'link set trunk up',
    `link add link trunk name ${PORTS.first} type vlan id 7`,
    `link set ${PORTS.first} master br0 up`,
  );
  await above(scene, MAC.endpoint, 'link add link wire0 name lan0 type vlan id 7');
}

async function bond(scene: Scene): Promise<void> {
  const { switch: box } = scene.lab.topology;
  await connect({ namespace: scene.endpoint, device: 'wire1' }, { namespace: box, device: PORTS.second });
  await box.ip(`link set ${PORTS.second} master br0`);
  scene.cables.push({ namespace: box, device: PORTS.second });
  await above(
    scene,
    WIRE_MAC,
    `link add lan0 address ${MAC.endpoint} type bond mode active-backup miimon 100`,
    'link set wire1 down',
    'link set wire0 master lan0',
    'link set wire1 master lan0',
    'link set wire1 up',
  );
}

/** The cable of the active card is pulled; the bond sends by the other. Nobody can capture on a port that is down. */
async function pullActiveCable({ lab, endpoint, cables }: Scene): Promise<void> {
  const active = (await endpoint.run(['cat', '/sys/class/net/lan0/bonding/active_slave'])).trim();
  const port = active === 'wire1' ? PORTS.second : PORTS.first;
  cables.splice(
    cables.findIndex(({ device }) => device === port),
    1,
  );
  await lab.topology.switch.ip(`link set ${port} down`);
}

/** The card in a VRF; IPv6 addresses of a card do not survive that. */
async function vrf({ endpoint }: Scene): Promise<void> {
  await endpoint.ip(
    'link add blue type vrf table 100',
    'link set blue up',
    'link set lan0 master blue',
    `address replace ${ADDRESS.endpoint.v6}/64 dev lan0`,
  );
}

/** Rows that need devices which the kernel of a small machine may not have: they run in a guest. */
export const DEVICE_NEIGHBOURS: readonly Neighbour[] = [
  { name: 'a VLAN below the link', group: GROUP, where: 'vm', prepare: vlan },
  {
    name: 'a bond below the link (active-backup)',
    group: GROUP,
    where: 'vm',
    prepare: bond,
    disturbances: { 'the active cable is pulled': pullActiveCable },
  },
  {
    name: 'a bridge below the link',
    group: GROUP,
    where: 'vm',
    prepare: async (scene) =>
      await above(
        scene,
        WIRE_MAC,
        `link add lan0 address ${MAC.endpoint} type bridge stp_state 0 forward_delay 0`,
        'link set wire0 master lan0',
      ),
  },
  {
    name: 'a macvlan for the link',
    group: GROUP,
    where: 'vm',
    prepare: async (scene) =>
      await above(scene, WIRE_MAC, `link add link wire0 name lan0 address ${MAC.endpoint} type macvlan mode bridge`),
  },
  {
    name: 'a VRF with the link in it',
    group: GROUP,
    where: 'vm',
    prepare: vrf,
    limit: {
      reason: 'gwmark does not serve VRFs: the routes of such a card are in tables that OpenVPN does not look into',
      isClientless: true,
      named: [{ by: 'doctor', check: 'devices', severity: 'error', text: /device lan0: is in VRF blue/ }],
    },
  },
];
