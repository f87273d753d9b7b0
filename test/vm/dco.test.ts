/** Data channel offload: the kernel makes the packets of OpenVPN's data channel. Run by dco.sh, on either datapath. */
import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { assertFound, runDoctor } from '../lab/doctor.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow } from '../lab/traffic.js';
import { FAMILIES, TUN_MTU, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange, assertNothingFarResolved, assertOpenedVia, assertSentVia } from '../netns/matrix.js';

/** A MAC that no router of the topology has. */
const MOVED = '02:00:00:00:fe:77';

const isTransport = (frame: Frame): boolean => frame.ports?.source === 1194;

/** `udp4` goes through the whole matrix besides. */
for (const transport of ['udp6', 'tcp4'] as const) {
  const outer = transport === 'udp6' ? 'v6' : 'v4';

  describe(`data channel offload over ${transport}`, function () {
    this.timeout(patient(60_000));
    let lab: VpnLab;
    before(async () => {
      lab = await VpnLab.create({ transport, serverExtra: ['mssfix 1000'] });
      await lab.topology.u.sysctl('net.ipv4.conf.lan0.arp_notify=1', 'net.ipv6.conf.lan0.ndisc_notify=1');
      await lab.startSidecar();
      await lab.introduceRouters();
      await lab.connect('client1');
    });
    after(async () => await lab?.[Symbol.asyncDispose]());

    it('is on: the tunnel device is one that encrypts', async () => {
      assert.match(await lab.tunnelKind(), /^ovpn/);
    });

    for (const family of FAMILIES) {
      it(`answers what hosts open over IP${family} by their routers, and sends OpenVPN's packets to the upstream router`, async () => {
        await using capture = await lab.capture();

        const fromA = await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
        const fromB = await assertExchange('udp', lab.party('hostB', family), lab.party('site', family));

        const frames = await capture.frames();
        assertSentVia(frames.filter(fromA), ADDRESS.hostA[family], MAC.r1);
        assertSentVia(frames.filter(fromB), ADDRESS.hostB[family], MAC.r2);
        assertSentVia(frames.filter(isTransport), ADDRESS.client1[outer], MAC.u);
        assertNothingFarResolved(frames);
      });

      it(`sends what a client and its subnet open over IP${family} to the upstream router first`, async () => {
        await using capture = await lab.capture();

        const own = [
          await assertExchange('tcp', lab.party('client1', family), lab.party('hostA', family)),
          await assertExchange('udp', lab.party('site', family), lab.party('hostA', family)),
        ];

        assertOpenedVia(
          (await capture.frames()).filter((frame) => own.some((test) => test(frame))),
          ADDRESS.hostA[family],
          MAC.r1,
        );
      });
    }

    it('keeps no route to a MAC that the upstream router no longer has', async () => {
      await using flow = await Flow.start('tcp', lab.party('hostB', 'v4'), lab.party('client1', 'v4'), { port: 7821 });

      await lab.topology.changeMac('u', MOVED);
      await flow.advance(50);
      await lab.sidecar.statusWhere(
        ({ gateways, uplink }) => gateways.some(({ id, mac }) => id === uplink && mac === MOVED),
        'the uplink moved',
      );
      await lab.sidecar.carries(MOVED);
      // From here on: what two processors send while it moves is captured in no order.
      await using capture = await lab.capture('port 1194');
      await flow.advance(50);
      const summary = await flow.stop();

      assertSentVia(await capture.frames(), ADDRESS.client1[outer], MOVED);
      assert.equal(summary.lost, 0);
    });

    it('is named by the doctor, which says that mssfix has no effect, and nowhere that it helps', async () => {
      await lab.topology.endpoint.ip('link set tun0 mtu 1500');
      const flags = [
        '--management',
        `unix:${lab.server.managementSocket}`,
        '--control-socket',
        lab.sidecar.controlSocket,
      ];

      const report = await runDoctor(lab.topology.endpoint, { flags });

      assertFound(
        report,
        'openvpn-options',
        'info',
        /data channel offload: on \(device type ovpn.*mssfix .*no effect/,
      );
      assertFound(report, 'mtu', 'warn', /tun0: 1500.*mssfix has no effect/);
      assert.doesNotMatch(JSON.stringify(report.findings), /keeps TCP below/);
      await lab.topology.endpoint.ip('link set tun0 mtu 1400');
    });

    it("leaves a client's SYN as it is: mssfix has no effect", async () => {
      await using capture = await lab.capture('tcp[tcpflags] & tcp-syn != 0');
      await assertExchange('tcp', lab.party('client1', 'v4'), lab.party('hostA', 'v4'));

      const syn = (await capture.frames()).find((frame) => frame.ip?.destination === ADDRESS.hostA.v4);
      assert.ok(syn, 'a SYN was captured');
      // The first option of Linux, behind the headers of Ethernet, IPv4 and TCP: kind 2, length 4, MSS.
      assert.deepEqual([...syn.bytes.subarray(54, 56), syn.bytes.readUInt16BE(56)], [2, 4, TUN_MTU - 40]);
    });
  });
}
