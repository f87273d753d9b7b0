import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { IS_SAMPLE } from '../lab/sample.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { describeFailover, failoverTimes } from './failover.js';
import { patient } from '../lab/wait.js';

/** The most that a move may take us, and a bound for the whole interruption on a busy machine. */
const OURS_MAX_MS = patient(1_000);

const onPort =
  (port: number) =>
  (frame: Frame): boolean =>
    frame.ports?.source === port || frame.ports?.destination === port;
const isClient1 = (frame: Frame): boolean =>
  frame.ip?.source === ADDRESS.client1.v4 || frame.ip?.destination === ADDRESS.client1.v4;

describe('a router that gets another MAC address under a live flow', function () {
  this.timeout(patient(40_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    // A standby that takes over an address announces it, as keepalived and every router do.
    await Promise.all(
      (['r1', 'r2', 'u'] as const).map(
        async (router) =>
          await lab.topology[router].sysctl('net.ipv4.conf.lan0.arp_notify=1', 'net.ipv6.conf.lan0.ndisc_notify=1'),
      ),
    );
    await lab.startSidecar();
    await lab.connect('client1', 'client2');
    await lab.introduceRouters();
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  it('keeps a flow through a LAN router alive, and its gateway keeps its id', async () => {
    const newMac = '02:00:00:00:01:09';
    await using capture = await lab.capture();
    await using udp = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { port: 7811 });
    await using tcp = await Flow.start('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { port: 7812 });
    // The module learns a router from its first frame of a flow, and the sidecar looks at times.
    const { gateways: known } = await lab.sidecar.statusWhere(
      (status) => status.gateways.some((gateway) => gateway.mac === MAC.r1),
      'the sidecar knows r1',
    );
    const before = known.find((gateway) => gateway.mac === MAC.r1);

    await lab.topology.changeMac('r1', newMac);
    await Promise.all([udp.advance(50), tcp.advance(50)]);
    const [udpSummary, tcpSummary] = [await udp.stop(), await tcp.stop()];

    const times = failoverTimes(await capture.frames(), onPort(7811), MAC.r1, newMac);
    console.log(`      ${describeFailover('new MAC of r1, UDP', times, udpSummary)}`);
    assert.ok(times.oursMs < OURS_MAX_MS, `ours ${times.oursMs} ms`);
    assert.equal(tcpSummary.lost, 0);
    const { gateways } = await lab.sidecar.statusWhere(
      (status) => status.gateways.some((gateway) => gateway.mac === newMac),
      'the gateway moved',
    );
    assert.equal(gateways.find((gateway) => gateway.addresses.includes(ADDRESS.r1.v4))?.mac, newMac);
    // The module shows the new MAC also under an id of its own, once frames of it came: both lead to it.
    assert.ok(
      gateways.some(({ id, mac }) => id === before?.id && mac === newMac),
      JSON.stringify(gateways),
    );
  });

  if (IS_SAMPLE) return;

  it('keeps a flow alive whose data only a client sends', async () => {
    const newMac = '02:00:00:00:02:09';
    await using capture = await lab.capture();
    await using tcp = await Flow.start('tcp', lab.party('hostB', 'v6'), lab.party('client2', 'v6'), { port: 7813 });

    await lab.topology.changeMac('r2', newMac);
    await tcp.advance(50);
    const summary = await tcp.stop();

    const times = failoverTimes(await capture.frames(), onPort(7813), MAC.r2, newMac);
    console.log(`      ${describeFailover('new MAC of r2, TCP over IPv6', times, summary)}`);
    assert.equal(summary.lost, 0);
  });

  it("keeps OpenVPN's own transport alive when the upstream router moves", async () => {
    const newMac = '02:00:00:00:fe:09';
    await using capture = await lab.capture('port 1194');
    await using udp = await Flow.start('udp', lab.party('client1', 'v4'), lab.party('hostB', 'v4'), { port: 7814 });

    await lab.topology.changeMac('u', newMac);
    await udp.advance(50);
    const summary = await udp.stop();

    const times = failoverTimes(await capture.frames(), isClient1, MAC.u, newMac);
    console.log(`      ${describeFailover("new MAC of u, OpenVPN's transport", times, summary)}`);
    assert.ok(times.oursMs < OURS_MAX_MS, `ours ${times.oursMs} ms`);
    await lab.sidecar.statusWhere(
      ({ gateways, uplink }) => gateways.some(({ id, mac }) => id === uplink && mac === newMac),
      'the uplink moved',
    );
  });
});
