import assert from 'node:assert/strict';

import { networkState } from '../lab/network-state.js';
import { IMPATIENT } from '../lab/openvpn.js';
import { runGwmark } from '../lab/sidecar.js';
import { SITES } from '../lab/two-sites.js';
import { TWO_SITES_TIMEOUT_MS, TwoSitesLab } from '../lab/two-sites-lab.js';
import { FAMILIES } from '../lab/vpn-lab.js';
import { eventually } from '../lab/wait.js';
import { assertExchange, getsThrough } from './matrix.js';
import { assertSentTo } from './two-sites-matrix.js';

describe('the endpoint of an OpenVPN client, when things go wrong', function () {
  this.timeout(TWO_SITES_TIMEOUT_MS);
  let lab: TwoSitesLab;
  let pristine: Awaited<ReturnType<typeof networkState>>;

  before(async () => {
    // No reading by the clock hides an event that was missed.
    const flags = ['--routing-reread-interval-ms', '3600000'];
    lab = await TwoSitesLab.create({ shape: 'one-arm', transport: 'udp4', keepalive: IMPATIENT, flags });
    pristine = await networkState(lab.topology.sites.B.endpoint);
    await lab.join();
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  async function assertJoined(): Promise<void> {
    for (const family of FAMILIES) {
      await assertExchange('ping', lab.party('B', family), lab.party('A', family));
      await assertExchange('tcp', lab.party('A', family), lab.party('B', family));
    }
  }

  it('takes a network once the kernel has a route to it over the tunnel, and drops it with that route', async () => {
    const { endpoint } = lab.topology.sites.B;
    const network = '203.0.113.64/26';
    const device = (await lab.sidecar.status()).servers[0]?.device ?? '';
    const takes = async (isTaken: boolean): Promise<unknown> =>
      await lab.sidecar.statusWhere(
        ({ servers }) => servers[0]?.networks?.includes(network) === isTaken,
        `${network} is ${isTaken ? '' : 'not '}taken`,
      );

    await endpoint.ip(`route add ${network} dev ${device}`);
    await takes(true);
    await endpoint.ip(`route del ${network} dev ${device}`);
    await takes(false);
  });

  it('reconnects after SIGUSR1: a new epoch, the same networks, and traffic', async () => {
    const epoch = (await lab.sidecar.status()).servers[0]?.epoch ?? 0;
    const from = lab.client.process.lines.length;

    lab.client.process.kill('SIGUSR1');
    await lab.client.connected({ from });

    await lab.sidecar.statusWhere(({ servers, ready }) => ready && (servers[0]?.epoch ?? 0) > epoch, 'a later epoch');
    await lab.rejoin();
    await assertJoined();
  });

  it('keeps sending for its VPN while the server is gone, and goes on when it is back', async () => {
    const from = lab.client.process.lines.length;
    await lab.server.killHard();
    await lab.client.process.waitFor(/Inactivity timeout|Connection reset|process restarting/, {
      from,
      timeoutMs: 30_000,
    });
    assert.equal(await getsThrough('ping', lab.party('B', 'v4'), lab.party('A', 'v4'), 0), false);

    await lab.server.start();
    await lab.client.connected({ from, timeoutMs: 60_000 });

    await lab.rejoin();
    await assertJoined();
  });

  it('goes on when the sidecar is killed, and the next one takes everything over', async () => {
    await lab.sidecar.killHard();
    await assertExchange('ping', lab.party('B', 'v4'), lab.party('A', 'v4'));
    await using capture = await lab.capture('B');

    await lab.sidecar.restart();
    const isOwn = await assertExchange('udp', lab.party('B', 'v6'), lab.party('A', 'v6'));

    assertSentTo((await capture.frames()).filter(isOwn), 'B', SITES.B.host.v6, SITES.B.mac.r);
    await lab.rejoin();
    await assertJoined();
    assert.deepEqual(
      lab.sidecar.log.filter(({ event }) => event === 'firewall.repaired' || event === 'routing.repaired'),
      [],
    );
  });

  it('lets the networks go with the tunnel when OpenVPN ends', async () => {
    await lab.client.stop();

    await lab.sidecar.statusWhere(({ servers }) => servers[0]?.networks?.length === 0, 'no networks');
    const ruleset = async (): Promise<string> => await lab.topology.sites.B.endpoint.run(['nft', 'list', 'ruleset']);
    await eventually(async () => !/198\.51\.100\.0|2001:db8:a::/.test(await ruleset()), {
      what: 'the elements are gone',
    });
  });

  it('leaves nothing after `gwmark down`', async () => {
    await lab.sidecar.stop();
    await lab.sidecar.down();

    assert.deepEqual(await networkState(lab.topology.sites.B.endpoint), pristine);
  });
});

describe('the endpoint of an OpenVPN client that takes no route', function () {
  this.timeout(TWO_SITES_TIMEOUT_MS);
  let lab: TwoSitesLab;
  after(async () => await lab?.[Symbol.asyncDispose]());

  for (const [name, clientExtra, flags] of [
    ['route-noexec: what was pushed is taken from the log', ['route-noexec'], []],
    [
      'route-nopull: the setting networks says where the tunnel leads to',
      ['route-nopull'],
      ['--networks', `${SITES.A.hosts.v4},${SITES.A.hosts.v6}`],
    ],
  ] as const) {
    it(`${name}; and uplink names the router`, async () => {
      await lab?.[Symbol.asyncDispose]();
      lab = await TwoSitesLab.create({
        shape: 'one-arm',
        transport: 'udp4',
        clientExtra,
        hold: true,
        flags: [...flags, '--uplink', `lan0 ${SITES.B.u.v4}`],
      });

      await lab.join();

      assert.doesNotMatch(await lab.topology.sites.B.endpoint.run(['ip', 'route', 'show']), /198\.51\.100/);
      for (const family of FAMILIES) {
        await using capture = await lab.capture('B');
        const isOwn = await assertExchange('tcp', lab.party('B', family), lab.party('A', family));
        assertSentTo((await capture.frames()).filter(isOwn), 'B', SITES.B.host[family], SITES.B.mac.r);
        await assertExchange('udp', lab.party('A', family), lab.party('B', family));
      }
      const status = await lab.sidecar.status();
      assert.equal(status.gateways.find(({ id }) => id === status.uplink)?.mac, SITES.B.mac.u);
    });
  }

  it('shows role, remote and networks in `gwmark status` and `gwmark clients`', async () => {
    const [status, clients] = await Promise.all(
      ['status', 'clients'].map(
        async (command) =>
          (await runGwmark(lab.topology.sites.B.endpoint, [command, '--control-socket', lab.sidecar.controlSocket]))
            .stdout,
      ),
    );

    assert.match(status ?? '', /client +ready +tun0 +udp to 192\.0\.2\.10:1194/);
    assert.match(clients ?? '', /198\.51\.100\.0\/25/);
  });
});
