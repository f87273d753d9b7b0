/** A card in a zone of connection tracking: what is said of it is true. */
import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { sentTo } from './matrix.js';

describe('a card in a zone of connection tracking', function () {
  this.timeout(patient(40_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4' }, 'client1');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const answersGoTo = async (): Promise<readonly (string | undefined)[]> => {
    await using capture = await lab.capture('icmp');
    await ping(lab.party('hostB', 'v4'), lab.party('client1', 'v4'), { count: 2 });
    return [
      ...new Set(
        sentTo(await capture.frames(), ADDRESS.hostB.v4)
          .filter((frame) => frame.ip?.source === TUNNEL.client1.v4)
          .map(({ destinationMac }) => destinationMac),
      ),
    ];
  };
  const zones = async (devices: string): Promise<void> => {
    await lab.topology.endpoint.run([
      'nft',
      `table inet zones { chain z { type filter hook prerouting priority raw; iifname ${devices} ct zone set 5; }; }`,
    ]);
  };

  it('has its answers sent to the uplink, and the doctor warns of it', async () => {
    await zones('"lan0"');
    try {
      assert.deepEqual(await answersGoTo(), [MAC.u]);
      assertFound(
        await runDoctor(lab.topology.endpoint, { flags: ['--control-socket', lab.sidecar.controlSocket] }),
        'conntrack-zones',
        'warn',
        /nftables chain inet zones z sets a zone/,
      );
    } finally {
      await lab.topology.endpoint.run(['nft', 'delete', 'table', 'inet', 'zones']);
    }
  });

  it('is served where the tunnel is in the same zone', async () => {
    await zones('{ "lan0", "tun0" }');
    try {
      assert.deepEqual(await answersGoTo(), [MAC.r2]);
    } finally {
      await lab.topology.endpoint.run(['nft', 'delete', 'table', 'inet', 'zones']);
    }
  });
});
