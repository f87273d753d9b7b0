/**
 * What a flow remembers can be lost at any time: connection tracking is flushed, an entry times out, a client goes
 * away and comes back.
 */
import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import { clientRules } from '../lab/firewall.js';
import { ADDRESS, MAC, NETWORK } from '../lab/topology.js';
import { EchoServer, exchange, Flow, ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange, assertSentVia, sentTo } from './matrix.js';

type Family = (typeof FAMILIES)[number];

const PORTS = { v4: 7831, v6: 7832 } as const;

/** Of the direction that leaves the tunnel. */
const isAnswer =
  (family: Family) =>
  (frame: Frame): boolean =>
    frame.ip?.source === TUNNEL.client1[family] && frame.ports?.source === PORTS[family];

/** Resolves when the endpoint sent something of the flow since, and fails unless all of it went to r1. */
async function assertSentToR1(family: Family, frames: () => Promise<readonly Frame[]>): Promise<void> {
  await eventually(async () => sentTo((await frames()).filter(isAnswer(family)), ADDRESS.hostA[family]).length > 0, {
    what: `client1 sent to hostA over IP${family}`,
    timeoutMs: 30_000,
  });
  assertSentVia((await frames()).filter(isAnswer(family)), ADDRESS.hostA[family], MAC.r1);
}

