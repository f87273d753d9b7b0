import assert from 'node:assert/strict';

import { clientRules } from '../lab/firewall.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange, assertSentVia, KINDS } from './matrix.js';

for (const clientAuth of [true, false]) {
  const mode = clientAuth ? 'with --management-client-auth' : 'without --management-client-auth';

  describe(`clients of a server ${mode}`, function () {
    this.timeout(patient(30_000));
    let lab: VpnLab;
    let startedMs: number;
    before(async () => {
      startedMs = Date.now();
      // Over TCP the server learns of a killed client at once.
      lab = await VpnLab.working(
        { transport: 'tcp4', management: { clientAuth }, flags: clientAuth ? ['--authorize', 'accept'] : [] },
        'client1',
        'client2',
      );
    });
    after(async () => await lab?.[Symbol.asyncDispose]());

    it('are reported by `gwmark status --json` in the promised shape, and the routers of their traffic', async () => {
      for (const host of ['hostA', 'hostB'] as const)
        await assertExchange('ping', lab.party(host, 'v4'), lab.party('client1', 'v4'));

      const status = await lab.sidecar.statusWhere(
        ({ gateways }) => [MAC.r1, MAC.r2].every((mac) => gateways.some((gateway) => gateway.mac === mac)),
        'the sidecar knows the routers',
      );

      assert.match(status.version, /^\d+\.\d+\.\d+/);
      assert.equal(status.datapath, process.env['GWMARK_DATAPATH'] ?? 'nexthop');
      assert.deepEqual(
        status.servers.map(({ management, state, device, transport }) => ({ management, state, device, transport })),
        [
          {
            management: `unix:${lab.server.managementSocket}`,
            state: 'ready',
            device: 'tun0',
            transport: [{ protocol: 'tcp', address: '0.0.0.0', port: 1194 }],
          },
        ],
      );
      const client1 = status.clients.find((client) => client.commonName === 'client1');
      assert.deepEqual(
        [...(client1?.addresses ?? [])].toSorted(),
        [TUNNEL.client1.v4, '192.168.77.0/24', TUNNEL.client1.v6, 'fd00:77::/64'].toSorted(),
      );
      assert.ok(client1?.realAddress?.includes(ADDRESS.client1.v4), `real address ${client1?.realAddress}`);
      // OpenVPN tells whole seconds.
      const sinceMs = Date.parse(client1?.since ?? '');
      assert.ok(
        sinceMs > startedMs - 1000 && sinceMs <= Date.now(),
        `since ${client1?.since}, the lab began ${new Date(startedMs).toISOString()}`,
      );
      assert.equal(typeof client1?.epoch, 'number');
      const byMac = new Map(status.gateways.map((gateway) => [gateway.mac, gateway]));
      assert.deepEqual([byMac.get(MAC.r1)?.device, byMac.get(MAC.r2)?.device], ['lan0', 'lan0']);
      assert.ok(byMac.get(MAC.r1)?.addresses.includes(ADDRESS.r1.v4));
      assert.equal(status.uplink, byMac.get(MAC.u)?.id, 'the uplink is the upstream router');
    });

    for (const family of FAMILIES) {
      for (const kind of KINDS) {
        it(`have their subnet reached by ${kind} over IP${family} from a host, and answered through its router`, async () => {
          await using capture = await lab.capture();

          const isOwn = await assertExchange(kind, lab.party('hostB', family), lab.party('site', family));

          assertSentVia((await capture.frames()).filter(isOwn), ADDRESS.hostB[family], MAC.r2);
        });

        it(`have hosts reached by ${kind} over IP${family} from their subnet`, async () => {
          await assertExchange(kind, lab.party('site', family), lab.party('hostA', family));
        });
      }
    }

    it('may sit on the segment itself: their datagrams go to their own MAC', async () => {
      await using capture = await lab.capture();

      await lab.connect('local');
      for (const family of FAMILIES) {
        await assertExchange('tcp', lab.party('hostA', family), lab.party('local', family));
        await assertExchange('udp', lab.party('local', family), lab.party('hostB', family));
      }

      const outer = (await capture.frames()).filter((frame) => frame.ports?.source === 1194);
      assertSentVia(outer, ADDRESS.local.v4, MAC.local);
    });

    it('take their rules with them when they go, and leave their conntrack entries', async () => {
      await assertExchange('udp', lab.party('hostA', 'v4'), lab.party('client2', 'v4'));
      await assertExchange('udp', lab.party('hostA', 'v6'), lab.party('client2', 'v6'));
      const ruleset = async (): Promise<string> => await clientRules(lab.topology.endpoint);
      assert.ok((await ruleset()).includes(TUNNEL.client2.v4) && (await ruleset()).includes(TUNNEL.client2.v6));
      assert.ok(
        (await lab.conntrack(TUNNEL.client2.v4)).length > 0 && (await lab.conntrack(TUNNEL.client2.v6)).length > 0,
      );

      lab.client('client2').process.kill('SIGKILL');
      await lab.sidecar.statusWhere(
        ({ clients }) => clients.every((client) => client.commonName !== 'client2'),
        'client2 is gone',
      );

      await eventually(async () => !/10\.8\.0\.12|fd00:8::12/.test(await ruleset()), {
        what: "client2's rules are gone",
      });
      // They wait for it to come back; who else gets the address inherits none: lost-entries.test.ts.
      for (const family of FAMILIES) assert.notDeepEqual(await lab.conntrack(`=${TUNNEL.client2[family]} `), []);
      await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    });
  });
}
