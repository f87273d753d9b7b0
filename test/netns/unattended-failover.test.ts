/** A router gets another MAC address while no sidecar runs. */
import assert from 'node:assert/strict';

import { MAC } from '../lab/topology.js';
import { Flow } from '../lab/traffic.js';
import { eventually, patient } from '../lab/wait.js';
import { VpnLab } from '../lab/vpn-lab.js';

const NEW_MAC = '02:00:00:00:01:09';

describe('a router that gets another MAC address while no sidecar runs', function () {
  this.timeout(patient(60_000));

  it('gets its answers at once with the module; with nexthop the uplink has them until a sidecar runs again', async () => {
    await using lab = await VpnLab.working({ transport: 'udp4' }, 'client1');
    await lab.topology.r1.sysctl('net.ipv4.conf.lan0.arp_notify=1');
    const { datapath } = await lab.sidecar.status();
    await using flow = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { port: 7861 });
    await flow.advance(20);
    await using capture = await lab.capture('udp port 7861');
    const goTo = async (mac: string): Promise<void> => {
      await eventually(
        async () => {
          const since = await capture.mark();
          await flow.advance(20);
          const frames = await capture.frames(since);
          return frames
            .filter(({ sourceMac }) => sourceMac === MAC.endpoint)
            .every(({ destinationMac }) => destinationMac === mac);
        },
        { what: `answers go to ${mac}` },
      );
    };
    await lab.sidecar.killHard();

    await lab.topology.changeMac('r1', NEW_MAC);

    await goTo(datapath === 'module' ? NEW_MAC : MAC.u);
    await lab.sidecar.restart();
    await goTo(NEW_MAC);
    const { lost, sent } = await flow.stop();
    console.log(`      ${datapath}: ${lost} of ${sent} records lost`);
    assert.ok(lost < sent / 2);
  });
});