describe('a flow whose conntrack entry is lost', function () {
  this.timeout(patient(90_000));
  let lab: VpnLab;
  before(async () => {
    // Over TCP the server learns of a killed client at once, as it would over UDP after its keepalive.
    lab = await VpnLab.working({ transport: 'tcp4' }, 'client1', 'client2');
    // The uplink does not know the way to hostA: who is sent there by mistake is lost.
    await lab.topology.u.ip(`route del ${NETWORK.hostA.v4}`, `route del ${NETWORK.hostA.v6}`);
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  /** Everything that hostA sends to clients is lost in r1, or arrives again; the other direction stays as it is. */
  const silence = async (isSilent: boolean): Promise<void> => {
    // More specific than the routes that r1 has.
    const networks = ['10.8.0.0/25', 'fd00:8::/65'];
    const input = networks.map((network) => `route ${isSilent ? 'replace' : 'del'} blackhole ${network}\n`).join('');
    // What is not there need not go.
    const { code, stderr } = await lab.topology.r1.tryRun(['ip', '-force', '-batch', '-'], { input });
    if (isSilent) assert.equal(code, 0, stderr);
  };
  // A test that failed leaves the next one a host that can be heard.
  afterEach(async () => await silence(false));

  /** Entries of the flow, with what is first in them. */
  const entries = async (family: Family): Promise<readonly string[]> =>
    await lab.conntrack(`port=${PORTS[family]} `, `=${TUNNEL.client1[family]} `);

  /** Whether the echo server's connection repeats data: the last number of the timer that ss(8) shows counts that. */
  const repeats = async (family: Family): Promise<boolean> =>
    /timer:\(on,[^,]*,[1-9]/.test(
      await lab.topology.client1.run(['ss', '-Htno', 'state', 'established', 'sport', '=', `:${PORTS[family]}`]),
    );

  /**
   * Silences hostA at a moment when client1 has something to repeat. What r1 lets through last decides that: where it was
   * an acknowledgement of everything, client1 would wait silently, and it is done again.
   */
  const silenceUnanswered = async (
    flows: readonly { readonly family: Family; readonly flow: Flow }[],
  ): Promise<void> => {
    await eventually(
      async () => {
        await silence(true);
        const isRepeated = await eventually(
          async () => (await Promise.all(flows.map(async ({ family }) => await repeats(family)))).every(Boolean),
          { what: 'client1 repeats', timeoutMs: 1_000 },
        ).catch(() => false);
        if (isRepeated) return true;
        await silence(false);
        await Promise.all(flows.map(async ({ flow }) => await flow.advance(5)));
        return false;
      },
      { what: 'client1 repeats what nobody acknowledges', timeoutMs: 30_000 },
    );
  };

  for (const family of FAMILIES) {
    it(`finds its router again over IP${family}, although the client's packet came first`, async () => {
      await using flow = await Flow.start('tcp', lab.party('hostA', family), lab.party('client1', family), {
        port: PORTS[family],
      });
      await flow.advance(10);
      await silenceUnanswered([{ family, flow }]);
      await lab.topology.endpoint.run(['conntrack', '-F']);
      await eventually(
        async () =>
          (await entries(family)).some(
            (entry) => entry.indexOf(`src=${TUNNEL.client1[family]}`) < entry.indexOf(`src=${ADDRESS.hostA[family]}`),
          ),
        {
          what: "the flow's new entry begins with the client",
          timeoutMs: 30_000,
        },
      );

      await silence(false);
      await flow.advance(20, 30_000);
      await using capture = await lab.capture();
      await flow.advance(20);

      assertSentVia((await capture.frames()).filter(isAnswer(family)), ADDRESS.hostA[family], MAC.r1);
      const { disordered } = await flow.report();
      assert.equal(disordered, 0);
    });
  }

  it('is no flow between two clients: neither direction has a gateway', async () => {
    for (const family of FAMILIES) await ping(lab.party('client1', family), lab.party('client2', family));

    for (const family of FAMILIES) {
      const found = await lab.conntrack(`src=${TUNNEL.client1[family]} dst=${TUNNEL.client2[family]} `);
      assert.ok(found.length > 0);
      assert.deepEqual(
        found.filter((entry) => !entry.includes('mark=0 ')),
        [],
      );
    }
  });

  it('goes on when its client went away and comes back, although it sends first', async () => {
    const flows = await Promise.all(
      FAMILIES.map(async (family) => ({
        family,
        flow: await Flow.start('tcp', lab.party('hostA', family), lab.party('client1', family), {
          port: PORTS[family],
        }),
      })),
    );
    try {
      await Promise.all(flows.map(async ({ flow }) => await flow.advance(10)));
      await silenceUnanswered(flows);
      lab.client('client1').process.kill('SIGKILL');
      await lab.sidecar.statusWhere(
        ({ clients }) => clients.every(({ commonName }) => commonName !== 'client1'),
        'client1 is gone',
      );
      await eventually(async () => !/10\.8\.0\.11\b|fd00:8::11\b/.test(await clientRules(lab.topology.endpoint)), {
        what: "client1's rules are gone",
      });
      await using capture = await lab.capture();

      await lab.connect('client1');

      for (const family of FAMILIES) await assertSentToR1(family, async () => await capture.frames());
      await silence(false);
      await Promise.all(flows.map(async ({ flow }) => await flow.advance(20, 45_000)));
    } finally {
      await Promise.all(flows.map(async ({ flow }) => await flow[Symbol.asyncDispose]()));
    }
  });

  it('is not inherited by another client that gets the address, and goes nowhere while nobody has it', async () => {
    await using capture = await lab.capture();
    await using stream = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), {
      port: PORTS.v4,
    });
    await stream.advance(10);
    assert.notDeepEqual(await entries('v4'), []);
    lab.client('client1').process.kill('SIGKILL');
    await lab.sidecar.statusWhere(
      ({ clients }) => clients.every(({ commonName }) => commonName !== 'client1'),
      'client1 is gone',
    );
    const { sent } = await stream.report();
    await eventually(async () => (await stream.report()).sent > sent + 20, { what: 'hostA sends to nobody' });
    const leaked = (await capture.frames()).filter(
      (frame) => frame.sourceMac === MAC.endpoint && frame.ip?.destination === TUNNEL.client1.v4,
    );
    assert.deepEqual(leaked, []);
    await stream.stop();
    assert.notDeepEqual(await entries('v4'), [], 'the entry waits for its client');

    await lab.server.configureClient('client2', { address: TUNNEL.client1.v4, address6: TUNNEL.client1.v6 });
    await lab.client('client2').stop();
    await (await lab.launchClient('client2')).connected();
    await lab.sidecar.statusWhere(
      ({ clients }) =>
        clients.some(({ commonName, addresses }) => commonName === 'client2' && addresses.includes(TUNNEL.client1.v4)),
      'client2 has the address',
    );

    await eventually(async () => (await clientRules(lab.topology.endpoint)).includes(TUNNEL.client1.v4), {
      what: 'the rules of client2',
    });
    assert.deepEqual(await entries('v4'), []);
    await assertExchange('tcp', lab.party('hostB', 'v4'), {
      namespace: lab.topology.client2,
      address: TUNNEL.client1.v4,
    });
  });
});

describe('a flow that a client opens', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4' }, 'client1');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  for (const family of FAMILIES) {
    for (const protocol of ['tcp', 'udp'] as const) {
      it(`goes on through the router that its answers come from, ${protocol} over IP${family}`, async () => {
        await using flow = await Flow.start(protocol, lab.party('client1', family), lab.party('hostA', family), {
          port: PORTS[family],
        });
        await using capture = await lab.capture();
        await flow.advance(10);

        const sent = (await capture.frames()).filter((frame) => frame.ports?.destination === PORTS[family]);
        assertSentVia(sent, ADDRESS.hostA[family], MAC.r1);
      });
    }
  }

  it('goes to the router that answers, also where the endpoint has a route by another', async () => {
    await lab.topology.endpoint.ip(`route add default via ${ADDRESS.u.v4}`);
    try {
      await using flow = await Flow.start('udp', lab.party('client1', 'v4'), lab.party('hostA', 'v4'), { port: 7841 });
      await using capture = await lab.capture();
      await flow.advance(10);

      assertSentVia(
        (await capture.frames()).filter((frame) => frame.ports?.destination === 7841),
        ADDRESS.hostA.v4,
        MAC.r1,
      );
    } finally {
      await lab.topology.endpoint.ip('route del default');
    }
  });
});

