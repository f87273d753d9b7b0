/** The answer to the first packet of a router that nobody has heard of. */
import assert from 'node:assert/strict';
import type { Frame } from '../lab/frame.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

/** Fewer on an emulated machine. */
const ROUTERS = Number(process.env['LAB_ROUTERS'] ?? 100);

describe('the first packet', function () {
  this.timeout(patient(180_000));

  for (const family of FAMILIES) {
    it(`of ${ROUTERS} new routers, each with a MAC and an address of its own, is answered by that MAC, IP${family}`, async () => {
      await using lab = await VpnLab.create({ transport: 'udp4' });
      await lab.startSidecar();
      await lab.connect('client1');
      const { r1 } = lab.topology;
      const [host, client] = [lab.party('hostA', family), lab.party('client1', family)];
      const macs = Array.from({ length: ROUTERS }, (_, index) => `02:00:00:01:00:${hex(index)}`);
      await using capture = await lab.capture();

      const lost: string[] = [];
      for (const [index, mac] of macs.entries()) {
        await r1.ip(...(family === 'v4' ? becomeRouter4(index, mac) : becomeRouter6(index, mac)));
        const { received } = await ping(host, client, { count: 1, waitSeconds: 30 });
        if (received !== 1) lost.push(mac);
      }

      assert.deepEqual(lost, []);
      assert.deepEqual(
        answersOf(await capture.frames(), family).map(({ destinationMac }) => destinationMac),
        macs,
      );
    });
  }

  it('of a router that comes while no sidecar runs is answered as soon as one does; trace says what it waits for', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await lab.startSidecar();
    await lab.connect('client1');
    await lab.sidecar.killHard();
    const mac = '02:00:00:01:00:07';
    await lab.topology.r1.ip(...becomeRouter4(7, mac));

    const waiting = ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 1, waitSeconds: 30 });
    await eventually(async () => (await lab.conntrack('icmp', `src=${ADDRESS.hostA.v4}`)).length > 0, {
      what: 'the question to have passed',
    });
    const { stdout } = await runGwmark(lab.topology.endpoint, [
      'trace',
      ADDRESS.hostA.v4,
      TUNNEL.client1.v4,
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);
    await lab.sidecar.restart();

    assert.match(stdout, /got the id 199 by its first packet, and is not known yet: the kernel holds its answers/);
    const { received, output } = await waiting;
    assert.equal(received, 1, output);
    assert.deepEqual(
      (await lab.sidecar.gateways()).filter(({ id }) => id === 199).map((gateway) => gateway.mac),
      [mac],
    );
  });

  for (const transport of ['udp4', 'udp6', 'tcp4'] as const) {
    it(`of the first client after a cold start is answered, over ${transport}`, async () => {
      await using lab = await VpnLab.create({ transport });
      await lab.startSidecar();
      assert.deepEqual(await lab.sidecar.gateways(), []);
      const family = transport === 'udp6' ? 'v6' : 'v4';
      await using capture = await lab.capture('port 1194');

      await lab.connect('client1');

      const frames = (await capture.frames()).filter(({ ip }) => ip !== undefined);
      const [question, answer] = frames;
      assert.equal(question?.ip?.source, ADDRESS.client1[family]);
      assert.equal(answer?.ip?.destination, ADDRESS.client1[family], 'the first datagram was repeated unanswered');
      assert.equal(answer?.destinationMac, MAC.u);
    });
  }
});

/** What the endpoint sent to hostA for client1, in order. */
function answersOf(frames: readonly Frame[], family: 'v4' | 'v6'): readonly Frame[] {
  return frames.filter(
    ({ sourceMac, ip }) =>
      sourceMac === MAC.endpoint && ip?.source === TUNNEL.client1[family] && ip.destination === ADDRESS.hostA[family],
  );
}

/** Lines of `ip` in r1: it is another router, to whom the endpoint's address is unknown, too. */
function becomeRouter4(index: number, mac: string): string[] {
  return [
    'addr flush dev lan0 scope global',
    `link set lan0 address ${mac}`,
    `addr add 192.0.2.${101 + index}/24 dev lan0`,
    'neigh flush dev lan0',
    `route replace 10.8.0.0/24 via ${ADDRESS.endpoint.v4}`,
  ];
}

function becomeRouter6(index: number, mac: string): string[] {
  return [
    'addr flush dev lan0',
    `link set lan0 address ${mac}`,
    `addr add fe80::7:${hex(index)}/64 dev lan0 nodad`,
    `addr add 2001:db8::7:${hex(index)}/64 dev lan0 nodad`,
    'neigh flush dev lan0',
    `route replace fd00:8::/64 via ${ADDRESS.endpoint.v6}`,
  ];
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
