/** LAN and WAN on different cards: hosts come by lan0, clients by wan0, and rp_filter lets both in. */
import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { Capture } from '../lab/capture.js';
import { ADDRESS, MAC, SECOND_LEG } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange, assertSentVia, KINDS } from './matrix.js';

describe('an endpoint with two legs and strict rp_filter', function () {
  this.timeout(patient(40_000));
  for (const transport of ['udp4', 'tcp4'] as const) {
    describe(`OpenVPN over ${transport}`, () => {
      let lab: VpnLab;
      before(async () => {
        lab = await VpnLab.working({ transport, hasTwoLegs: true, rpFilter: 1 }, 'client1', 'client2');
      });
      after(async () => await lab?.[Symbol.asyncDispose]());

      for (const family of transport === 'udp4' ? FAMILIES : (['v4'] as const)) {
        for (const kind of KINDS) {
          it(`carries ${kind} over IP${family} that a host opens, and answers through the router that it came from`, async () => {
            await using capture = await lab.capture();

            const isOwn = await assertExchange(kind, lab.party('hostB', family), lab.party('client1', family));

            assertSentVia((await capture.frames()).filter(isOwn), ADDRESS.hostB[family], MAC.r2);
          });

          it(`carries ${kind} over IP${family} that a client opens, by the uplink on the other leg`, async () => {
            await using capture = await Capture.start(lab.topology.u, SECOND_LEG.u.device);

            const isOwn = await assertExchange(kind, lab.party('client2', family), lab.party('hostA', family));

            const sent = (await capture.frames()).filter(
              (frame) => isOwn(frame) && frame.ip?.destination === ADDRESS.hostA[family],
            );
            assert.ok(sent.length > 0, 'nothing left by wan0');
            assert.deepEqual([...new Set(sent.map((frame) => frame.destinationMac))], [SECOND_LEG.u.mac]);
          });
        }
      }

      it('answers a host that speaks to its own tunnel address', async () => {
        await using capture = await lab.capture();

        await assertExchange('ping', lab.party('hostA', 'v4'), {
          namespace: lab.topology.endpoint,
          address: TUNNEL.endpoint.v4,
        });

        assertSentVia(await capture.frames(), ADDRESS.hostA.v4, MAC.r1);
      });

      it('is told by the doctor that the filter is served', async () => {
        assertFound(
          await runDoctor(lab.topology.endpoint, { flags: ['--control-socket', lab.sidecar.controlSocket] }),
          'rp-filter',
          'ok',
          /wan0: 1/,
        );
      });

      it('still drops what a host of one leg claims to send from the other', async () => {
        const before = await lab.topology.endpoint.run(['nstat', '-asz', 'TcpExtIPReversePathFilter']);
        // An address of the LAN's own network, by wan0: main knows better.
        await lab.topology.u.ip('address add 192.0.2.77/32 dev lo');
        const { received } = await ping(
          { namespace: lab.topology.u, address: '192.0.2.77' },
          { address: SECOND_LEG.endpoint.v4 },
          { count: 1, waitSeconds: 0.5 },
        );
        assert.equal(received, 0);
        assert.notEqual(await lab.topology.endpoint.run(['nstat', '-asz', 'TcpExtIPReversePathFilter']), before);
      });
    });
  }
});
