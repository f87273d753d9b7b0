import assert from 'node:assert/strict';

import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUN_MTU, VpnLab } from '../lab/vpn-lab.js';
import { assertExchange, assertSentVia } from './matrix.js';
import { patient } from '../lab/wait.js';

/** ICMP types of an error, by family: what the endpoint must send although it has no route. */
const ERROR_TYPE = { tooBig: { v4: 3, v6: 2 }, timeExceeded: { v4: 11, v6: 3 } } as const;

for (const rpFilter of [0, 1, 2] as const) {
  describe(`an endpoint with rp_filter ${rpFilter}`, function () {
    this.timeout(patient(30_000));
    let lab: VpnLab;
    before(async () => {
      lab = await VpnLab.working({ transport: 'udp4', rpFilter }, 'client1', 'client2');
    });
    after(async () => await lab?.[Symbol.asyncDispose]());

    for (const family of FAMILIES) {
      it(`tells a host over IP${family}, through its router, that its packet is too big for the tunnel`, async () => {
        await using capture = await lab.capture(family === 'v4' ? 'icmp' : 'icmp6');

        const result = await ping(lab.party('hostB', family), lab.party('client1', family), {
          count: 1,
          size: TUN_MTU + 20,
          dontFragment: true,
        });

        assert.match(result.output, new RegExp(`mtu ?= ?${TUN_MTU}`));
        const errors = (await capture.frames()).filter((frame) => frame.icmp?.type === ERROR_TYPE.tooBig[family]);
        assertSentVia(errors, ADDRESS.hostB[family], MAC.r2);
      });

      it(`tells a host over IP${family}, through its router, that a packet lived too long`, async () => {
        await using capture = await lab.capture(family === 'v4' ? 'icmp' : 'icmp6');

        const result = await ping(lab.party('hostA', family), lab.party('client2', family), { count: 1, ttl: 2 });

        assert.match(result.output, /Time to live exceeded|Time exceeded/);
        const errors = (await capture.frames()).filter(
          (frame) => frame.icmp?.type === ERROR_TYPE.timeExceeded[family],
        );
        assertSentVia(errors, ADDRESS.hostA[family], MAC.r1);
      });

      it(`lets a client trace its way to a host over IP${family}: the endpoint, then the upstream router`, async () => {
        const hops = await Promise.all(
          [1, 2].map(
            async (ttl) =>
              (await ping(lab.party('client1', family), lab.party('hostA', family), { count: 1, ttl })).output,
          ),
        );

        assert.match(hops[0] ?? '', family === 'v4' ? /From 10\.8\.0\.1 .*exceeded/ : /From fd00:8::1 .*exceeded/);
        assert.match(
          hops[1] ?? '',
          family === 'v4' ? /From 192\.0\.2\.254 .*exceeded/ : /From 2001:db8::fe .*exceeded/,
        );
      });

      it(`carries TCP in both directions and packets larger than the tunnel's MTU over IP${family}`, async () => {
        await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
        await assertExchange('tcp', lab.party('client2', family), lab.party('hostB', family));
        // The first IPv6 one is the price of learning the path MTU.
        const big = await ping(lab.party('hostA', family), lab.party('client1', family), {
          count: 3,
          size: TUN_MTU + 200,
        });
        assert.ok(big.received >= 2, big.output);
      });
    }
  });
}
