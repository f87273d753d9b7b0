/**
 * `gwmark trace` on the real thing: what it says agrees with the frames, and each thing that can be in the way is
 * named.
 */
import assert from 'node:assert/strict';

import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { exchange, ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertSentVia } from './matrix.js';

/** What `gwmark trace --json` prints. */
interface PrintedTrace {
  readonly code: number;
  readonly goesByMac: boolean;
  readonly steps: readonly {
    readonly step: string;
    readonly ok: boolean;
    readonly text: string;
    readonly remedy: string | null;
  }[];
  readonly sentence: string;
  readonly instead: string | null;
}

/** Fails unless the trace ends at that step, with a remedy. */
function assertStopped(trace: PrintedTrace | undefined, step: string, text: RegExp, otherWay?: RegExp): void {
  assert.ok(trace);
  const { code, goesByMac, steps, sentence, instead } = trace;
  const last = steps.at(-1);
  assert.deepEqual(
    [code, goesByMac, last?.step, last?.ok],
    [1, false, step, false],
    JSON.stringify(steps, undefined, 1),
  );
  assert.match(last?.text ?? '', text);
  assert.ok(last?.remedy, 'says how to fix it');
  assert.match(sentence, /do not go to the router's MAC address/);
  assert.ok(steps.slice(0, -1).every(({ ok }) => ok));
  if (otherWay !== undefined) assert.match(instead ?? '', otherWay);
}

describe('gwmark trace', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4' }, 'client1', 'client2');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const trace = async (...args: readonly string[]): Promise<PrintedTrace> => {
    const { code, stdout, stderr } = await runGwmark(lab.topology.endpoint, [
      'trace',
      ...args,
      '--json',
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);
    assert.ok(stdout.startsWith('{'), `exit code ${code}: ${stderr}`);
    // Printed by the program under test; the tests look at the fields.
    return { code, ...(JSON.parse(stdout) as Omit<PrintedTrace, 'code'>) };
  };

  for (const family of FAMILIES) {
    it(`follows an answer over IP${family} to the MAC that the frames show`, async () => {
      await using capture = await lab.capture(family === 'v4' ? 'icmp' : 'icmp6');
      await ping(lab.party('hostB', family), lab.party('client1', family));

      const result = await trace(ADDRESS.hostB[family], TUNNEL.client1[family], '--proto', 'icmp');

      assert.equal(result.code, 0, JSON.stringify(result));
      assert.match(result.sentence, new RegExp(`^answers of this flow leave lan0 to ${MAC.r2} \\(gateway \\d+\\)$`));
      assert.deepEqual(
        result.steps.map(({ step }) => step),
        [
          'rules',
          'destination',
          'selection',
          'conntrack',
          'gateway',
          'device',
          'forwarding',
          'rule',
          'route',
          'neighbour',
          'kernel',
        ],
      );
      assert.match(result.steps[1]?.text ?? '', /client client1 \(CID \d+\)/);
      assertSentVia(
        (await capture.frames()).filter((frame) => frame.ip?.source === TUNNEL.client1[family]),
        ADDRESS.hostB[family],
        MAC.r2,
      );
    });
  }

  it('tells flows apart by protocol and port', async () => {
    await exchange('udp', lab.party('hostA', 'v4'), lab.party('client2', 'v4'), { port: 7801 });

    const [meant, otherPort, otherProtocol] = await Promise.all(
      [['udp', '--dport', '7801'], ['udp', '--dport', '7802'], ['tcp']].map(
        async (words) => await trace(ADDRESS.hostA.v4, TUNNEL.client2.v4, '--proto', ...words),
      ),
    );

    assert.equal(meant?.code, 0);
    assertStopped(otherPort, 'conntrack', /no such flow/);
    assertStopped(otherProtocol, 'conntrack', /no such flow/);
  });

  it("follows OpenVPN's own answers, and those to a subnet behind a client", async () => {
    await ping(lab.party('hostA', 'v4'), lab.party('site', 'v4'));

    const [own, site] = await Promise.all([
      trace(ADDRESS.client1.v4, ADDRESS.endpoint.v4, '--proto', 'udp', '--dport', '1194'),
      trace(ADDRESS.hostA.v4, ADDRESS.site.v4),
    ]);

    assert.match(own.sentence, new RegExp(MAC.u));
    assert.deepEqual(own.steps.map(({ step }) => step).slice(0, 4), ['rules', 'destination', 'selection', 'socket']);
    assert.match(site.sentence, new RegExp(MAC.r1));
    assert.match(site.steps[1]?.text ?? '', /192\.168\.77\.2 is in 192\.168\.77\.0\/24, behind client client1/);
  });

  it('prints a table and a sentence for eyes', async () => {
    await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'));

    const { code, stdout } = await runGwmark(lab.topology.endpoint, [
      'trace',
      ADDRESS.hostA.v4,
      TUNNEL.client1.v4,
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);

    assert.equal(code, 0);
    assert.match(stdout, /ok +neighbour +169\.254\.119\.\d+ is 02:00:00:00:01:01/);
    assert.match(stdout, new RegExp(`answers of this flow leave lan0 to ${MAC.r1}`));
  });

  it('stops at a source on the link itself, where there is no such flow, at what is no VPN address, and at answers that come back into the tunnel', async () => {
    const [onLink, noFlow, noClient, back] = await Promise.all(
      [
        [ADDRESS.local.v4, TUNNEL.client1.v4],
        ['198.51.100.99', TUNNEL.client1.v4],
        [ADDRESS.hostA.v4, '203.0.113.77'],
        [TUNNEL.client1.v4, ADDRESS.hostA.v4],
      ].map(async (ends) => await trace(...ends)),
    );

    assertStopped(onLink, 'selection', /on the link of lan0/, /the normal route, dev lan0, no next hop/);
    assertStopped(noFlow, 'conntrack', /no such flow/);
    assertStopped(noClient, 'destination', /not a VPN address/);
    assertStopped(back, 'destination', /come back into the tunnel/);
  });

  it('stops at a flow that is older than the rules, and says where its answers go instead', async () => {
    await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    const { endpoint } = lab.topology;
    await endpoint.run([
      'conntrack',
      '-U',
      '-f',
      'ipv4',
      '-p',
      'icmp',
      '-s',
      ADDRESS.hostA.v4,
      '-d',
      TUNNEL.client1.v4,
      '--mark',
      '0',
    ]);

    const result = await trace(ADDRESS.hostA.v4, TUNNEL.client1.v4, '--proto', 'icmp');

    assertStopped(result, 'conntrack', /no gateway in its mark 0x0/);
    assert.match(result.instead ?? '', new RegExp(`the uplink's way, to ${MAC.u} on lan0`));
  });

  it('follows what a client opens to the uplink, and to the router that its answers come from once there was one', async () => {
    await using capture = await lab.capture('icmp6');
    await ping(lab.party('client2', 'v6'), lab.party('hostB', 'v6'));
    const answered = await trace(ADDRESS.hostB.v6, TUNNEL.client2.v6, '--proto', 'icmp');
    await ping(lab.party('client2', 'v6'), { address: '2001:db8:b::99' }, { count: 1, waitSeconds: 0.2 });

    const result = await trace('2001:db8:b::99', TUNNEL.client2.v6, '--proto', 'icmp');

    assert.equal(answered.code, 0, JSON.stringify(answered));
    assert.match(
      answered.sentence,
      new RegExp(
        `^what ${TUNNEL.client2.v6} sends to ${ADDRESS.hostB.v6} leaves lan0 to ${MAC.r2} \\(gateway \\d+\\)$`,
      ),
    );
    assert.equal(result.code, 0, JSON.stringify(result));
    assert.match(
      result.sentence,
      new RegExp(
        `^what ${TUNNEL.client2.v6} sends to 2001:db8:b::99 leaves lan0 to ${MAC.u} \\(gateway \\d+, the uplink\\)$`,
      ),
    );
    const sent = (await capture.frames()).filter((frame) => frame.ip?.source === TUNNEL.client2.v6);
    assertSentVia(sent, '2001:db8:b::99', MAC.u);
  });

  it('stops at a route of the endpoint that comes before the uplink', async () => {
    const nobody = '198.51.100.199';
    await lab.topology.endpoint.ip(`route add ${nobody} via ${ADDRESS.r2.v4}`);
    await ping(lab.party('client2', 'v4'), { address: nobody }, { count: 1, waitSeconds: 0.2 });
    try {
      assertStopped(
        await trace(nobody, TUNNEL.client2.v4, '--proto', 'icmp'),
        'route',
        /via 192\.0\.2\.2 dev lan0: a route of the endpoint comes before the uplink/,
      );
    } finally {
      await lab.topology.endpoint.ip(`route del ${nobody}`);
    }
  });

  it('stops where forwarding is off', async () => {
    await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    await lab.topology.endpoint.sysctl('net.ipv4.conf.tun0.forwarding=0');
    try {
      assertStopped(
        await trace(ADDRESS.hostA.v4, TUNNEL.client1.v4),
        'forwarding',
        /does not forward packets from tun0/,
      );
    } finally {
      await lab.topology.endpoint.sysctl('net.ipv4.conf.tun0.forwarding=1');
    }
  });

  it('stops at a rule of another program that comes first', async () => {
    await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    await lab.topology.endpoint.ip('route add default via 192.0.2.254 table 99', 'rule add pref 5 iif tun0 lookup 99');
    try {
      assertStopped(
        await trace(ADDRESS.hostA.v4, TUNNEL.client1.v4),
        'kernel',
        /via 192\.0\.2\.254 dev lan0: a rule of another program/,
        /via 192\.0\.2\.254 dev lan0/,
      );
    } finally {
      await lab.topology.endpoint.ip('rule del pref 5', 'route flush table 99');
    }
  });

  it('stops at a client that is gone', async () => {
    await lab.client('client2').stop();
    await lab.sidecar.statusWhere(({ clients }) => clients.length === 1, 'client2 is gone');

    assertStopped(await trace(ADDRESS.hostA.v4, TUNNEL.client2.v4), 'destination', /no client has 10\.8\.0\.12 now/);
  });

  it('stops at a gateway that is down, with a sidecar and after one was killed', async () => {
    await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    await lab.topology.switch.ip('link set to-endpoint down');
    await eventually(async () => /NO-CARRIER/.test(await lab.topology.endpoint.run(['ip', 'link', 'show', 'lan0'])), {
      what: 'the cable is out',
    });

    assertStopped(
      await trace(ADDRESS.hostA.v4, TUNNEL.client1.v4),
      'device',
      /gateway \d+ is down: lan0 has no carrier/,
    );
    await lab.sidecar.killHard();
    await lab.topology.endpoint.ip('link set lan0 down');
    assertStopped(
      await trace(ADDRESS.hostA.v4, TUNNEL.client1.v4),
      'gateway',
      /gateway \d+ is gone: its device lan0 is down/,
    );
  });

  it('stops where no rules are installed', async () => {
    await lab.sidecar.down();

    assertStopped(await trace(ADDRESS.hostA.v4, TUNNEL.client1.v4), 'rules', /nftables table inet gwmark is missing/);
  });
});
