import assert from 'node:assert/strict';

import type { Capture } from '../lab/capture.js';
import { runGwmark } from '../lab/sidecar.js';
import { SITES, type SiteName } from '../lab/two-sites.js';
import { TUNNEL_OF, TWO_SITES_TIMEOUT_MS, TwoSitesLab } from '../lab/two-sites-lab.js';
import { FAMILIES } from '../lab/vpn-lab.js';
import { assertExchange, KINDS } from './matrix.js';
import { assertOpenedTo, assertSentTo } from './two-sites-matrix.js';

for (const transport of ['udp4', 'tcp6'] as const) {
  describe(`two sites, a client's endpoint and a server's, OpenVPN over ${transport}`, function () {
    this.timeout(TWO_SITES_TIMEOUT_MS);
    let lab: TwoSitesLab;
    let captures: Record<SiteName, Capture>;
    before(async () => {
      lab = await TwoSitesLab.create({ shape: 'one-arm', transport });
      captures = { A: await lab.capture('A'), B: await lab.capture('B') };
      await lab.join();
    });
    after(async () => {
      for (const site of ['A', 'B'] as const) await captures?.[site][Symbol.asyncDispose]();
      await lab?.[Symbol.asyncDispose]();
    });

    it('needs no route on either endpoint, but to its link and its tunnel', async () => {
      for (const site of ['A', 'B'] as const) {
        const routes = await lab.topology.sites[site].endpoint.run(['ip', '-4', 'route', 'show']);
        assert.deepEqual(
          routes
            .trim()
            .split('\n')
            .filter((line) => !/dev tun0|dev lan0 proto kernel/.test(line)),
          [],
          `endpoint ${site}`,
        );
      }
    });

    it('knows the OpenVPN at each endpoint for what it is, and where its client sends to', async () => {
      const [server] = (await lab.serverSidecar.status()).servers;
      const [client] = (await lab.sidecar.status()).servers;

      assert.equal(server?.role, 'server');
      assert.deepEqual(
        [client?.role, client?.device, client?.remote],
        [
          'client',
          'tun0',
          {
            protocol: transport.slice(0, 3),
            address: SITES.A.endpoint[transport.endsWith('6') ? 'v6' : 'v4'],
            port: 1194,
          },
        ],
      );
      assert.deepEqual(client?.networks, ['10.8.0.0/24', '198.51.100.0/25', '2001:db8:a::/64', 'fd00:8::/64']);
    });

    it('finds the router by which the server answers, and sends everything there', async () => {
      await lab.sidecar.statusWhere(
        ({ uplink, gateways }) => gateways.find(({ id }) => id === uplink)?.mac === SITES.B.mac.u,
        'uB is the uplink',
      );
      const start = await captures.B.mark();

      await assertExchange('ping', lab.party('B', 'v4'), lab.party('A', 'v4'));

      assertSentTo(
        await captures.B.frames(start),
        'B',
        SITES.A.endpoint[transport.endsWith('6') ? 'v6' : 'v4'],
        SITES.B.mac.u,
      );
    });

    it('is explained by `gwmark trace`: what goes to the server, and answers to the site of the client', async () => {
      const outer = transport.endsWith('6') ? 'v6' : 'v4';
      await assertExchange('ping', lab.party('B', 'v4'), lab.party('A', 'v4'));

      const [toServer, answers] = await Promise.all(
        [
          [SITES.A.endpoint[outer], SITES.B.endpoint[outer]],
          [SITES.B.host.v4, SITES.A.host.v4],
        ].map(
          async (ends) =>
            await runGwmark(lab.topology.sites.B.endpoint, [
              'trace',
              ...ends,
              '--control-socket',
              lab.sidecar.controlSocket,
            ]),
        ),
      );

      assert.match(
        toServer?.stdout ?? '',
        new RegExp(
          `what ${SITES.B.endpoint[outer]} sends to ${SITES.A.endpoint[outer]} leaves lan0 to ${SITES.B.mac.u} `,
        ),
        toServer?.stderr,
      );
      assert.match(
        answers?.stdout ?? '',
        new RegExp(`behind the server of the OpenVPN client unix:.*over tun0`),
        answers?.stderr,
      );
      assert.match(answers?.stdout ?? '', new RegExp(`answers of this flow leave lan0 to ${SITES.B.mac.r} `));
    });

    for (const family of FAMILIES) {
      for (const kind of KINDS) {
        it(`carries ${kind} over IP${family} from the client's site, and answers its router`, async () => {
          const start = await captures.B.mark();

          const isOwn = await assertExchange(kind, lab.party('B', family), lab.party('A', family));

          assertSentTo((await captures.B.frames(start)).filter(isOwn), 'B', SITES.B.host[family], SITES.B.mac.r);
        });

        it(`carries ${kind} over IP${family} to the client's site, and the server's endpoint answers its router`, async () => {
          const [startA, startB] = [await captures.A.mark(), await captures.B.mark()];

          const isOwn = await assertExchange(kind, lab.party('A', family), lab.party('B', family));

          assertSentTo((await captures.A.frames(startA)).filter(isOwn), 'A', SITES.A.host[family], SITES.A.mac.r);
          assertOpenedTo((await captures.B.frames(startB)).filter(isOwn), 'B', SITES.B.host[family]);
        });
      }

      it(`answers pings to the client's own tunnel address over IP${family} by their router`, async () => {
        const start = await captures.B.mark();

        await assertExchange('ping', lab.party('B', family), {
          namespace: lab.topology.sites.B.endpoint,
          address: TUNNEL_OF.B[family],
        });

        assertSentTo(await captures.B.frames(start), 'B', SITES.B.host[family], SITES.B.mac.r);
      });
    }
  });
}
