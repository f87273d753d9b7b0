import assert from 'node:assert/strict';

import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { assertLearnt, getsThrough, KINDS } from './matrix.js';
import { patient } from '../lab/wait.js';

describe('an endpoint that has not heard of anybody yet', function () {
  this.timeout(patient(40_000));

  for (const transport of ['udp4', 'tcp4'] as const) {
    it(`lets the first client in over ${transport}, and learns the uplink from it`, async () => {
      await using lab = await VpnLab.create({ transport });
      await lab.startSidecar();
      assert.deepEqual(await lab.sidecar.gateways(), []);
      const startedAt = performance.now();

      await lab.connect('client1');

      console.log(`      connected after ${Math.round(performance.now() - startedAt)} ms`);
      const status = await lab.sidecar.statusWhere(({ uplink }) => uplink !== null, 'the uplink is known');
      assert.equal(status.gateways.find((gateway) => gateway.id === status.uplink)?.mac, MAC.u);
    });
  }

  it('carries what its first client sends as soon as the client is known, though the next look at the kernel is a minute off', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4', management: { clientAuth: true } });
    await lab.startSidecar('--authorize', 'accept', '--gateways-poll-interval-ms', '60000');
    await lab.introduceRouters();

    await lab.connect('client1');

    for (const family of FAMILIES) {
      const result = await ping(lab.party('client1', family), lab.party('hostA', family), { count: 3 });
      assert.equal(result.received, 3, result.output);
    }
  });

  it('answers a host behind an unknown router from its first packet on, and through that router once it is known', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await lab.startSidecar();
    await lab.connect('client1');
    for (const family of FAMILIES) await assertLearnt(lab, family);
  });

  it("carries nothing without a sidecar, even where the operator routes the clients' own addresses", async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.endpoint.ip(`route add 203.0.113.0/24 via ${ADDRESS.u.v4}`);
    await lab.connect('client1', 'client2');
    const attempts = FAMILIES.flatMap((family) =>
      KINDS.flatMap((kind) => [
        [kind, lab.party('hostA', family), lab.party('client1', family)] as const,
        [kind, lab.party('client2', family), lab.party('hostB', family)] as const,
        [kind, lab.party('hostB', family), lab.party('site', family)] as const,
      ]),
    );

    const outcomes = await Promise.all(
      attempts.map(async ([kind, from, to], index) => await getsThrough(kind, from, to, 9000 + index)),
    );

    assert.deepEqual(
      outcomes,
      attempts.map(() => false),
    );
    const tunnel = await ping(
      { namespace: lab.topology.endpoint, address: TUNNEL.endpoint.v4 },
      { address: TUNNEL.client1.v4 },
    );
    assert.equal(tunnel.received, 3, 'the tunnel itself is up');
  });

  it('releases an OpenVPN that waits in hold, and lets its clients in', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4', management: { hold: true } });

    await lab.startSidecar();
    await lab.connect('client1');

    assert.equal((await lab.sidecar.status()).servers[0]?.device, 'tun0');
  });

  it('takes over an OpenVPN that already serves clients', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    // A route of the operator's own lets them in before the sidecar comes.
    await lab.topology.endpoint.ip(`route add 203.0.113.0/24 via ${ADDRESS.u.v4}`);
    await lab.connect('client1', 'client2');
    await lab.topology.endpoint.ip(`route del 203.0.113.0/24 via ${ADDRESS.u.v4}`);

    await lab.startSidecar();
    await lab.known('client1', 'client2');
    await lab.introduceRouters();

    for (const family of FAMILIES) {
      const result = await ping(lab.party('hostA', family), lab.party('client2', family), { count: 3 });
      assert.equal(result.received, 3, result.output);
    }
  });
});
