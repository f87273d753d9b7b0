/** `gwmark flows`, `gwmark gateways` and the counters of `gwmark status`: what they say is what the kernel has. */
import assert from 'node:assert/strict';

import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { exchange, ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, growth, patient } from '../lab/wait.js';

const DATAPATH = process.env['GWMARK_DATAPATH'] ?? 'nexthop';
const MANY = 100_000;

interface Tuple {
  readonly source: string;
  readonly sourcePort: number | null;
  readonly destination: string;
  readonly destinationPort: number | null;
  readonly counted: { readonly packets: number; readonly bytes: number } | null;
}

interface Listing {
  readonly datapath: string;
  readonly sidecarRunning: boolean;
  readonly truncated: boolean;
  readonly flows: readonly {
    readonly protocol: string;
    readonly original: Tuple;
    readonly reply: Tuple;
    readonly gateway: number;
    readonly device: string | null;
    readonly mac: string | null;
  }[];
}

interface GatewayCounts {
  readonly id: number;
  readonly mac: string;
  readonly received: { readonly packets: number } | null;
  readonly sent: { readonly packets: number; readonly bytes: number };
}

describe('what the kernel has', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;

  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.endpoint.sysctl('net.netfilter.nf_conntrack_acct=1');
    await lab.startSidecar();
    await lab.connect('client1', 'client2');
    await lab.introduceRouters();
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  async function flows(...args: readonly string[]): Promise<Listing> {
    const { code, stdout, stderr } = await runGwmark(lab.topology.endpoint, [
      'flows',
      '--json',
      '--control-socket',
      lab.sidecar.controlSocket,
      ...args,
    ]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Listing;
  }

  async function gateway(mac: string): Promise<GatewayCounts> {
    const known = (await lab.sidecar.gateways()) as unknown as readonly GatewayCounts[];
    const found = known.find((each) => each.mac === mac);
    assert.ok(found, `no gateway ${mac}`);
    return found;
  }

  async function fallThrough(reason: string): Promise<number> {
    const { fallThrough: counts } = (await lab.sidecar.status()) as unknown as {
      readonly fallThrough: Readonly<Record<string, number>>;
    };
    return counts[reason] ?? 0;
  }

  const pingThrice = async (): Promise<void> => {
    assert.equal((await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 3 })).received, 3);
  };
  const sent = async (): Promise<number> => (await gateway(MAC.r1)).sent.packets;
  const received = async (): Promise<number> => (await gateway(MAC.r1)).received?.packets ?? 0;
  const withoutGateway = async (): Promise<number> => await fallThrough('return_no_gateway');

  for (const family of FAMILIES) {
    it(`is listed by gwmark flows with its router and its counters, over IP${family}`, async () => {
      const port = family === 'v4' ? 9104 : 9106;
      const result = await exchange('tcp', lab.party('hostA', family), lab.party('client1', family), { port });
      assert.ok(result.ok, JSON.stringify(result));

      const { datapath, sidecarRunning, flows: listed, truncated } = await flows('--client', TUNNEL.client1[family]);

      assert.deepEqual([datapath, sidecarRunning, truncated], [DATAPATH, true, false]);
      const flow = listed.find(({ original }) => original.destinationPort === port);
      assert.ok(flow, JSON.stringify(listed));
      assert.deepEqual(
        [flow.protocol, flow.original.source, flow.original.destination],
        ['tcp', ADDRESS.hostA[family], TUNNEL.client1[family]],
      );
      assert.deepEqual(
        [flow.reply.source, flow.reply.destinationPort],
        [TUNNEL.client1[family], flow.original.sourcePort],
      );
      assert.deepEqual([flow.mac, flow.device, flow.gateway], [MAC.r1, 'lan0', (await gateway(MAC.r1)).id]);
      // The last acknowledgement of a connection may come after its end was seen.
      await eventually(
        async () => {
          const [entry = ''] = await lab.conntrack(`dport=${port}`, 'packets=');
          const counts = [...entry.matchAll(/ packets=(\d+) bytes=(\d+)/g)].map(([, packets, bytes]) => ({
            packets: Number(packets),
            bytes: Number(bytes),
          }));
          const now = (await flows('--client', TUNNEL.client1[family])).flows.find(
            ({ original }) => original.destinationPort === port,
          );
          assert.deepEqual([now?.original.counted, now?.reply.counted], counts);
          assert.ok((now?.reply.counted?.bytes ?? 0) > 100_000);
          return true;
        },
        { what: 'the counters of conntrack(8)' },
      );
    });
  }

  it('is told apart by client and by gateway', async () => {
    assert.ok((await exchange('udp', lab.party('hostB', 'v4'), lab.party('client2', 'v4'), { port: 9200 })).ok);
    const r2 = (await gateway(MAC.r2)).id;

    const ofClient = (await flows('--client', TUNNEL.client2.v4)).flows;
    const ofGateway = (await flows('--gateway', String(r2))).flows;

    assert.ok(ofClient.some(({ original, mac }) => original.destinationPort === 9200 && mac === MAC.r2));
    assert.ok(
      ofClient.every(({ original, reply }) => [original.destination, reply.source].includes(TUNNEL.client2.v4)),
    );
    assert.ok(ofGateway.length > 0 && ofGateway.every(({ mac }) => mac === MAC.r2), JSON.stringify(ofGateway));
  });

  it('leaves out flows that are not of the VPN', async () => {
    const own = await exchange(
      'tcp',
      { namespace: lab.topology.local, address: ADDRESS.local.v4 },
      { namespace: lab.topology.endpoint, address: ADDRESS.endpoint.v4 },
      { port: 9300 },
    );
    assert.ok(own.ok);

    const listed = (await flows('--limit', '0')).flows;

    assert.equal((await lab.conntrack('dport=9300')).length, 1);
    assert.deepEqual(
      listed.filter(({ original }) => original.destinationPort === 9300),
      [],
    );
  });

  it('is counted by gwmark gateways, to the packet', async () => {
    const before = await gateway(MAC.r1);
    assert.equal(await growth(sent, pingThrice, 3, 'packets sent to r1'), 3);
    if (DATAPATH === 'nexthop') assert.equal(await growth(received, pingThrice, 3, 'packets received from r1'), 3);
    assert.ok((await gateway(MAC.r1)).sent.bytes > before.sent.bytes);
  });

  it('is counted by reason where a packet took the normal route', async () => {
    await lab.topology.client1.ip(`route replace ${ADDRESS.local.v4} dev tun0`);
    // A host on the segment itself asks: ARP leads to it, so its flow has no gateway.
    const pings = async (): Promise<void> => {
      const local = { namespace: lab.topology.local, address: ADDRESS.local.v4 };
      assert.equal((await ping(local, lab.party('client1', 'v4'), { count: 2 })).received, 2);
    };

    assert.equal(await growth(withoutGateway, pings, 2, 'packets without a gateway'), 2);
  });

  it('is shown as a table too', async () => {
    assert.ok((await exchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { port: 9400 })).ok);

    const { code, stdout } = await runGwmark(lab.topology.endpoint, [
      'flows',
      '--control-socket',
      lab.sidecar.controlSocket,
      '--client',
      TUNNEL.client1.v4,
    ]);

    assert.equal(code, 0);
    assert.match(stdout, /^PROTOCOL +FROM +TO +ANSWERED BY +GATEWAY +DEVICE +MAC +PACKETS +BYTES +OFFLOADED\n/);
    assert.match(
      stdout,
      new RegExp(
        `^tcp +${ADDRESS.hostA.v4.replaceAll('.', String.raw`\.`)}:\\d+ .* lan0 +${MAC.r1} +\\d+/\\d+ +\\d+/\\d+ +-$`,
        'm',
      ),
    );
  });

  it('is not shown from another network namespace, where it would be another kernel state', async () => {
    const { code, stderr } = await runGwmark(lab.topology.hostA, [
      'flows',
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);

    assert.equal(code, 1);
    assert.match(
      stderr,
      /^gwmark: the sidecar at .* runs in the network namespace net:\[\d+\], this command in net:\[\d+\]: run it where the sidecar runs\n$/,
    );
  });

  // The module remembers flows by labels, which conntrack(8) cannot write.
  if (DATAPATH === 'nexthop') {
    it(`is listed in a heap of 24 MB when it is ${MANY} flows`, async () => {
      const { id } = await gateway(MAC.r1);
      const lines = Array.from(
        { length: MANY },
        (_, index) =>
          `-I -p udp -s 10.99.${index >> 16}.1 -d ${TUNNEL.client1.v4} --sport ${1 + (index & 0x7fff)} --dport ${1 + ((index >> 15) & 0x7fff)} --timeout 600 --mark ${id << 24}`,
      );
      await lab.topology.endpoint.run(['sh', '-c', 'cat | conntrack --load-file -'], {
        input: `${lines.join('\n')}\n`,
        timeoutMs: patient(120_000),
      });

      const { code, stdout, stderr } = await runGwmark(
        lab.topology.endpoint,
        [
          'flows',
          '--json',
          '--limit',
          '0',
          '--client',
          TUNNEL.client1.v4,
          '--control-socket',
          lab.sidecar.controlSocket,
        ],
        { env: { ...process.env, NODE_OPTIONS: '--max-old-space-size=24' }, timeoutMs: patient(60_000) },
      );

      assert.equal(code, 0, stderr);
      const { flows: listed, truncated } = JSON.parse(stdout) as Listing;
      assert.deepEqual(
        [
          truncated,
          listed.filter(({ original, mac }) => original.source.startsWith('10.99.') && mac === MAC.r1).length,
        ],
        [false, MANY],
      );
      await lab.topology.endpoint.run(['conntrack', '-D', '-p', 'udp', '--orig-dst', TUNNEL.client1.v4]);
    }).timeout(patient(240_000));
  }

  it('is still shown when the sidecar is dead, and says so', async () => {
    assert.ok((await exchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { port: 9400 })).ok);
    await lab.sidecar.killHard();

    const { code, stdout, stderr } = await runGwmark(lab.topology.endpoint, [
      'flows',
      '--json',
      '--control-socket',
      lab.sidecar.controlSocket,
      '--client',
      TUNNEL.client1.v4,
    ]);

    assert.equal(code, 0);
    assert.equal(
      stderr,
      `gwmark: no sidecar answers at ${lab.sidecar.controlSocket}; showing the flows that the kernel still has\n`,
    );
    const { sidecarRunning, flows: listed } = JSON.parse(stdout) as Listing;
    assert.equal(sidecarRunning, false);
    assert.ok(
      listed.some(({ original, mac }) => original.destinationPort === 9400 && mac === MAC.r1),
      stdout,
    );
  });

  it('is nothing after gwmark down, and that is said', async () => {
    await lab.sidecar.down();

    const { code, stdout, stderr } = await runGwmark(lab.topology.endpoint, [
      'flows',
      '--json',
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);

    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^gwmark: gwmark has nothing installed in this network namespace: no sidecar answers at .*, no ip rule has the protocol 147, and the kernel module is not enabled\n$/,
    );
  });
});
