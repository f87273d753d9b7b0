import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { insertModule, removeModule } from '../lab/inline-lab.js';
import { type Shape, SITES } from '../lab/two-sites.js';
import { TUNNEL_OF, TWO_SITES_TIMEOUT_MS, TwoSitesLab } from '../lab/two-sites-lab.js';
import { FAMILIES } from '../lab/vpn-lab.js';
import { assertExchange, getsThrough, KINDS } from './matrix.js';
import { assertSentTo } from './two-sites-matrix.js';

const OF_THE_OTHER = {
  A: /198\.51\.100\.128|2001:db8:b::|10\.8\.|fd00:8:|192\.0\.2\.138/,
  B: /198\.51\.100\.0\/25|2001:db8:a::|10\.8\.|fd00:8:|192\.0\.2\.10\b/,
} as const;

/** Where the two endpoints are, and how they send to routers; the module is the whole machine's. */
export interface TwoSitesSuite {
  readonly shape: Shape;
  readonly datapath: 'nexthop' | 'module';
}

/** The suite of two endpoints, an OpenVPN server's and a client's, that join their sites. */
export function describeTwoSites({ shape, datapath }: TwoSitesSuite): void {
  const isModule = datapath === 'module';
  describe(`two ${shape} endpoints on the datapath ${datapath}, a server and a client`, function () {
    this.timeout(TWO_SITES_TIMEOUT_MS);
    let lab: TwoSitesLab;

    before(async () => {
      if (isModule) await insertModule();
      lab = await TwoSitesLab.create({ shape, transport: 'udp4', keepalive: [2, 60] });
      await lab.join();
    });
    after(async () => {
      await lab?.[Symbol.asyncDispose]();
      if (isModule) await removeModule();
    });

    it('are a server and a client, and the client has found its router', async () => {
      const [a, b] = await Promise.all([lab.serverSidecar.status(), lab.sidecar.status()]);

      assert.deepEqual([a.datapath, b.datapath], [datapath, datapath]);
      assert.deepEqual([a.servers[0]?.role, b.servers[0]?.role], ['server', 'client']);
      await lab.sidecar.statusWhere(
        ({ uplink, gateways }) => gateways.find(({ id }) => id === uplink)?.mac === SITES.B.mac.u,
        'uB is the uplink',
      );
    });

    it('have no route to each other on any router or endpoint but the tunnels', async () => {
      for (const site of ['A', 'B'] as const) {
        const boxes = lab.topology.sites[site];
        for (const box of shape === 'inline'
          ? [boxes.host, boxes.r, boxes.u, boxes.endpoint]
          : [boxes.host, boxes.endpoint]) {
          const routes = (
            await Promise.all(
              ['-4', '-6'].map(async (family) => await box.run(['ip', family, 'route', 'show', 'table', 'all'])),
            )
          ).join('');
          const found = routes
            .split('\n')
            .filter(
              (line) =>
                OF_THE_OTHER[site].test(line) &&
                !/dev tun0|^local|^broadcast|^anycast|dev lan0 proto kernel|dev br0 proto kernel/.test(line),
            );
          assert.deepEqual(found, [], box.role);
        }
      }
    });

    for (const family of FAMILIES) {
      for (const kind of KINDS) {
        it(`carry ${kind} over IP${family} from the client's site, and answer the MAC that it came from`, async () => {
          await using toR = await lab.capture('B', shape === 'inline' ? 'r' : 'endpoint');
          await using toU = await lab.capture('B', 'u');

          const isOwn = await assertExchange(kind, lab.party('B', family), lab.party('A', family));

          assertSentTo((await toR.frames()).filter(isOwn), 'B', SITES.B.host[family], SITES.B.mac.r);
          const plain = (frame: Frame): boolean => isOwn(frame) && frame.ip?.destination === SITES.A.host[family];
          assert.deepEqual((await toU.frames()).filter(plain), [], 'nothing for the other site left in clear');
        });

        it(`carry ${kind} over IP${family} to the client's site, and the server's endpoint answers the MAC that it came from`, async () => {
          await using toR = await lab.capture('A', shape === 'inline' ? 'r' : 'endpoint');

          const isOwn = await assertExchange(kind, lab.party('A', family), lab.party('B', family));

          assertSentTo((await toR.frames()).filter(isOwn), 'A', SITES.A.host[family], SITES.A.mac.r);
        });
      }

      it(`reach the server's tunnel address over IP${family} from the client's site`, async () => {
        await assertExchange('ping', lab.party('B', family), {
          namespace: lab.topology.sites.A.endpoint,
          address: TUNNEL_OF.A[family],
        });
      });
    }

    it('go on after SIGUSR1 of the client', async () => {
      const from = lab.client.process.lines.length;
      lab.client.process.kill('SIGUSR1');
      await lab.client.connected({ from, timeoutMs: 40_000 });

      await lab.rejoin();

      await assertExchange('udp', lab.party('B', 'v4'), lab.party('A', 'v4'));
      await assertExchange('ping', lab.party('A', 'v6'), lab.party('B', 'v6'));
    });

    it('join nothing once `gwmark down` was there', async () => {
      await lab.sidecar.stop();
      await lab.sidecar.down();

      assert.equal(await getsThrough('ping', lab.party('B', 'v4'), lab.party('A', 'v4'), 0), false);
      if (isModule)
        assert.match(await lab.topology.sites.B.endpoint.run(['cat', '/proc/net/gwmark/config']), /enabled 0/);
      assert.doesNotMatch(await lab.topology.sites.B.endpoint.run(['nft', 'list', 'ruleset']), /gwmark/);
    });
  });
}