/** DNAT and masquerading on the endpoint itself, by rules of another program. */
describe('a flow that the endpoint translates', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    const { endpoint, local } = lab.topology;
    await endpoint.run(['nft', '-f', '-'], {
      input: `table inet forwarded {
        chain to_clients { type nat hook prerouting priority dstnat;
          ip daddr ${ADDRESS.endpoint.v4} tcp dport 8080 dnat ip to ${TUNNEL.client1.v4}:7777
          ip6 daddr ${ADDRESS.endpoint.v6} tcp dport 8080 dnat ip6 to [${TUNNEL.client1.v6}]:7777
          ip daddr ${ADDRESS.endpoint.v4} udp dport 8080 dnat ip to ${TUNNEL.client1.v4}:7777
          ip daddr ${TUNNEL.endpoint.v4} tcp dport 8081 dnat ip to ${ADDRESS.local.v4}:7777
        }
        chain from_clients { type nat hook postrouting priority srcnat;
          oifname lan0 ip saddr ${TUNNEL.client2.v4} masquerade
          oifname lan0 ip6 saddr ${TUNNEL.client2.v6} masquerade
        }
      }
`,
    });
    // What hosts open to a published port of the endpoint's VPN address is answered through the endpoint.
    await local.ip(`route add ${NETWORK.hostB.v4} via ${ADDRESS.endpoint.v4}`);
    await lab.startSidecar();
    await lab.introduceRouters();
    await lab.connect('client1', 'client2');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  for (const family of FAMILIES) {
    for (const protocol of family === 'v4' ? (['tcp', 'udp'] as const) : (['tcp'] as const)) {
      it(`to a client (DNAT) is answered through its router, ${protocol} over IP${family}`, async () => {
        await using server = await EchoServer.start(protocol, lab.party('client1', family), 7777);
        await using capture = await lab.capture();

        await using flow = await Flow.toPort(protocol, lab.party('hostA', family), ADDRESS.endpoint[family], 8080);
        await flow.advance(10);
        assert.equal(server.port, 7777);

        const answers = (await capture.frames()).filter(
          (frame) => frame.ports?.source === 8080 && frame.ip?.source === ADDRESS.endpoint[family],
        );
        assertSentVia(answers, ADDRESS.hostA[family], MAC.r1);
      });
    }

    it(`from a client (masqueraded) goes on through the router that its answers come from, over IP${family}`, async () => {
      await using capture = await lab.capture();

      const result = await exchange('tcp', lab.party('client2', family), lab.party('hostB', family), { port: 7790 });

      assert.ok(result.ok, JSON.stringify(result));
      const sent = sentTo(
        (await capture.frames()).filter((frame) => frame.ports?.destination === 7790),
        ADDRESS.hostB[family],
      );
      assert.ok(sent.length > 5);
      const toUplink = sent.filter(({ destinationMac }) => destinationMac === MAC.u);
      assert.ok(
        toUplink.length <= 2,
        `${toUplink.length} of ${sent.length} went to the uplink, more than its first packet`,
      );
      assert.deepEqual(
        [...new Set(sent.filter((frame) => !toUplink.includes(frame)).map(({ destinationMac }) => destinationMac))],
        [MAC.r2],
      );
    });
  }

  it("from the endpoint's VPN address to a host on the link is answered through its router", async function () {
    if ((await lab.sidecar.status()).datapath === 'module') this.skip();
    await using server = await EchoServer.start(
      'tcp',
      { namespace: lab.topology.local, address: ADDRESS.local.v4 },
      7777,
    );
    await using capture = await lab.capture();

    await using flow = await Flow.toPort('tcp', lab.party('hostB', 'v4'), TUNNEL.endpoint.v4, 8081);
    await flow.advance(10);
    assert.equal(server.port, 7777);

    const answers = (await capture.frames()).filter(
      (frame) => frame.ports?.source === 8081 && frame.ip?.source === TUNNEL.endpoint.v4,
    );
    assertSentVia(answers, ADDRESS.hostB.v4, MAC.r2);
  });
});
