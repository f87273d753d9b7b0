import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange, assertSentVia } from './matrix.js';

/** Both clients' real addresses are in it. */
const AROUND_CLIENTS = '203.0.112.0/23';
const HARMFUL = [
  '0.0.0.0/1',
  '128.0.0.0/1',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '192.0.2.0/24',
  '192.0.2.1',
  'fe80::/64',
  '2001:db8::/64',
  '2001:db8::fe',
];

for (const [transport, rpFilter] of [
  ['udp4', 0],
  ['udp4', 1],
  ['tcp4', 0],
] as const) {
  describe(`a client with subnets behind it that hold other machines, over ${transport} with rp_filter ${rpFilter}`, function () {
    this.timeout(patient(60_000));
    let lab: VpnLab;
    before(async () => {
      lab = await VpnLab.create({ transport, rpFilter });
      const client = lab.server.options.clients?.['client1'] ?? {};
      await lab.server.configureClient('client1', {
        ...client,
        subnets: [
          ...(client.subnets ?? []),
          '203.0.112.0 255.255.254.0',
          '0.0.0.0 128.0.0.0',
          '128.0.0.0 128.0.0.0',
          '127.0.0.0 255.0.0.0',
          '169.254.0.0 255.255.0.0',
          '224.0.0.0 240.0.0.0',
          '192.0.2.0 255.255.255.0',
          '192.0.2.1 255.255.255.255',
        ],
        subnets6: [...(client.subnets6 ?? []), 'fe80::/64', '2001:db8::/64', '2001:db8::fe/128'],
      });
      await lab.startSidecar('--management-poll-interval-ms', '1000');
      await lab.introduceRouters();
      await lab.connect('client1', 'client2');
    });
    after(async () => await lab?.[Symbol.asyncDispose]());

    it('is served with the subnet that its own real address lies in, and every tunnel goes on', async () => {
      await eventually(
        async () =>
          (await lab.topology.endpoint.run(['ip', 'route', 'show', 'table', '7700'])).includes(AROUND_CLIENTS),
        { what: `a route to ${AROUND_CLIENTS}` },
      );
      await using capture = await lab.capture('port 1194');

      for (const client of ['client1', 'client2'] as const) {
        await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party(client, 'v4'));
        await assertExchange('ping', lab.party(client, 'v6'), lab.party('hostB', 'v6'));
      }

      const frames = await capture.frames();
      for (const client of ['client1', 'client2'] as const) assertSentVia(frames, ADDRESS[client].v4, MAC.u);
    });

    it('lets another client connect', async () => {
      await lab.client('client2').stop();
      await lab.sidecar.statusWhere(
        ({ clients }) => !clients.some(({ commonName }) => commonName === 'client2'),
        'client2 is gone',
      );

      await lab.connect('client2');

      await assertExchange('tcp', lab.party('client2', 'v4'), lab.party('hostB', 'v4'));
    });

    it('is refused what would take over other traffic, each with its reason: in the status and in the log', async () => {
      const { clients } = await lab.sidecar.status();

      const refused = clients.find(({ commonName }) => commonName === 'client1')?.refused ?? [];
      assert.deepEqual(refused.map(({ network }) => network).toSorted(), HARMFUL.toSorted());
      assert.match(refused.find(({ network }) => network === '192.0.2.1')?.reason ?? '', /is on the link lan0/);
      assert.match(refused.find(({ network }) => network === '0.0.0.0/1')?.reason ?? '', /contains 127\.0\.0\.0\/8/);
      assert.equal(
        lab.sidecar.log.filter(({ event }) => event === 'client.refused_route').length,
        HARMFUL.length,
        'each is said once',
      );
    });

    it('is named by doctor and trace', async () => {
      const { endpoint } = lab.topology;
      const report = await runDoctor(endpoint, { flags: ['--control-socket', lab.sidecar.controlSocket] });

      assert.match(
        assertFound(report, 'client-networks', 'warn', /^192\.0\.2\.1 of client client1: .*link lan0/).remedy ?? '',
        /iroute/,
      );
      const { stdout } = await runGwmark(endpoint, [
        'trace',
        ADDRESS.hostA.v4,
        '64.0.0.9',
        '--control-socket',
        lab.sidecar.controlSocket,
      ]);
      assert.match(stdout, /64\.0\.0\.9 is in 0\.0\.0\.0\/1 of client client1, which is not served/);
    });

    it('takes no router and no host of the link away from the endpoint', async () => {
      for (const address of [ADDRESS.r1.v4, ADDRESS.local.v4, ADDRESS.u.v6]) {
        assert.match(await lab.topology.endpoint.run(['ip', 'route', 'get', address]), / dev lan0 /);
      }
    });
  });
}
