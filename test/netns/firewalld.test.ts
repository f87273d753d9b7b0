/**
 * Real firewalld of Debian beside the endpoint: its reverse path filter for IPv6 is a rule, and its zones end in a
 * reject.
 */
import assert from 'node:assert/strict';

import { Firewalld } from '../lab/beside/firewalld.js';
import { assertFound, runDoctor } from '../lab/doctor.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange, assertSentVia, KINDS } from './matrix.js';

describe('an endpoint with firewalld', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let firewalld: Firewalld;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp6' });
    firewalld = await Firewalld.start(lab.topology.endpoint);
    await firewalld.command('--permanent', '--add-port=1194/udp');
    await firewalld.command('--reload');
    await lab.startSidecar();
    await lab.introduceRouters();
  });
  after(async () => {
    await firewalld?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  it('takes the datagrams of distant clients, for which its filter looks up the route back', async () => {
    assert.match(
      await lab.topology.endpoint.run(['nft', 'list', 'chain', 'inet', 'firewalld', 'filter_PREROUTING']),
      /ipv6 fib saddr \. mark \. iif oif missing drop/,
    );
    await lab.connect('client1', 'client2');
  });

  it('is told by doctor and trace that the last rule of a zone rejects what hosts send to clients, and by what it is changed', async () => {
    const flags = ['--control-socket', lab.sidecar.controlSocket];
    const { received, output } = await ping(lab.party('hostB', 'v4'), lab.party('client1', 'v4'), { count: 1 });
    assert.equal(received, 0);
    assert.match(output, /Packet filtered/);

    const report = await runDoctor(lab.topology.endpoint, { flags });
    const trace = await runGwmark(lab.topology.endpoint, ['trace', ADDRESS.hostB.v4, TUNNEL.client1.v4, ...flags]);

    const [fromLink, fromTunnel] = ['from lan0 to tun0', 'from tun0 to lan0'].map((way) =>
      assertFound(
        report,
        'forward-policy',
        'error',
        new RegExp(`chain inet firewalld filter_F\\w+ ends with reject for packets ${way} \\(IPv4 and IPv6\\)`),
      ),
    );
    assert.equal(trace.code, 1);
    assert.match(
      trace.stdout,
      /firewall +nftables chain inet firewalld filter_F\w+ ends new flows from lan0 to tun0 with reject/,
    );
    // What they recommend, as it is printed.
    for (const remedy of [fromTunnel?.remedy, fromLink?.remedy?.split(': ').slice(1).join(': ')])
      await firewalld.shell(remedy ?? '');
    // firewalld makes its rules again, and the sidecar finds their filter within seconds.
    await eventually(
      async () => {
        const { findings } = await runDoctor(lab.topology.endpoint, { flags });
        assert.deepEqual(
          findings.filter(({ severity }) => severity === 'error' || severity === 'warn'),
          [],
        );
        return true;
      },
      { what: 'a doctor who finds nothing wrong', timeoutMs: 15_000 },
    );
  });

  for (const family of FAMILIES) {
    for (const kind of KINDS) {
      it(`carries ${kind} over IP${family} that a host opens, and answers through the router that it came from`, async () => {
        await using capture = await lab.capture();

        const isOwn = await assertExchange(kind, lab.party('hostB', family), lab.party('client1', family));

        assertSentVia((await capture.frames()).filter(isOwn), ADDRESS.hostB[family], MAC.r2);
      });

      it(`carries ${kind} over IP${family} that a client opens`, async () => {
        await assertExchange(kind, lab.party('client2', family), lab.party('hostA', family));
      });
    }
  }
});
