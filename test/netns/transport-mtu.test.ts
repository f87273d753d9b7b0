import assert from 'node:assert/strict';

import type { Transport } from '../lab/openvpn.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange, assertSentVia } from './matrix.js';

type Remote = 'client1' | 'client2';
const DEVICE_TO = { client1: 'wan1', client2: 'wan2' } as const;
/** client1 dials in through u, the uplink; client2 through r2. */
const ROUTER_OF = { client1: MAC.u, client2: MAC.r2 } as const;

/** Routers beyond u have a link to the client of this MTU: u says so, and forwards nothing larger. */
async function narrow(lab: VpnLab, client: Remote, mtu: number): Promise<void> {
  const device = DEVICE_TO[client];
  await lab.topology.u.ip(
    `route replace ${ADDRESS[client].v4} dev ${device} mtu ${mtu}`,
    `route replace ${ADDRESS[client].v6} dev ${device} mtu ${mtu}`,
  );
}

/** How many packets u found too big for their next link, and told their sender. */
async function toldTooBig(lab: VpnLab, transport: Transport): Promise<number> {
  const counter = transport.endsWith('6') ? 'Icmp6OutPktTooBigs' : 'IcmpOutDestUnreachs';
  const text = await lab.topology.u.run(['nstat', '-asz', counter]);
  return Number(new RegExp(`${counter}\\s+(\\d+)`).exec(text)?.[1]);
}

/** TCP in both directions and families through the tunnel: what the endpoint encrypts for the client does not fit. */
async function assertCarries(lab: VpnLab, client: Remote): Promise<void> {
  await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party(client, 'v4'));
  await assertExchange('tcp', lab.party(client, 'v6'), lab.party('hostB', 'v6'));
}

for (const transport of ['udp4', 'udp6', 'tcp4', 'tcp6'] as const) {
  describe(`an OpenVPN server over ${transport} whose clients are behind a link narrower than its own`, function () {
    this.timeout(patient(60_000));
    const version = transport.endsWith('6') ? 'v6' : 'v4';
    let lab: VpnLab;
    before(async () => {
      // The tunnel's packets are to be larger than the path, so OpenVPN must not clamp.
      lab = await VpnLab.create({ transport, serverExtra: ['mssfix 0'] });
      const { u, r2 } = lab.topology;
      for (const family of FAMILIES) {
        const [flag, endpoint, router] = [family === 'v4' ? '-4' : '-6', ADDRESS.endpoint[family], ADDRESS.r2[family]];
        await u.run(['ip', flag, 'rule', 'add', 'iif', 'wan2', 'to', endpoint, 'lookup', '100']);
        await u.run(['ip', flag, 'route', 'add', endpoint, 'via', router, 'table', '100']);
      }
      // r2 sends such datagrams on by the device that they came from, and must not tell u of it.
      await r2.sysctl('net.ipv4.conf.all.send_redirects=0', 'net.ipv4.conf.lan0.send_redirects=0');
      for (const client of ['client1', 'client2'] as const) await narrow(lab, client, 1400);
    });
    after(async () => await lab?.[Symbol.asyncDispose]());

    it('carries TCP over a path of 1400 with a static route, to compare with', async () => {
      const { endpoint } = lab.topology;
      const [v4, v6] = [`default via ${ADDRESS.u.v4}`, `default via ${ADDRESS.u.v6}`];
      const routes = [`route add ${v4}`, `route add ${v6}`];
      await endpoint.ip(...routes, 'route add 192.168.77.0/24 dev tun0');
      await lab.connect('client1');
      const before = await toldTooBig(lab, transport);

      await assertCarries(lab, 'client1');

      assert.ok((await toldTooBig(lab, transport)) > before, 'nothing was too big: the test shows nothing');
      await lab.client('client1').stop();
      await endpoint.ip(...routes.map((line) => line.replace('add', 'del')), 'route del 192.168.77.0/24 dev tun0');
    });

    for (const client of ['client1', 'client2'] as const) {
      it(`carries TCP to ${client} over a path of 1400, through its own router`, async () => {
        if (client === 'client1') {
          await lab.startSidecar();
          await lab.introduceRouters();
        }
        await lab.connect(client);
        await using capture = await lab.capture('port 1194');

        await assertCarries(lab, client);

        assertSentVia(await capture.frames(), ADDRESS[client][version], ROUTER_OF[client]);
      });
    }

    it('gives another socket of the endpoint no route', async () => {
      const flag = version === 'v6' ? '-6' : '-4';
      for (const protocol of ['udp', 'tcp']) {
        const question = [
          'ip',
          flag,
          'route',
          'get',
          ADDRESS.client1[version],
          'from',
          ADDRESS.endpoint[version],
          'ipproto',
          protocol,
          'sport',
          '22',
          'dport',
          '40000',
        ];
        assert.notEqual((await lab.topology.endpoint.tryRun(question)).code, 0, question.join(' '));
      }
    });

    for (const client of ['client1', 'client2'] as const) {
      it(`carries TCP to ${client} over a path of 1280, also where main has a default route through another router`, async () => {
        if (client === 'client1')
          await lab.topology.endpoint.ip(
            `route add default via ${ADDRESS.r1.v4}`,
            `route add default via ${ADDRESS.r1.v6}`,
          );
        await narrow(lab, client, 1280);
        await using capture = await lab.capture('port 1194');

        await assertCarries(lab, client);

        assertSentVia(await capture.frames(), ADDRESS[client][version], ROUTER_OF[client]);
      });
    }
  });
}
