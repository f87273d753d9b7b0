import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { InlineLab, type InlineParty } from '../lab/inline-lab.js';
import { connect, Namespace } from '../lab/namespace.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange, assertSentVia } from './matrix.js';

const OTHER_MAC = '02:00:00:00:00:77';
const R3_MAC = '02:00:00:00:03:01';

describe('an inline endpoint without the module, when its bridges change', function () {
  this.timeout(patient(60_000));
  let lab: InlineLab;
  before(async () => {
    lab = await InlineLab.create();
    await lab.startSidecar('--datapath', 'nexthop');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  async function reaches(from: InlineParty, address: string): Promise<boolean> {
    const family = address.includes(':') ? 'v6' : 'v4';
    return (await ping(lab.party(from, family), { address }, { count: 1, waitSeconds: 0.5 })).received === 1;
  }

  async function reachesSoon(from: InlineParty, name: keyof typeof TUNNEL): Promise<void> {
    for (const family of FAMILIES)
      await eventually(async () => await reaches(from, TUNNEL[name][family]), { what: `${from} reaches ${name}` });
  }

  async function forgetNeighbours(): Promise<void> {
    for (const router of ['r1', 'r2'] as const) await lab.topology.boxes[router].ip('neigh flush dev lan0');
  }

  /** The rules that change frames. */
  async function captureRules(): Promise<string> {
    return await lab.endpoint.run(['nft', 'list', 'chain', 'bridge', 'gwmark', 'capture']);
  }

  it('has an uplink before a client sent anything: the router that a host sent a frame of the VPN to', async () => {
    assert.equal((await lab.sidecar.status()).uplink, null);

    assert.equal(await reaches('host', TUNNEL.endpoint.v4), true);

    await lab.sidecar.statusWhere(
      ({ gateways, uplink }) => gateways.some(({ id, mac }) => id === uplink && mac === MAC.r1),
      'r1 is the uplink',
    );
    await lab.connect('client1', 'client2');
    for (const family of FAMILIES)
      await assertExchange('tcp', lab.party('client1', family), lab.party('host', family));
  });

  it('takes frames up by the MAC that the bridge has, also when it gets another, or that of a port', async () => {
    const portMac = (await lab.endpoint.run(['cat', '/sys/class/net/p1/address'])).trim();
    for (const mac of [OTHER_MAC, portMac, MAC.endpoint]) {
      await lab.endpoint.ip(`link set br0 address ${mac}`);
      await forgetNeighbours();

      // Frames with the MAC address that the bridge had until now may still reach it: a port has that one.
      await eventually(async () => (await captureRules()).includes(`ether daddr set ${mac}`), {
        what: `frames get ${mac}`,
      });
      await reachesSoon('host', 'client1');
    }
  });

  it('forgets a port that is taken out, and uses it again when it is back', async () => {
    await lab.endpoint.ip('link set p1 nomaster');
    await eventually(async () => !(await captureRules()).includes('"p1"'), { what: 'p1 is in no rule' });
    assert.equal(await reaches('host', TUNNEL.client1.v4), false);

    await lab.endpoint.ip('link set p1 master br0');

    await reachesSoon('host', 'client1');
  });

  it('captures at a port that moves to a second bridge, and at the ports of the first', async () => {
    const { r1, r2 } = lab.topology.boxes;
    // Two cables now: the routers cannot resolve each other, and send anyway.
    const routers = [
      [r2, ADDRESS.r1, MAC.r1],
      [r1, ADDRESS.r2, MAC.r2],
    ] as const;
    for (const [router, address, mac] of routers)
      for (const family of FAMILIES)
        await router.ip(`neigh replace ${address[family]} lladdr ${mac} dev lan0 nud permanent`);
    await r1.ip(
      `route add ${TUNNEL.client1.v4} via ${ADDRESS.r2.v4}`,
      `route add ${TUNNEL.client1.v6} via ${ADDRESS.r2.v6}`,
    );

    await lab.endpoint.ip(
      'link add br1 type bridge mcast_snooping 0 stp_state 0 forward_delay 0',
      'link set p1 master br1',
      'link set br1 up',
    );

    await reachesSoon('host', 'client1');
    await reachesSoon('away', 'client1');
    const wanted = [
      ['br0', MAC.r1],
      ['br1', MAC.r2],
    ] as const;
    await lab.sidecar.statusWhere(
      ({ gateways }) =>
        wanted.every(([device, mac]) =>
          gateways.some((gateway) => gateway.device === device && gateway.mac === mac && gateway.state === 'active'),
        ),
      'each router is active on its own bridge',
    );

    await lab.endpoint.ip('link set p1 master br0', 'link del br1');
    await r1.ip(`route del ${TUNNEL.client1.v4}`, `route del ${TUNNEL.client1.v6}`);
    for (const [router, address] of routers)
      for (const family of FAMILIES) await router.ip(`neigh del ${address[family]} dev lan0`);
    await reachesSoon('host', 'client1');
  });

  it('answers through a third port what came in there, from the first packet on, and no other port gets the answer', async () => {
    await using r3 = await Namespace.create('r3');
    await connect({ namespace: r3, device: 'lan0', mac: R3_MAC }, { namespace: lab.endpoint, device: 'p3' });
    await lab.endpoint.ip('link set p3 master br0');
    const source = { v4: '198.51.100.77', v6: '2001:db8:a::77' };
    for (const family of FAMILIES) {
      await r3.ip(`address add ${source[family]}/${family === 'v4' ? 32 : 128} dev lan0`);
      await r3.ip(`neigh replace ${ADDRESS.r1[family]} lladdr ${MAC.r1} dev lan0`);
    }
    await r3.ip(
      `route add default via ${ADDRESS.r1.v4} dev lan0 onlink`,
      `route add default via ${ADDRESS.r1.v6} dev lan0 onlink`,
    );
    const party = (family: 'v4' | 'v6') => ({ namespace: r3, address: source[family] });
    await eventually(async () => (await captureRules()).includes('"p3"'), { what: 'the new port captures' });

    await using atR1 = await lab.capture('r1');
    await using atR2 = await lab.capture('r2');
    for (const family of FAMILIES)
      assert.equal((await ping(party(family), { address: TUNNEL.client1[family] })).received, 3);

    const toR3 = ({ ip }: Frame): boolean => FAMILIES.some((family) => ip?.destination === source[family]);
    assert.deepEqual([...(await atR1.frames()), ...(await atR2.frames())].filter(toR3), []);
  });

  it('serves a bridge with STP and multicast snooping', async () => {
    await lab.endpoint.ip(
      'link set br0 type bridge forward_delay 200',
      'link set br0 type bridge stp_state 1 mcast_snooping 1',
    );
    try {
      await forgetNeighbours();
      // It listens and learns for two seconds each before it forwards.
      await lab.endpoint.ip('link set p1 down', 'link set p1 up');
      await reachesSoon('host', 'client1');
      for (const family of FAMILIES) {
        await assertExchange('tcp', lab.party('client1', family), lab.party('host', family));
        await assertExchange('ping', lab.party('host', family), lab.party('away', family));
      }
    } finally {
      await lab.endpoint.ip(
        'link set br0 type bridge stp_state 0 mcast_snooping 0',
        'link set br0 type bridge forward_delay 0',
      );
    }
  });

  it('sends frames for the address of a client to the client, and to a host that has it too when the client is gone', async () => {
    await lab.topology.boxes.r1.ip(`address add ${TUNNEL.client2.v4}/32 dev lo`);
    const asked = async (): Promise<number> => {
      await using capture = await lab.capture('r1', 'icmp');
      assert.equal(await reaches('host', TUNNEL.client2.v4), true);
      return (await capture.frames()).filter(({ ip }) => ip?.destination === TUNNEL.client2.v4).length;
    };

    assert.equal(await asked(), 0, 'the client answered');
    await lab.disconnect('client2');
    await lab.sidecar.statusWhere(({ clients }) => clients.length === 1, 'client2 is gone');
    await eventually(
      async () =>
        !(await lab.endpoint.run(['nft', 'list', 'set', 'bridge', 'gwmark', 'client4'])).includes(TUNNEL.client2.v4),
      { what: 'frames for it pass' },
    );

    assert.equal(await asked(), 1, 'the host answered');
    await lab.topology.boxes.r1.ip(`address del ${TUNNEL.client2.v4}/32 dev lo`);
  });

  it('goes on with an OpenVPN that made its tunnel device again while no sidecar ran', async () => {
    await lab.sidecar.killHard();
    await Promise.all([lab.disconnect('client1'), lab.disconnect('client2')]);
    await lab.server.killHard();
    await eventually(async () => (await lab.endpoint.tryRun(['ip', 'link', 'show', 'tun0'])).code !== 0, {
      what: 'tun0 is gone',
    });
    await lab.server.start();

    await lab.sidecar.restart();
    await lab.connect('client1', 'client2');

    for (const family of FAMILIES) {
      await using atR2 = await lab.capture('r2');
      await assertExchange('tcp', lab.party('host', family), lab.party('client1', family));
      await assertExchange('udp', lab.party('client2', family), lab.party('host', family));
      assertSentVia(await atR2.frames(), ADDRESS.hostA[family], MAC.r2);
    }
  });

  it('lets frames pass with `inline: off`, also those that an earlier run captured', async () => {
    await lab.sidecar.stop();
    await lab.startSidecar('--datapath', 'nexthop', '--inline', 'off');

    await eventually(async () => !(await lab.endpoint.run(['nft', 'list', 'tables'])).includes('bridge'), {
      what: 'the table of frames is gone',
    });
    assert.equal(await reaches('host', TUNNEL.client1.v4), false);
    await lab.sidecar.stop();
    await lab.startSidecar('--datapath', 'nexthop');
    await reachesSoon('host', 'client1');
  });

  it('leaves no table of frames behind `gwmark down`', async () => {
    await lab.sidecar.stop();
    const removed = await lab.sidecar.down();

    assert.match(removed, /nftables table bridge gwmark/);
    assert.equal(await lab.endpoint.run(['nft', 'list', 'ruleset']), '');
  });
});
